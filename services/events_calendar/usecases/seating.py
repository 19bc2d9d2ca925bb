"""What happens to bookings and seats inside a transaction; the caller saves the session that comes back."""

from datetime import datetime, timedelta
from typing import Any

from pymongo import InsertOne

from contracts.events_calendar import (
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
)
from services.events_calendar.domain.seats import OPEN_STATES, may_move
from services.events_calendar.store import BOOKINGS, Booking, HeldSession
from services.events_calendar.usecases import tasks
from shared import deadlines
from shared.links import Links
from shared.problems import conflict
from shared.store import Transaction

LINKS = Links("/bookings/links", tag="bookings")
"""Links that are mailed to holders of bookings; :mod:`guests` says what they do."""

TAKE_PLACE = "take-offered-place"
EXPIRY = "booking-expires"
"""Kind of the deadline at which a held or offered place goes to somebody else."""


def deadline_of(booking: Booking) -> str:
    """The id of a booking's deadline; it has at most one."""
    return f"due_{booking.id}"


def fact_of(session: HeldSession, booking: Booking, fact: type[BookingFact], **more: Any) -> Any:
    """A fact of a booking with what every such fact says."""
    held = session.session
    return fact(
        booking_id=booking.id,
        session_id=session.id,
        session_kind=held.kind,
        programme=held.programme,
        cohort=held.cohort,
        part=held.part,
        person_id=booking.person_id,
        guest_id=booking.guest_id,
        city_id=booking.city_id,
        **more,
    )


async def _move(
    tx: Transaction, session: HeldSession, booking: Booking, state: BookingState, fact: Any, **changes: Any
) -> Booking:
    """Takes a booking to its next state and tells of it. Raises a 409 problem for a step that there is not."""
    if booking.version and not may_move(booking.state, state):
        raise conflict(
            "booking-state", f"A booking that is {booking.state} cannot become {state}.", state=booking.state
        )
    if booking.state is BookingState.OFFERED:
        tasks.close(tx, booking, state)
    update = {"state": state, "changed_at": tx.clock.now(), "expires_at": None, **changes}
    moved = booking.model_copy(update=update)
    if booking.version:
        return await tx.save(BOOKINGS, moved, fact)
    # New ones are gathered: many claims of one session are settled in one transaction.
    made = moved.model_copy(update={"version": 1})
    tx.defer(BOOKINGS, InsertOne(made.model_dump(by_alias=True)))
    tx.emit(fact, made.id, made.version)
    return made


async def confirm(
    tx: Transaction, session: HeldSession, booking: Booking, *, moved_up: bool = False
) -> tuple[HeldSession, Booking]:
    """Gives a booking its seat for good; takes one unless it has one already."""
    seats = session.seats if booking.seated else session.seats.seated()
    fact = fact_of(session, booking, BookingConfirmed, participation_id=booking.participation_id, moved_up=moved_up)
    if booking.expires_at is not None:
        await deadlines.cancel(tx, deadline_of(booking))
    changes = {"seated": True, "moved_up": moved_up or booking.moved_up}
    booking = await _move(tx, session, booking, BookingState.CONFIRMED, fact, **changes)
    return _with(session, seats.without(booking.id)), booking


async def queue(
    tx: Transaction, session: HeldSession, booking: Booking, since: datetime
) -> tuple[HeldSession, Booking]:
    """Puts a booking on the waiting list at the place that its arrival gives."""
    seats = session.seats.queued(booking.id, since)
    fact = fact_of(session, booking, BookingWaitlisted, position=seats.position(booking.id))
    booking = await _move(tx, session, booking, BookingState.WAITING, fact, arrived_at=since)
    return _with(session, seats), booking


async def hold(
    tx: Transaction, session: HeldSession, booking: Booking, until: datetime, *, seated: bool
) -> tuple[HeldSession, Booking]:
    """Keeps a place until somebody confirms; without a free seat only the wish is kept."""
    seats = session.seats.seated() if seated else session.seats
    fact = fact_of(session, booking, BookingHeld, expires_at=until)
    booking = await _move(tx, session, booking, BookingState.HELD, fact, seated=seated, expires_at=until)
    deadlines.at(tx, EXPIRY, until, {"booking": booking.id}, id=deadline_of(booking))
    return _with(session, seats), booking


async def void(tx: Transaction, session: HeldSession, booking: Booking, reason: str) -> HeldSession:
    """Cancels a booking and releases its seat, which nobody has yet: see :func:`move_up`."""
    fact = fact_of(session, booking, BookingCancelled, previous=booking.state, reason=reason)
    seats = session.seats.released() if booking.seated else session.seats.without(booking.id)
    if booking.expires_at is not None:
        await deadlines.cancel(tx, deadline_of(booking))
    gone = {"active": False, "seated": False}
    await _move(tx, session, booking, BookingState.CANCELLED, fact, **gone)
    return _with(session, seats.counted(booking.city_id, -1))


async def move_up(tx: Transaction, session: HeldSession) -> HeldSession:
    """Gives vacant seats to those who wait, first come first: at once, or as an offer when the session says so."""
    minutes = session.session.hold_minutes
    while session.seats.waiting and session.seats.vacant(session.session.capacity):
        booking = await tx.require(BOOKINGS, session.seats.waiting[0].booking)
        if minutes is None:
            session, _ = await confirm(tx, session, booking, moved_up=True)
            continue
        session = await _offer(tx, session, booking, tx.clock.now() + timedelta(minutes=minutes))
    return session


async def _offer(tx: Transaction, session: HeldSession, booking: Booking, until: datetime) -> HeldSession:
    """Keeps a seat for one who waited, and mails a link to take it."""
    fact = fact_of(session, booking, BookingOffered, expires_at=until)
    changes = {"seated": True, "moved_up": True, "expires_at": until}
    await _move(tx, session, booking, BookingState.OFFERED, fact, **changes)
    deadlines.at(tx, EXPIRY, until, {"booking": booking.id}, id=deadline_of(booking))
    tasks.open(tx, booking, until)
    receiver = {"person_id": booking.person_id, "guest_id": booking.guest_id}
    await LINKS.issue(tx, TAKE_PLACE, expires_at=until, about=booking.id, data={"booking": booking.id}, **receiver)
    return _with(session, session.seats.without(booking.id).seated())


async def give_up(tx: Transaction, session: HeldSession, booking: Booking, reason: str) -> HeldSession:
    """Cancels an open booking; the first who waits moves up. Raises a 409 problem when it is not open any more."""
    if booking.state not in OPEN_STATES:
        raise conflict("booking-state", f"This booking is {booking.state} already.", state=booking.state)
    session = await void(tx, session, booking, reason)
    over = session.cancelled or tx.clock.now() >= session.session.span.starts.utc
    return session if over else await move_up(tx, session)


async def attend(tx: Transaction, session: HeldSession, booking: Booking, *, attended: bool) -> Booking:
    """Writes down whether somebody who had a place came."""
    state = BookingState.ATTENDED if attended else BookingState.NO_SHOW
    if booking.state is state:
        return booking
    fact = fact_of(session, booking, BookingAttended if attended else BookingMissed)
    return await _move(tx, session, booking, state, fact)


async def reassign(
    tx: Transaction, session: HeldSession, booking: Booking, *, person: str, city: str | None
) -> tuple[HeldSession, Booking]:
    """Makes a booking somebody else's: a guest became a person, or persons or cities were merged."""
    fact = BookingReassigned(
        booking_id=booking.id,
        session_id=session.id,
        session_kind=session.session.kind,
        programme=session.session.programme,
        part=session.session.part,
        state=booking.state,
        guest_id=booking.guest_id,
        person_id=person,
        city_id=city,
    )
    seats = session.seats
    if booking.active and city != booking.city_id:
        seats = seats.counted(booking.city_id, -1).counted(city, 1)
    update = {"person_id": person, "guest_id": None, "city_id": city, "changed_at": tx.clock.now()}
    booking = await tx.save(BOOKINGS, booking.model_copy(update=update), fact)
    return _with(session, seats), booking


def _with(session: HeldSession, seats: Any) -> HeldSession:
    return session if seats is session.seats else session.model_copy(update={"seats": seats})
