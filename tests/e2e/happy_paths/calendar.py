"""The calendar: sessions scheduled, booked, waited for, attended, called off; and national platforms."""

from tests.e2e.forms import moment, session
from tests.e2e.happy_paths.world import World
from tests.e2e.running import eventually

PLATFORM = "pt-illustrative-platform"


def walk(world: World) -> None:
    """Everything that concerns the calendar."""
    _sessions(world)
    _waiting(world)
    _guests(world)
    _platforms(world)


def _sessions(world: World) -> None:
    api, organiser, member = world.api, world.people["organiser"], world.people["member"]
    # Soon enough for attendance to be written down.
    held = session(starts=moment(minutes=50), ends=moment(hours=2), booking_closes=moment(minutes=45))
    id = api.do("POST /sessions", organiser, held)["id"]
    api.do("PUT /sessions/{session_id}", organiser, held | {"themes": ["mobility"]}, session_id=id)
    api.do("GET /sessions/{session_id}", session_id=id)
    booked = api.do("POST /sessions/{session_id}/bookings", member, {"city_id": world.city}, session_id=id)["id"]
    api.do("GET /bookings", member)
    api.do("GET /bookings/{booking_id}", member, booking_id=booked)
    api.do("GET /sessions/{session_id}/bookings", organiser, session_id=id)
    api.do("POST /bookings/{booking_id}/attendance", organiser, {"attended": True}, booking_id=booked)
    event = api.do("GET /events", query={"source": "own"})["items"][0]["id"]
    api.do("GET /events/{event_id}", event_id=event)
    api.do("GET /feeds/calendar.ics", query={"kind": ["orientation"]})


def _waiting(world: World) -> None:
    """One place, which comes free and is kept for who waits."""
    api, organiser = world.api, world.people["organiser"]
    first, second = world.people["member"], world.people["anybody"]
    scarce = session(kind="tool-training", capacity=1, hold_minutes=60)
    id = api.do("POST /sessions", organiser, scarce)["id"]
    taken = api.do("POST /sessions/{session_id}/bookings", first, {}, session_id=id)["id"]
    waits = api.do("POST /sessions/{session_id}/bookings", second, {}, session_id=id)["id"]
    api.do("DELETE /bookings/{booking_id}", first, booking_id=taken)
    eventually(lambda: second.get(f"/bookings/{waits}")["state"] == "offered", "the place is offered to who waits")
    api.do("POST /bookings/{booking_id}/confirmation", second, booking_id=waits)
    api.do("POST /sessions/{session_id}/cancellation", organiser, {"reason": {"en": "Illness"}}, session_id=id)


def _guests(world: World) -> None:
    api = world.api
    id = api.do("POST /sessions", world.people["organiser"], session())["id"]
    guest = {"mail_address": "guest@people.example", "time_zone": "Europe/Lisbon"}
    api.do("POST /sessions/{session_id}/guest-bookings", None, guest, session_id=id)
    token = world.link(guest["mail_address"], "/bookings/")
    api.do("GET /bookings/links/{token}", token=token)
    api.do("POST /bookings/links/{token}", token=token)


def _platforms(world: World) -> None:
    api = world.api
    name, source = "Illustrative platform", "https://platform.example"
    world.platform.run("platform", "add", PLATFORM, "--name", name, "--source", source)
    eventually(lambda: api.do("GET /platforms")["items"], "the platform is in the directory")
    api.do("GET /platforms/{platform}/health", world.people["helpdesk"], platform=PLATFORM)
