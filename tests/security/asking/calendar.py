"""Requests about sessions, bookings and national platforms."""

from datetime import datetime, timedelta
from typing import Any

from contracts.events_calendar import BookingState
from contracts.national_platforms import PlatformListed
from services.events_calendar import store
from services.events_calendar.api.sessions import SessionBody
from services.events_calendar.domain.seats import Seats
from shared.ids import new_id
from tests.security.asking.accounts import link
from tests.security.asking.table import Asked, asks, nothing
from tests.security.callers import Caller
from tests.security.matrix import Side
from tests.security.world import World, now

nothing("GET /events", "GET /feeds/calendar.ics", "GET /platforms", "GET /bookings")
SERVICE = "events-calendar"


def moment(instant: datetime) -> dict[str, str]:
    """A moment as the portal writes it."""
    return {"local": instant.replace(tzinfo=None).isoformat(), "zone": "UTC"}


def body(world: World, side: Side, **more: Any) -> dict[str, Any]:
    """A session of this half's programme, so soon that attendance can be written down, and bookable still."""
    return {
        "kind": "orientation",
        "title": {"en": "Orientation session"},
        "starts": moment(now() + timedelta(minutes=55)),
        "ends": moment(now() + timedelta(hours=2)),
        "programme": world.sides[side].programme,
        "guests_allowed": True,
        **more,
    }


async def session(world: World, side: Side, seats: Seats | None = None, **more: Any) -> str:
    """A session that is held."""
    what = SessionBody.model_validate(body(world, side, **more)).session()
    made = store.HeldSession(id=new_id("ses"), session=what, seats=seats or Seats(), created_at=now())
    await world.put(SERVICE, store.SESSIONS, made)
    return made.id


async def booking(
    world: World, side: Side, person: str, *, state: BookingState = BookingState.CONFIRMED, city: str | None = None
) -> str:
    """Somebody's place at a session of its own."""
    made = store.Booking(
        id=new_id("bkg"),
        session_id=await session(world, side, Seats(taken=1, cities={city: 1} if city else {})),
        state=state,
        seated=True,
        arrived_at=now(),
        changed_at=now(),
        expires_at=now() + timedelta(hours=1) if state is BookingState.OFFERED else None,
        person_id=person,
        city_id=city,
    )
    await world.put(SERVICE, store.BOOKINGS, made)
    return made.id


def owner(world: World, caller: Caller, side: Side) -> str:
    """The caller itself, or somebody else."""
    return caller.person if side == "own" and caller.person else world.somebody.person


@asks("POST /sessions")
async def schedule(world: World, caller: Caller, side: Side) -> Asked:
    """A new session."""
    return Asked(body=body(world, side))


@asks("GET /sessions/{session_id}", "GET /sessions/{session_id}/bookings")
async def held(world: World, caller: Caller, side: Side) -> Asked:
    """A session."""
    return Asked({"session_id": await session(world, side)})


@asks("GET /sessions/{session_id}/bookings (as its host)", personal=True)
async def hosted(world: World, caller: Caller, side: Side) -> Asked:
    """A session of another programme that the caller hosts."""
    return Asked({"session_id": await session(world, "foreign", hosts=[owner(world, caller, side)])})


@asks("PUT /sessions/{session_id}")
async def change(world: World, caller: Caller, side: Side) -> Asked:
    """A session with another theme."""
    return Asked({"session_id": await session(world, side)}, body(world, side, themes=["mobility"]))


@asks("POST /sessions/{session_id}/cancellation")
async def cancel(world: World, caller: Caller, side: Side) -> Asked:
    """A session that does not take place."""
    return Asked({"session_id": await session(world, side)}, {"reason": {"en": "Illness"}})


@asks("POST /sessions/{session_id}/bookings")
async def book(world: World, caller: Caller, side: Side) -> Asked:
    """A place for oneself."""
    return Asked({"session_id": await session(world, side)}, {})


@asks("POST /sessions/{session_id}/bookings (for a city)")
async def book_for_city(world: World, caller: Caller, side: Side) -> Asked:
    """A place for a city."""
    return Asked({"session_id": await session(world, side)}, {"city_id": world.sides[side].city})


@asks("POST /sessions/{session_id}/guest-bookings")
async def book_as_guest(world: World, caller: Caller, side: Side) -> Asked:
    """A place without an account."""
    guest = {"mail_address": f"{new_id('gst')}@people.example", "time_zone": "Europe/Lisbon"}
    return Asked({"session_id": await session(world, side)}, guest)


@asks("GET /bookings/{booking_id}", "DELETE /bookings/{booking_id}", personal=True)
async def booked(world: World, caller: Caller, side: Side) -> Asked:
    """The caller's own booking of another programme's session, or somebody else's."""
    return Asked({"booking_id": await booking(world, "foreign", owner(world, caller, side))})


@asks("GET /bookings/{booking_id} (of a city)", "DELETE /bookings/{booking_id} (of a city)")
async def booked_for_city(world: World, caller: Caller, side: Side) -> Asked:
    """What somebody booked for a city."""
    city = world.sides[side].city
    return Asked({"booking_id": await booking(world, side, world.somebody.person, city=city)})


@asks("POST /bookings/{booking_id}/confirmation", personal=True)
async def offered(world: World, caller: Caller, side: Side) -> Asked:
    """A place that is kept for somebody."""
    whose = owner(world, caller, side)
    return Asked({"booking_id": await booking(world, "foreign", whose, state=BookingState.OFFERED)})


@asks("POST /bookings/{booking_id}/attendance")
async def attendance(world: World, caller: Caller, side: Side) -> Asked:
    """Somebody came."""
    return Asked({"booking_id": await booking(world, side, world.somebody.person)}, {"attended": True})


@asks("POST /bookings/{booking_id}/attendance (of oneself)", personal=True)
async def own_attendance(world: World, caller: Caller, side: Side) -> Asked:
    """The caller says that it came."""
    return Asked({"booking_id": await booking(world, side, owner(world, caller, side))}, {"attended": True})


@asks("GET /bookings/links/{token}", "POST /bookings/links/{token}")
async def offered_by_mail(world: World, caller: Caller, side: Side) -> Asked:
    """The mailed link of a place that is kept for somebody."""
    person = world.somebody.person
    data = {"booking": await booking(world, side, person, state=BookingState.OFFERED)}
    token = await link(world, SERVICE, "take-offered-place", person_id=person, data=data)
    return Asked({"token": token}, query={"choice": "accept"})


@asks("GET /events/{event_id}")
async def event(world: World, caller: Caller, side: Side) -> Asked:
    """The public event of a session that was scheduled."""
    made = await world.do(world.callers["organiser"], "POST /sessions", body(world, side))
    found = await world.db(SERVICE)[store.EVENTS.name].find_one({"session_id": made["id"]})
    assert found is not None
    return Asked({"event_id": found["_id"]})


@asks("GET /platforms/{platform}/health")
async def health(world: World, caller: Caller, side: Side) -> Asked:
    """A national platform of the directory."""
    platform = world.sides[side].platform
    listed = PlatformListed(
        platform=platform,
        name="Illustrative platform",
        country=world.sides[side].country,
        kind="core",
        sources=("https://platform.example",),
        since=now().date(),
    )
    row = store.Platform(id=platform, listed=listed).model_dump(by_alias=True) | {"version": 1}
    await world.db(SERVICE)[store.PLATFORMS.name].replace_one({"_id": platform}, row, upsert=True)
    return Asked({"platform": platform})
