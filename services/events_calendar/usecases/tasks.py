"""What a city has to do next: take the place that is offered to it."""

from datetime import datetime

from contracts.common import PlannedMoment
from contracts.events_calendar import BookingState
from contracts.registration import TaskClosed, TaskOpened, TaskOutcome
from services.events_calendar.store import Booking
from shared.store import Transaction

ACTION = "take-offered-place"


def _id(booking: Booking) -> str:
    """A booking is offered a place once at most."""
    return f"tsk_{booking.id.removeprefix('bkg_')}"


def open(tx: Transaction, booking: Booking, until: datetime) -> None:
    """Tells the booking's city, if there is one, that a place is kept for it until a moment in UTC."""
    if booking.city_id is not None:
        due = PlannedMoment.of(until.replace(tzinfo=None), "UTC")
        path = f"/bookings/{booking.id}"
        task = TaskOpened(task_id=_id(booking), city_id=booking.city_id, action=ACTION, path=path, due=due)
        tx.emit(task, task.task_id, 1)


def close(tx: Transaction, booking: Booking, state: BookingState) -> None:
    """Tells the city that the place is taken, or gone."""
    if booking.city_id is not None:
        late = booking.expires_at is not None and tx.clock.now() >= booking.expires_at
        gone = TaskOutcome.EXPIRED if late else TaskOutcome.WITHDRAWN
        outcome = TaskOutcome.DONE if state is BookingState.CONFIRMED else gone
        task = TaskClosed(task_id=_id(booking), city_id=booking.city_id, action=ACTION, outcome=outcome)
        tx.emit(task, task.task_id, 2)
