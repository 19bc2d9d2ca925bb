"""Events of the calendar: public events (of national platforms and our own), our sessions, and bookings.

A booking says of which kind its session is, so that a reader needs no copy of the sessions to understand it.
"""

from contracts.events_calendar.bookings import (
    BookingAttended,
    BookingCancelled,
    BookingConfirmed,
    BookingFact,
    BookingHeld,
    BookingMissed,
    BookingOffered,
    BookingReassigned,
    BookingState,
    BookingWaitlisted,
    GuestRecorded,
)
from contracts.events_calendar.events import (
    EventCancelled,
    EventPublished,
    EventStatus,
    EventWithdrawn,
    Image,
    Organiser,
    Provenance,
    PublicEvent,
    Recurrence,
)
from contracts.events_calendar.sessions import (
    Material,
    Session,
    SessionCancelled,
    SessionChanged,
    SessionScheduled,
)

__all__ = [
    "BookingAttended",
    "BookingCancelled",
    "BookingConfirmed",
    "BookingFact",
    "BookingHeld",
    "BookingMissed",
    "BookingOffered",
    "BookingReassigned",
    "BookingState",
    "BookingWaitlisted",
    "EventCancelled",
    "EventPublished",
    "EventStatus",
    "EventWithdrawn",
    "GuestRecorded",
    "Image",
    "Material",
    "Organiser",
    "Provenance",
    "PublicEvent",
    "Recurrence",
    "Session",
    "SessionCancelled",
    "SessionChanged",
    "SessionScheduled",
]
