"""Public events: of national platforms and our own."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from contracts.common import (
    AttendanceMode,
    Audience,
    CalendarEventId,
    CountryCode,
    Days,
    LanguageTag,
    LocalisedText,
    Location,
    PlannedMoment,
    PlatformId,
    Slug,
    Span,
    TimeZoneName,
    WebAddress,
)
from contracts.envelope import Event, Model, UtcDatetime

ShortText = Annotated[str, StringConstraints(min_length=1, max_length=300)]


class EventStatus(StrEnum):
    """Whether a public event takes place."""

    SCHEDULED = "scheduled"
    TENTATIVE = "tentative"
    POSTPONED = "postponed"
    CANCELLED = "cancelled"


class Provenance(Model):
    """Where an event comes from: which message of which platform, and where it lies on the platform's topic.

    ``platform`` None is an event of our own. Identity is (platform, uid, recurrence_id).
    """

    platform: PlatformId | None = None
    uid: Annotated[str, StringConstraints(min_length=1, max_length=255)]
    sequence: Annotated[int, Field(ge=0)] = 0
    recurrence_id: Annotated[str, StringConstraints(max_length=40)] | None = None
    message_id: Annotated[str, StringConstraints(max_length=500)] | None = None
    offset: Annotated[int, Field(ge=0)] | None = None
    said_at: UtcDatetime | None = None
    received_at: UtcDatetime | None = None


class Image(Model):
    """A picture with its description for those who do not see it."""

    url: WebAddress
    alt: LocalisedText | None = None
    licence: Annotated[str, StringConstraints(max_length=200)] | None = None


class Organiser(Model):
    """The body that organises an event; its mail address is never in our events."""

    name: ShortText | None = None
    url: WebAddress | None = None


class Recurrence(Model):
    """A series after RFC 5545: a rule that ends, and the beginnings that are left out, written like the start."""

    rrule: Annotated[str, StringConstraints(min_length=1, max_length=500)] | None = None
    exdates: tuple[Annotated[str, StringConstraints(max_length=40)], ...] = ()
    series_uid: Annotated[str, StringConstraints(max_length=255)] | None = None


class PublicEvent(Model):
    """A public event in full. Either ``span`` (with zones) or ``days`` (whole days) is given.

    ``themes`` are emission domains and levers of change, which lists can be filtered by; ``tags`` are the publisher's
    own words. ``time_zone`` is the zone that it is shown in.
    """

    title: LocalisedText
    description: LocalisedText | None = None
    span: Span | None = None
    days: Days | None = None
    time_zone: TimeZoneName
    recurrence: Recurrence | None = None
    status: EventStatus = EventStatus.SCHEDULED
    attendance_mode: AttendanceMode = AttendanceMode.ONSITE
    location: Location | None = None
    country: CountryCode | None = None
    url: WebAddress | None = None
    registration_url: WebAddress | None = None
    registration_closes: PlannedMoment | None = None
    online_url: WebAddress | None = None
    image: Image | None = None
    organiser: Organiser | None = None
    languages: tuple[LanguageTag, ...] = ()
    audiences: tuple[Audience, ...] = (Audience.EVERYONE,)
    themes: tuple[Slug, ...] = ()
    tags: tuple[Annotated[str, StringConstraints(min_length=1, max_length=100)], ...] = ()
    capacity: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _has_one_time(self) -> Self:
        if (self.span is None) == (self.days is None):
            raise ValueError("an event has either a span or whole days")
        return self


class EventPublished(Event, type="eu.mission.calendar.event.published.v1", aggregate="event_id"):
    """A public event as it stands now; a later one replaces it. ``revision`` counts from 1 (SEQUENCE in feeds)."""

    event_id: CalendarEventId
    revision: Annotated[int, Field(ge=1)]
    provenance: Provenance
    event: PublicEvent


class EventCancelled(Event, type="eu.mission.calendar.event.cancelled.v1", aggregate="event_id"):
    """A public event will not take place; it stays visible as cancelled."""

    event_id: CalendarEventId
    revision: Annotated[int, Field(ge=1)]
    provenance: Provenance
    reason: LocalisedText | None = None


class EventWithdrawn(Event, type="eu.mission.calendar.event.withdrawn.v1", aggregate="event_id"):
    """A public event was published by mistake and vanishes."""

    event_id: CalendarEventId
    revision: Annotated[int, Field(ge=1)]
    provenance: Provenance
    reason: LocalisedText | None = None
