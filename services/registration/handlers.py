"""The Kafka door: what registration takes note of from others."""

from contracts import events_calendar, registration
from contracts.envelope import Envelope
from services.registration.domain.names import mail_hash, mail_key
from services.registration.store import GUESTS
from services.registration.usecases import onboarding
from shared.inbox import Inbox
from shared.store import Transaction

inbox = Inbox("registration")

BOOKING_FACTS = (
    events_calendar.BookingConfirmed,
    events_calendar.BookingCancelled,
    events_calendar.BookingAttended,
    events_calendar.BookingMissed,
    events_calendar.BookingReassigned,
)


@inbox.projects(*BOOKING_FACTS)
async def keep_booking(
    tx: Transaction, event: events_calendar.BookingFact | events_calendar.BookingReassigned, envelope: Envelope
) -> None:
    """What the calendar told of a booking."""
    onboarding.keep_booking(tx, event)


@inbox.on(*BOOKING_FACTS)
async def on_booking(
    tx: Transaction, event: events_calendar.BookingFact | events_calendar.BookingReassigned, envelope: Envelope
) -> None:
    """Bookings complete steps of the onboarding."""
    await onboarding.on_booking(tx, event)


@inbox.projects(events_calendar.GuestRecorded)
async def keep_guest(tx: Transaction, event: events_calendar.GuestRecorded, envelope: Envelope) -> None:
    """By what a guest is recognised."""
    tx.project(GUESTS, event.guest_id, {"mail_hash": mail_hash(mail_key(event.mail_address))})


@inbox.on(events_calendar.GuestRecorded)
async def on_guest(tx: Transaction, event: events_calendar.GuestRecorded, envelope: Envelope) -> None:
    """A guest may turn out to be a person."""
    await onboarding.on_guest(tx, event.guest_id, mail_hash(mail_key(event.mail_address)))


@inbox.projects_tombstone(events_calendar.GuestRecorded)
async def on_guest_erased(tx: Transaction, event: None, envelope: Envelope) -> None:
    """A guest was erased."""
    await tx.delete(GUESTS, {"_id": envelope.attributes.subject})


@inbox.projects(registration.TaskOpened, registration.TaskClosed)
async def keep_task(
    tx: Transaction, event: registration.TaskOpened | registration.TaskClosed, envelope: Envelope
) -> None:
    """What cities have to do, as other services tell it."""
    onboarding.keep_task(tx, event)


@inbox.on(registration.TaskClosed)
async def on_task_closed(tx: Transaction, event: registration.TaskClosed, envelope: Envelope) -> None:
    """What is done may complete a step of the onboarding."""
    await onboarding.on_task_closed(tx, event)
