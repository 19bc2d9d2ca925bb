"""What readers are shown of events, sessions and bookings; also what a repeated request is answered with."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel

from contracts.common import AttendanceMode, LocalisedText, Location, Span
from contracts.events_calendar import BookingState, PublicEvent, Session
from services.events_calendar.store import Booking, CalendarEvent, Guest, HeldSession


class EventView(BaseModel):
    """A public event of a platform or of our own. ``status`` says ``cancelled`` when it will not take place.

    ``starts_at`` and ``ends_at`` are instants to sort and filter by; the times that people agreed on are in ``event``.
    """

    id: str
    kind: str
    source: Literal["national-platform", "own"]
    platform: str | None
    session_id: str | None
    uid: str
    recurrence_id: str | None
    status: str
    reason: LocalisedText | None
    revision: int
    changed_at: datetime
    starts_at: datetime
    ends_at: datetime
    event: PublicEvent


def event_view(row: CalendarEvent) -> EventView:
    """A stored event as everybody may see it."""
    assert row.event is not None
    assert row.starts_at is not None
    assert row.ends_at is not None
    return EventView(
        id=row.id,
        kind=row.kind,
        source="own" if row.platform is None else "national-platform",
        platform=row.platform,
        session_id=row.session_id,
        uid=row.uid,
        recurrence_id=row.recurrence_id,
        status="cancelled" if row.standing == "cancelled" else row.event.status,
        reason=row.reason,
        revision=row.version,
        changed_at=row.changed_at,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        event=row.event,
    )


class SeatCounts(BaseModel):
    """How many seats there are, are taken (held and offered ones included) and are free, and how many wait."""

    capacity: int | None
    taken: int
    free: int | None
    waiting: int


class SessionView(BaseModel):
    """One of our own sessions. Its address online is there for those who hold a place and for organisers."""

    id: str
    version: int
    event_id: str
    cancelled: bool
    reason: LocalisedText | None
    session: Session
    seats: SeatCounts


def session_view(held: HeldSession, *, inside: bool = False) -> SessionView:
    """A session as it is shown to those ``inside`` (organisers, holders of a place) or to everybody."""
    session = held.session if inside else held.session.model_copy(update={"online_url": None, "materials": ()})
    capacity, taken = held.session.capacity, held.seats.taken
    free = None if capacity is None else max(capacity - taken, 0)
    return SessionView(
        id=held.id,
        version=held.version,
        event_id=event_id_of(held.id),
        cancelled=held.cancelled,
        reason=held.reason,
        session=session,
        seats=SeatCounts(capacity=capacity, taken=taken, free=free, waiting=len(held.seats.waiting)),
    )


def event_id_of(session_id: str) -> str:
    """The id of a session's public event in the calendar."""
    return f"evt_{session_id.removeprefix('ses_')}"


class BookedSession(BaseModel):
    """What a holder has to know of a session: when, where, and how to get in."""

    kind: str
    part: int | None
    title: LocalisedText
    span: Span
    attendance_mode: AttendanceMode
    location: Location | None
    online_url: str | None
    cancelled: bool


class GuestView(BaseModel):
    """Who a guest is, for organisers."""

    mail_address: str
    given_name: str | None
    family_name: str | None
    organisation: str | None


class BookingView(BaseModel):
    """A booking. ``position`` is the present place on the waiting list, ``expires_at`` ends a held or offered place."""

    id: str
    session_id: str
    state: BookingState
    person_id: str | None
    guest_id: str | None
    city_id: str | None
    position: int | None
    moved_up: bool
    arrived_at: datetime
    changed_at: datetime
    expires_at: datetime | None
    participation_id: str | None
    session: BookedSession
    guest: GuestView | None = None
    city_name: str | None = None


def booking_view(
    held: HeldSession, booking: Booking, *, guest: Guest | None = None, city_name: str | None = None
) -> BookingView:
    """A booking as its holder and the organisers see it."""
    session = held.session
    inside = booking.state in (BookingState.CONFIRMED, BookingState.ATTENDED)
    return BookingView(
        id=booking.id,
        session_id=booking.session_id,
        state=booking.state,
        person_id=booking.person_id,
        guest_id=booking.guest_id,
        city_id=booking.city_id,
        position=held.seats.position(booking.id) if booking.state is BookingState.WAITING else None,
        moved_up=booking.moved_up,
        arrived_at=booking.arrived_at,
        changed_at=booking.changed_at,
        expires_at=booking.expires_at,
        participation_id=booking.participation_id,
        session=BookedSession(
            kind=session.kind,
            part=session.part,
            title=session.title,
            span=session.span,
            attendance_mode=session.attendance_mode,
            location=session.location,
            online_url=session.online_url if inside else None,
            cancelled=held.cancelled,
        ),
        guest=GuestView.model_validate(guest.model_dump()) if guest else None,
        city_name=city_name,
    )


class GuestBookingTaken(BaseModel):
    """The wish was taken, and a link to confirm it is mailed. It says nothing of what the address had booked before."""

    state: Literal["held"] = "held"
    expires_at: datetime
