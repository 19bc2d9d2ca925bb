"""Booking our sessions: by persons, for themselves or for their cities."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from contracts.events_calendar import BookingState
from services.events_calendar.domain import booking as rules
from services.events_calendar.domain.booking import Refusal
from services.events_calendar.store import BOOKINGS, CITIES, GUESTS, SESSIONS, Booking, HeldSession, session_of
from services.events_calendar.usecases import cities, seating
from services.events_calendar.usecases.desk import Desk
from services.events_calendar.usecases.sessions import organises
from services.events_calendar.usecases.views import BookingView, booking_view
from shared.identity import Caller
from shared.ids import new_id
from shared.problems import conflict, forbidden, not_found
from shared.store import Filter, Reader, Store, Transaction

DOORS_OPEN = timedelta(hours=1)
"""So long before a session begins attendance can be written down."""


def insist(refusal: Refusal | None) -> None:
    """Raises a 409 problem when there is a refusal."""
    if refusal is not None:
        raise conflict(refusal.code, refusal.detail, **refusal.params)


async def book(desk: Desk, caller: Caller, session_id: str, city_id: str | None, arrived: datetime) -> BookingView:
    """Books a session for the caller, for a city of which it is a member or for itself.

    It gets a seat, or a place on the waiting list in the order of arrival. Raises 403 for another's city, 404, and 409
    problems that say why it cannot be booked.
    """
    person = caller.id
    if city_id is not None:
        caller.require_member(city_id)

    async def step(tx: Transaction, held: HeldSession) -> tuple[HeldSession, BookingView]:
        session, city = held.session, await cities.present(tx, city_id)
        insist(rules.closed(session, cancelled=held.cancelled, arrived=arrived))
        if not rules.for_everyone(session):
            insist(rules.not_meant(session, await cities.is_mission_city(tx, city) if city else None))
        if await tx.one(BOOKINGS, {"session_id": session_id, "person_id": person, "active": True}):
            raise conflict("booked-already", "You have booked this session already.")
        if city and session.places_per_city and held.seats.cities.get(city, 0) >= session.places_per_city:
            raise conflict("city-places-taken", "Your city has all its places.", places=session.places_per_city)
        booking = Booking(
            id=new_id("bkg"),
            session_id=session_id,
            person_id=person,
            city_id=city,
            state=BookingState.HELD,
            arrived_at=arrived,
            changed_at=tx.clock.now(),
            participation_id=await _granted(tx, held, city) if rules.needs_grant(session) else None,
        )
        held = held.model_copy(update={"seats": held.seats.counted(city, 1)})
        held, booking = await seat_or_queue(tx, held, booking, arrived)
        return held, booking_view(held, booking)

    return await desk.settle(session_id, step)


async def seat_or_queue(
    tx: Transaction, held: HeldSession, booking: Booking, since: datetime
) -> tuple[HeldSession, Booking]:
    """Gives a booking a seat or a place on the waiting list. Raises a 409 problem when there is neither."""
    if booking.seated or held.seats.free(held.session.capacity):
        return await seating.confirm(tx, held, booking)
    if rules.needs_grant(held.session) or not held.session.waiting_list:
        raise conflict("session-full", "All places are taken.", capacity=held.session.capacity)
    return await seating.queue(tx, held, booking, since)


async def _granted(tx: Transaction, held: HeldSession, city: str | None) -> str:
    """The participation by which a selection granted the city a place that is not used yet."""
    if city is None:
        raise conflict("place-not-granted", "Places go to cities by selection: book it for a city.")
    for place in await cities.granted(tx, city, held.id, held.session):
        used = {"session_id": held.id, "participation_id": place.participation_id, "active": True}
        if await tx.count(BOOKINGS, used) < place.places:
            return place.participation_id
    raise conflict("place-not-granted", "Places go by selection, and your city has none that is free.")


def _holds(caller: Caller, booking: Booking) -> bool:
    return booking.person_id == caller.person or booking.city_id in caller.cities


async def _find(tx: Reader, caller: Caller, booking_id: str) -> tuple[Booking, HeldSession]:
    """A booking that the caller may know of: its own, its city's, or of a session that it organises."""
    booking = await tx.require(BOOKINGS, booking_id)
    held = await session_of(tx, booking.session_id)
    if not (_holds(caller, booking) or _leads(caller, held)):
        raise not_found("booking", booking_id)
    return booking, held


def _leads(caller: Caller, held: HeldSession) -> bool:
    return organises(caller, held.session) or caller.person in held.session.hosts


async def get(store: Store, caller: Caller, booking_id: str) -> BookingView:
    """A booking of the caller, of its cities, or of a session that it organises; otherwise a 404 problem."""
    booking, held = await _find(store, caller, booking_id)
    return booking_view(held, booking)


async def mine(
    store: Store, caller: Caller, filter: Filter, after: str | None, limit: int
) -> tuple[list[BookingView], bool]:
    """Bookings of the caller and of its cities, latest first, and whether there are more."""
    ours: dict[str, Any] = {"$or": [{"person_id": caller.id}, {"city_id": {"$in": sorted(caller.cities)}}]}
    behind = {"_id": {"$lt": after}} if after else {}
    rows = await store.find(BOOKINGS, {"$and": [ours, filter, behind]}, sort=[("_id", -1)], limit=limit + 1)
    sessions = await store.find(SESSIONS, {"_id": {"$in": [row.session_id for row in rows]}})
    by_id = {held.id: held for held in sessions}
    return [booking_view(by_id[row.session_id], row) for row in rows[:limit]], len(rows) > limit


async def of_session(
    store: Store, caller: Caller, session_id: str, state: BookingState | None, after: Sequence[Any] | None, limit: int
) -> tuple[list[BookingView], list[Any] | None]:
    """A session's bookings in their order of arrival with who they are, for those who lead it; and where to go on."""
    held = await session_of(store, session_id)
    if not _leads(caller, held):
        raise forbidden("Only organisers of this programme and the session's hosts may see this.")
    wanted: dict[str, Any] = {"session_id": session_id} | ({"state": state} if state else {})
    if after:
        moment, id = datetime.fromisoformat(after[0]), after[1]
        wanted["$or"] = [{"arrived_at": {"$gt": moment}}, {"arrived_at": moment, "_id": {"$gt": id}}]
    rows = await store.find(BOOKINGS, wanted, sort=[("arrived_at", 1), ("_id", 1)], limit=limit + 1)
    more = len(rows) > limit
    rows = rows[:limit]
    guests = {
        guest.id: guest for guest in await store.find(GUESTS, {"_id": {"$in": _present(r.guest_id for r in rows)}})
    }
    named = {
        city.id: city.name for city in await store.find(CITIES, {"_id": {"$in": _present(r.city_id for r in rows)}})
    }
    views = [
        booking_view(held, row, guest=guests.get(row.guest_id or ""), city_name=named.get(row.city_id or ""))
        for row in rows
    ]
    return views, [rows[-1].arrived_at.isoformat(), rows[-1].id] if more else None


def _present(ids: Any) -> list[str]:
    return sorted({id for id in ids if id})


async def give_up(desk: Desk, store: Store, caller: Caller, booking_id: str, now: datetime) -> BookingView:
    """Cancels a booking; its seat goes to the first who waits. Holders can until the session begins."""
    booking, _ = await _find(store, caller, booking_id)

    async def step(tx: Transaction, held: HeldSession) -> tuple[HeldSession, BookingView]:
        known = await tx.require(BOOKINGS, booking_id)
        by_host = _leads(caller, held) and not _holds(caller, known)
        if not by_host and now >= held.session.span.starts.utc:
            raise conflict("session-begun", "This session has begun; it can no longer be cancelled.")
        held = await seating.give_up(tx, held, known, "by-host" if by_host else "by-holder")
        return held, booking_view(held, await tx.require(BOOKINGS, booking_id))

    return await desk.settle(booking.session_id, step)


async def accept(desk: Desk, store: Store, caller: Caller, booking_id: str, arrived: datetime) -> BookingView:
    """Takes an offered place, in time."""
    booking, _ = await _find(store, caller, booking_id)
    if not _holds(caller, booking):
        raise forbidden("Only those who are offered a place may take it.")

    async def step(tx: Transaction, held: HeldSession) -> tuple[HeldSession, BookingView]:
        held, known = await take_offer(tx, held, booking_id, arrived)
        return held, booking_view(held, known)

    return await desk.settle(booking.session_id, step)


async def take_offer(
    tx: Transaction, held: HeldSession, booking_id: str, arrived: datetime
) -> tuple[HeldSession, Booking]:
    """Confirms an offered place. Raises a 409 problem when none is offered, or not any more."""
    booking = await tx.require(BOOKINGS, booking_id)
    if booking.state is not BookingState.OFFERED or (booking.expires_at and arrived > booking.expires_at):
        raise conflict("no-place-offered", "No place is offered on this booking now.", state=booking.state)
    return await seating.confirm(tx, held, booking, moved_up=True)


async def attend(store: Store, caller: Caller, booking_id: str, *, attended: bool) -> BookingView:
    """Writes down whether somebody came, for those who lead the session."""

    async def work(tx: Transaction) -> BookingView:
        booking, held = await _find(tx, caller, booking_id)
        if not _leads(caller, held):
            raise forbidden("Only organisers of this programme and the session's hosts may do this.")
        if tx.clock.now() < held.session.span.starts.utc - DOORS_OPEN:
            raise conflict(
                "session-not-begun", "Attendance can be written down from an hour before the session begins."
            )
        return booking_view(held, await seating.attend(tx, held, booking, attended=attended))

    return await store.transaction(work)
