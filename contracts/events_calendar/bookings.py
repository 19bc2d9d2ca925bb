"""Bookings of sessions, and the guests who book without an account."""

from enum import StrEnum
from typing import Annotated, ClassVar, Self

from pydantic import Field, StringConstraints, model_validator

from contracts.common import (
    BookingId,
    CityId,
    GuestId,
    LanguageTag,
    ParticipationId,
    PersonId,
    SessionId,
    Slug,
    TimeZoneName,
)
from contracts.envelope import Event, Model, UtcDatetime


class GuestRecorded(Event, type="eu.mission.calendar.guest.recorded.v1", aggregate="guest_id"):
    """Personal: the latest state of somebody who books without an account; a tombstone under the same key erases it."""

    guest_id: GuestId
    given_name: Annotated[str, StringConstraints(max_length=200)] | None = None
    family_name: Annotated[str, StringConstraints(max_length=200)] | None = None
    mail_address: Annotated[str, StringConstraints(min_length=3, max_length=254, pattern=r"^[^@\s]+@[^@\s]+$")]
    mail_verified_at: UtcDatetime | None = None
    organisation: Annotated[str, StringConstraints(max_length=200)] | None = None
    locale: LanguageTag
    time_zone: TimeZoneName


class BookingState(StrEnum):
    """Where a booking stands."""

    HELD = "held"
    CONFIRMED = "confirmed"
    WAITING = "waiting"
    OFFERED = "offered"
    CANCELLED = "cancelled"
    ATTENDED = "attended"
    NO_SHOW = "no-show"


class BookingFact(Model):
    """What every fact of a booking says: who (a person or a guest, for a city or none), and at what."""

    state: ClassVar[BookingState]
    booking_id: BookingId
    session_id: SessionId
    session_kind: Slug
    programme: Slug | None = None
    cohort: Slug | None = None
    part: Annotated[int, Field(ge=1)] | None = None
    person_id: PersonId | None = None
    guest_id: GuestId | None = None
    city_id: CityId | None = None

    @model_validator(mode="after")
    def _is_somebodys(self) -> Self:
        if (self.person_id is None) == (self.guest_id is None):
            raise ValueError("a booking is a person's or a guest's")
        return self


class BookingHeld(BookingFact, Event, type="eu.mission.calendar.booking.held.v1", aggregate="booking_id"):
    """A place is kept for a moment, until somebody confirms or ``expires_at`` passes."""

    state = BookingState.HELD
    expires_at: UtcDatetime


class BookingConfirmed(BookingFact, Event, type="eu.mission.calendar.booking.confirmed.v1", aggregate="booking_id"):
    """The place is theirs. ``participation_id`` when a selection had granted it; ``moved_up`` from the waiting list."""

    state = BookingState.CONFIRMED
    participation_id: ParticipationId | None = None
    moved_up: bool = False


class BookingWaitlisted(BookingFact, Event, type="eu.mission.calendar.booking.waitlisted.v1", aggregate="booking_id"):
    """No place is free: they wait, at ``position`` (from 1) when this was written."""

    state = BookingState.WAITING
    position: Annotated[int, Field(ge=1)]


class BookingOffered(BookingFact, Event, type="eu.mission.calendar.booking.offered.v1", aggregate="booking_id"):
    """A place came free and is kept for them until ``expires_at``."""

    state = BookingState.OFFERED
    expires_at: UtcDatetime


class BookingCancelled(BookingFact, Event, type="eu.mission.calendar.booking.cancelled.v1", aggregate="booking_id"):
    """The booking is void. ``reason``: ``by-holder``, ``by-host``, ``session-cancelled``, ``not-confirmed``, …"""

    state = BookingState.CANCELLED
    previous: BookingState
    reason: Slug


class BookingAttended(BookingFact, Event, type="eu.mission.calendar.booking.attended.v1", aggregate="booking_id"):
    """They were there."""

    state = BookingState.ATTENDED


class BookingMissed(BookingFact, Event, type="eu.mission.calendar.booking.missed.v1", aggregate="booking_id"):
    """They had a place and did not come."""

    state = BookingState.NO_SHOW


class BookingReassigned(Event, type="eu.mission.calendar.booking.reassigned.v1", aggregate="booking_id"):
    """The booking is another holder's: a guest became a person, or persons or cities were merged.

    ``guest_id`` is the former holder when that was a guest; ``person_id`` and ``city_id`` are the present one.
    """

    booking_id: BookingId
    session_id: SessionId
    session_kind: Slug
    programme: Slug | None = None
    part: Annotated[int, Field(ge=1)] | None = None
    state: BookingState
    guest_id: GuestId | None = None
    person_id: PersonId
    city_id: CityId | None = None
