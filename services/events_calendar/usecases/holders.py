"""Bookings whose holder turned out to be somebody else, or is no more: links, merges, erasures, released places."""

from contracts.cohort_selection import PlaceReleased
from contracts.common import CityId, PersonId
from contracts.events_calendar import BookingState
from contracts.registration import GuestLinked
from services.events_calendar.domain.seats import OPEN_STATES
from services.events_calendar.store import BOOKINGS, SESSIONS, Booking, session_of
from services.events_calendar.usecases import cities, guests, seating
from shared.store import Transaction

S = BookingState
RANK = {S.ATTENDED: 6, S.CONFIRMED: 5, S.OFFERED: 4, S.HELD: 3, S.WAITING: 2, S.NO_SHOW: 1, S.CANCELLED: 0}
"""Of two bookings of one person at one session the higher one stays."""


async def link_guest(tx: Transaction, event: GuestLinked) -> None:
    """A guest's bookings are a person's from now on; what was kept of the guest is erased."""
    for booking in await tx.find(BOOKINGS, {"guest_id": event.guest_id}, sort=[("_id", 1)]):
        await _hand_over(tx, booking, event.person_id, await cities.present(tx, event.city_id))
    await guests.forget(tx, event.guest_id)


async def merge_persons(tx: Transaction, person: PersonId, into: PersonId) -> None:
    """What a person booked is another's from now on."""
    for booking in await tx.find(BOOKINGS, {"person_id": person}, sort=[("_id", 1)]):
        await _hand_over(tx, booking, into, booking.city_id)


async def merge_cities(tx: Transaction, city: CityId, into: CityId) -> None:
    """What was booked for a city is another's from now on."""
    final = await cities.present(tx, into)
    for booking in await tx.find(BOOKINGS, {"city_id": city}, sort=[("_id", 1)]):
        if booking.person_id is not None:
            await _hand_over(tx, booking, booking.person_id, final)


async def erase_person(tx: Transaction, person: PersonId) -> None:
    """Somebody is erased: what it had booked for itself is cancelled; what it booked for a city stays the city's."""
    own = {"person_id": person, "city_id": None, "active": True}
    for booking in await tx.find(BOOKINGS, own, sort=[("_id", 1)]):
        if booking.state in OPEN_STATES:
            await _cancel(tx, booking, "person-erased")


async def release_places(tx: Transaction, event: PlaceReleased) -> None:
    """Bookings that a selection had granted are void when their place is released."""
    granted = {"participation_id": event.participation_id, "active": True}
    if event.session_id is not None:
        granted["session_id"] = event.session_id
    for booking in await tx.find(BOOKINGS, granted, sort=[("_id", 1)]):
        if booking.state in OPEN_STATES:
            await _cancel(tx, booking, "place-released")


async def _hand_over(tx: Transaction, booking: Booking, person: PersonId, city: str | None) -> None:
    """Gives a booking to a person; of two active ones at one session the higher one stays."""
    twin = None
    if booking.active:
        others = {"session_id": booking.session_id, "person_id": person, "active": True, "_id": {"$ne": booking.id}}
        twin = await tx.one(BOOKINGS, others)
    if twin is not None:
        lower = min(twin, booking, key=lambda one: (RANK[one.state], one is not booking))
        if lower.state in OPEN_STATES:
            await _cancel(tx, lower, "merged")
        else:
            await tx.save(BOOKINGS, lower.model_copy(update={"active": False}))
        if lower.id == booking.id:
            booking = await tx.require(BOOKINGS, booking.id)
    held = await session_of(tx, booking.session_id)
    after, _ = await seating.reassign(tx, held, booking, person=person, city=city)
    if after is not held:
        await tx.save(SESSIONS, after)


async def _cancel(tx: Transaction, booking: Booking, reason: str) -> None:
    held = await session_of(tx, booking.session_id)
    await tx.save(SESSIONS, await seating.give_up(tx, held, booking, reason))
