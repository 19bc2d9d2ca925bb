"""Our own sessions: organised, booked by race or by selection, by persons, cities and guests."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import date
from functools import partial
from typing import Any

import httpx
import pytest

from contracts import cohort_selection as selection
from contracts import registration as facts
from contracts.common import Reason
from contracts.events_calendar import (
    BookingConfirmed,
    BookingReassigned,
    BookingState,
    GuestRecorded,
    SessionCancelled,
    SessionChanged,
    SessionScheduled,
)
from contracts.registration import GuestLinked, LinkIssued, PersonErased, PersonMerged
from services.events_calendar.main import create_app
from shared.identity import Grant
from shared.ids import new_id
from shared.testing import Tokens, Topics, eventually, serving
from tests.integration.backbone import AUTHORITY
from tests.service.conftest import SettingsFor
from tests.service.events_calendar.conftest import Answer, in_days, scheduled, session_body

Headers = dict[str, str]


@pytest.fixture
def person(tokens: Tokens) -> Callable[..., Headers]:
    """``person(*cities)``: the headers of a new person who is a member of these cities."""
    return lambda *cities, id=None: tokens.bearer(id or new_id("prs"), cities=cities)


async def book(
    calendar: httpx.AsyncClient, session: Answer, headers: Headers, city: str | None = None, **more: str
) -> httpx.Response:
    body = {"city_id": city} if city else {}
    return await calendar.post(f"/sessions/{session['id']}/bookings", json=body, headers=headers | more)


async def seats(calendar: httpx.AsyncClient, session: Answer) -> Answer:
    counts: Answer = (await calendar.get(f"/sessions/{session['id']}")).json()["seats"]
    return counts


async def bookings_of(calendar: httpx.AsyncClient, session: Answer, organiser: Headers) -> list[Answer]:
    found: list[Answer] = []
    cursor: str | None = None
    while True:
        params = {"limit": "25"} | ({"cursor": cursor} if cursor else {})
        answer = await calendar.get(f"/sessions/{session['id']}/bookings", params=params, headers=organiser)
        assert answer.status_code == 200, answer.text
        found += answer.json()["items"]
        cursor = answer.json()["next"]
        if cursor is None:
            return found


async def until(read: Callable[[], Awaitable[Any]], wanted: Any, what: str) -> None:
    async def there() -> bool:
        return bool(await read() == wanted)

    await eventually(there, what)


async def test_a_session_is_scheduled_moved_and_called_off(
    calendar: httpx.AsyncClient, organiser: Headers, topics: Topics, person: Callable[..., Headers]
) -> None:
    session = await scheduled(calendar, organiser, capacity=20, themes=["mobility"])
    shown = (await calendar.get(f"/events/{session['event_id']}")).json()
    assert (shown["source"], shown["kind"], shown["session_id"]) == ("own", "tool-training", session["id"])
    assert "meet.example" not in str(shown), "the address online is for those who hold a place"
    assert (await calendar.get(f"/sessions/{session['id']}")).json()["session"]["online_url"] is None
    holder = person()
    booked = (await book(calendar, session, holder)).json()
    assert (booked["state"], booked["session"]["online_url"]) == ("confirmed", "https://meet.example/1")
    inside = (await calendar.get(f"/sessions/{session['id']}", headers=holder)).json()
    assert inside["session"]["online_url"] == "https://meet.example/1"

    body = session_body(capacity=20, starts=in_days(11), ends=in_days(11, 12), themes=["mobility"])
    path = f"/sessions/{session['id']}"
    assert (await calendar.put(path, json=body, headers=organiser)).status_code == 200
    body["capacity"] = 1
    assert (await calendar.put(path, json=body, headers=organiser)).status_code == 200
    cancelled = await calendar.post(f"{path}/cancellation", json={"reason": {"en": "Illness"}}, headers=organiser)
    assert cancelled.json()["cancelled"] is True
    assert (await calendar.get(f"/events/{session['event_id']}")).json()["status"] == "cancelled"
    assert (await calendar.get(f"/bookings/{booked['id']}", headers=holder)).json()["state"] == "cancelled"
    assert (await book(calendar, session, person())).json()["code"] == "session-cancelled"

    async def told() -> list[Any] | None:
        events = [envelope.event for envelope in await topics.read("calendar.sessions", subject=session["id"])]
        return events if len(events) == 4 else None

    events = await eventually(told, "the session's story is on its topic")
    assert [type(event) for event in events] == [SessionScheduled, SessionChanged, SessionChanged, SessionCancelled]
    assert events[1].changed == ("span",)
    assert events[1].previous_span is not None
    assert events[2].changed == ("capacity",)


async def test_who_may_organise(calendar: httpx.AsyncClient, tokens: Tokens) -> None:
    assert (await calendar.post("/sessions", json=session_body())).status_code == 401
    nobody = tokens.bearer(new_id("prs"))
    assert (await calendar.post("/sessions", json=session_body(), headers=nobody)).status_code == 403
    twinning = tokens.bearer(new_id("prs"), roles=[Grant("organiser", "programme", "twinning")])
    assert (await calendar.post("/sessions", json=session_body(), headers=twinning)).status_code == 403
    other = await calendar.post("/sessions", json=session_body(programme="pilots"), headers=twinning)
    assert other.status_code == 403
    own = await calendar.post("/sessions", json=session_body(programme="twinning"), headers=twinning)
    assert own.status_code == 201
    path = f"/sessions/{own.json()['id']}"
    assert (await calendar.get(f"{path}/bookings", headers=nobody)).status_code == 403
    assert (await calendar.get(f"{path}/bookings", headers=twinning)).json()["items"] == []


@pytest.mark.parametrize(
    "changes",
    [
        {"starts": {"local": "2027-03-28T02:30:00", "zone": "Europe/Stockholm"}},
        {"starts": {"local": "2027-02-30T10:00:00", "zone": "Europe/Stockholm"}},
        {"starts": {"local": "2027-03-01T10:00:00", "zone": "Europe/Atlantis"}},
        {"starts": {"local": "2027-03-01T10:00:00Z", "zone": "Europe/Lisbon"}},
        {"starts": {"local": "9999-12-31T23:59:59", "zone": "Europe/Lisbon"}},
        {"ends": in_days(9)},
        {"title": {}},
        {"title": {"en": "x" * 10_000}},
        {"title": {"en": "a\u0000b"}},
        {"capacity": 0},
        {"capacity": 10**30},
        {"online_url": "javascript:alert(1)"},
        {"attendance_mode": "onsite"},
        {"admission": "selected"},
        {"colour": "red"},
    ],
)
async def test_a_session_that_makes_no_sense_is_refused(
    calendar: httpx.AsyncClient, organiser: Headers, changes: dict[str, Any]
) -> None:
    answer = await calendar.post("/sessions", json=session_body(**changes), headers=organiser)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"]


async def test_sixty_cities_at_once_through_two_instances_get_twenty_places(
    calendar: httpx.AsyncClient,
    organiser: Headers,
    settings_for: SettingsFor,
    person: Callable[..., Headers],
    topics: Topics,
) -> None:
    session = await scheduled(calendar, organiser, capacity=20, places_per_city=1)
    cities = [new_id("city") for _ in range(60)]
    holders = {city: person(city) for city in cities}
    async with serving(create_app(settings_for("events-calendar", instance=1))) as second:
        doors = (calendar, second)
        answers = await asyncio.gather(
            *(
                book(doors[number % 2], session, holders[city], city, **{"Idempotency-Key": city})
                for number, city in enumerate(cities)
            )
        )
        assert {answer.status_code for answer in answers} == {201}, [a.text for a in answers if a.status_code != 201]
        repeats = await asyncio.gather(
            *(book(doors[1], session, holders[city], city, **{"Idempotency-Key": city}) for city in cities)
        )
    assert [again.json() for again in repeats] == [answer.json() for answer in answers], "a repeat books nothing twice"
    found = await bookings_of(calendar, session, organiser)
    assert len(found) == 60
    waiting = [booking for booking in found if booking["state"] == "waiting"]
    assert sum(booking["state"] == "confirmed" for booking in found) == 20
    assert [booking["position"] for booking in waiting] == list(range(1, 41)), "they wait in the order of arrival"
    assert await seats(calendar, session) == {"capacity": 20, "taken": 20, "free": 0, "waiting": 40}

    gone = next(booking for booking in found if booking["state"] == "confirmed")
    answer = await calendar.delete(f"/bookings/{gone['id']}", headers=holders[gone["city_id"]])
    assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")
    moved = (await calendar.get(f"/bookings/{waiting[0]['id']}", headers=holders[waiting[0]["city_id"]])).json()
    assert (moved["state"], moved["moved_up"]) == ("confirmed", True)
    third = (await calendar.get(f"/bookings/{waiting[2]['id']}", headers=holders[waiting[2]["city_id"]])).json()
    assert third["position"] == 2

    async def told() -> bool:
        events = [e.event for e in await topics.read("calendar.bookings", subject=waiting[0]["id"])]
        return len(events) == 2 and isinstance(events[1], BookingConfirmed) and events[1].moved_up

    await eventually(told, "moving up is told")


async def test_one_booking_per_person_and_as_many_per_city_as_the_session_says(
    calendar: httpx.AsyncClient, organiser: Headers, person: Callable[..., Headers], tokens: Tokens
) -> None:
    session = await scheduled(calendar, organiser, places_per_city=2)
    city = new_id("city")
    first = person(city)
    double = await asyncio.gather(*(book(calendar, session, first, city) for _ in range(5)))
    assert sorted(answer.status_code for answer in double) == [201, 409, 409, 409, 409]
    assert {a.json()["code"] for a in double if a.status_code == 409} <= {"booked-already", "exists-already"}
    same = await asyncio.gather(*(book(calendar, session, person(city), city) for _ in range(3)))
    assert sorted(answer.status_code for answer in same) == [201, 409, 409]
    assert {a.json()["code"] for a in same if a.status_code == 409} == {"city-places-taken"}
    assert (await book(calendar, session, person(), city)).status_code == 403, "not a member"
    key = {"Idempotency-Key": new_id("key")}
    racing = person()
    clicks = await asyncio.gather(*(book(calendar, session, racing, **key) for _ in range(4)))
    assert {(answer.status_code, answer.json()["id"]) for answer in clicks} == {(201, clicks[0].json()["id"])}


async def test_what_is_anothers_is_not_shown(
    calendar: httpx.AsyncClient, organiser: Headers, person: Callable[..., Headers]
) -> None:
    session = await scheduled(calendar, organiser)
    city = new_id("city")
    own = (await book(calendar, session, person(city), city)).json()
    colleague, stranger = person(city), person(new_id("city"))
    assert (await calendar.get(f"/bookings/{own['id']}", headers=colleague)).status_code == 200
    for call in ("GET", "DELETE"):
        assert (await calendar.request(call, f"/bookings/{own['id']}", headers=stranger)).status_code == 404
    assert [one["id"] for one in (await calendar.get("/bookings", headers=colleague)).json()["items"]] == [own["id"]]
    empty = (await calendar.get("/bookings", headers=stranger)).json()
    assert (empty["items"], bool(empty["hint"])) == ([], True)
    attend = {"attended": True}
    path = f"/bookings/{own['id']}/attendance"
    assert (await calendar.post(path, json=attend, headers=colleague)).status_code == 403
    assert (await calendar.post(path, json=attend, headers=organiser)).json()["code"] == "session-not-begun"


async def test_an_offered_place_is_taken_or_goes_to_the_next(
    calendar: httpx.AsyncClient, organiser: Headers, person: Callable[..., Headers], topics: Topics, stack: Any
) -> None:
    session = await scheduled(calendar, organiser, capacity=1, hold_minutes=60)
    city = new_id("city")
    first, second, third = person(), person(city), person()
    has = (await book(calendar, session, first)).json()
    waits = (await book(calendar, session, second, city)).json()
    last = (await book(calendar, session, third)).json()
    await calendar.delete(f"/bookings/{has['id']}", headers=first)
    offered = (await calendar.get(f"/bookings/{waits['id']}", headers=second)).json()
    assert offered["state"] == "offered"
    assert await seats(calendar, session) == {"capacity": 1, "taken": 1, "free": 0, "waiting": 1}
    assert (await calendar.post(f"/bookings/{last['id']}/confirmation", headers=third)).json()[
        "code"
    ] == "no-place-offered"

    async def task() -> Any:
        return [e.event for e in await topics.read("city.tasks") if getattr(e.event, "city_id", None) == city]

    (opened,) = await eventually(task, "the city is told what to do")
    assert opened.action == "take-offered-place"
    stack.clock_file.write_text('{"offset_seconds": 3700}')
    try:
        await until(lambda: state(calendar, waits, second), ("cancelled", None), "the offer has expired")
        await until(lambda: state(calendar, last, third), ("offered", None), "the next is offered the place")
        taken = await calendar.post(f"/bookings/{last['id']}/confirmation", headers=third)
        assert taken.json()["state"] == "confirmed"
    finally:
        stack.clock_file.unlink()

    async def closed() -> bool:
        return [type(one).__name__ for one in await task()] == ["TaskOpened", "TaskClosed"]

    await eventually(closed, "the task is closed")


async def state(calendar: httpx.AsyncClient, booking: Any, headers: Headers) -> tuple[str | None, int | None]:
    """State and place on the waiting list; none while the booking is not theirs."""
    answer = (await calendar.get(f"/bookings/{booking['id']}", headers=headers)).json()
    return answer.get("state"), answer.get("position")


async def test_places_that_a_selection_gives(
    calendar: httpx.AsyncClient, organiser: Headers, person: Callable[..., Headers], topics: Topics
) -> None:
    session = await scheduled(
        calendar, organiser, kind="study-visit", admission="selected", programme="study-visits", cohort="c1", capacity=5
    )
    city = new_id("city")
    members = [person(city) for _ in range(3)]
    assert (await book(calendar, session, members[0])).json()["code"] == "place-not-granted"
    assert (await book(calendar, session, members[0], city)).json()["code"] == "place-not-granted"
    participation = new_id("par")
    named = {"participation_id": participation, "city_id": city, "programme": "study-visits", "cohort": "c1"}
    named |= {"session_id": session["id"]}
    await topics.publish(selection.PlaceGranted.model_validate(named | {"persons": [], "places": 2}))

    async def first() -> Answer | None:
        answer = await book(calendar, session, members[0], city)
        return answer.json() if answer.status_code == 201 else None

    booked = await eventually(first, "the granted place can be booked")
    assert (booked["state"], booked["participation_id"]) == ("confirmed", participation)
    others = await asyncio.gather(*(book(calendar, session, member, city) for member in members[1:]))
    assert sorted(answer.status_code for answer in others) == [201, 409]
    await topics.publish(selection.PlaceReleased.model_validate(named | {"reason": Reason(code="withdrawn")}))
    await until(lambda: state(calendar, booked, members[0]), ("cancelled", None), "released places are given back")
    assert (await seats(calendar, session))["taken"] == 0


async def test_a_session_for_mission_minded_cities(
    calendar: httpx.AsyncClient, organiser: Headers, person: Callable[..., Headers], topics: Topics
) -> None:
    session = await scheduled(calendar, organiser, audiences=["mission-minded-cities"])
    minded, mission = new_id("city"), new_id("city")
    assert (await book(calendar, session, person())).json()["code"] == "for-cities-only"
    unknown = await book(calendar, session, person(minded), minded)
    assert (unknown.json()["code"], unknown.headers["retry-after"]) == ("not-yet-known", "1")
    status = facts.CityStatus(kind="mission-city", valid_from=date(2022, 4, 28), source="List of 112 cities")
    for city, statuses in ((minded, ()), (mission, (status,))):
        await topics.publish(
            facts.CityRegistered(city_id=city, authority=AUTHORITY, statuses=statuses, origin="official-list")
        )
    answers = {}
    for city in (mission, minded):

        async def known(city: str = city) -> httpx.Response | None:
            answer = await book(calendar, session, person(city), city)
            return None if answer.json().get("code") == "not-yet-known" else answer

        answers[city] = await eventually(known, "the city is known")
    assert answers[mission].json()["code"] == "not-your-audience"
    assert answers[minded].json()["state"] == "confirmed"


async def links(topics: Topics, purpose: str, receiver: str | None) -> list[LinkIssued]:
    found = [envelope.event for envelope in await topics.read("registration.links")]
    return [
        e for e in found if isinstance(e, LinkIssued) and e.purpose == purpose and receiver in (e.guest_id, e.person_id)
    ]


async def guest_of(topics: Topics, address: str) -> str | None:
    found = [envelope.event for envelope in await topics.read("calendar.guests")]
    return next((e.guest_id for e in found if isinstance(e, GuestRecorded) and e.mail_address == address), None)


async def test_a_guest_books_confirms_by_mail_and_becomes_a_person(
    calendar: httpx.AsyncClient, organiser: Headers, topics: Topics, person: Callable[..., Headers]
) -> None:
    session = await scheduled(
        calendar, organiser, kind="orientation", part=1, series="orientation-2026", guests_allowed=True
    )
    address = f"{new_id('x')}@example.org"
    body = {"mail_address": address, "given_name": "Climate officer", "locale": "pt", "time_zone": "Europe/Lisbon"}
    path = f"/sessions/{session['id']}/guest-bookings"
    taken = await calendar.post(path, json=body)
    assert (taken.status_code, taken.json()["state"]) == (202, "held")
    assert "id" not in taken.json()
    again = await calendar.post(path, json=body | {"mail_address": address.upper()})
    assert again.status_code == 202, "whether an address has booked already is nobody's business"
    guest = await eventually(lambda: guest_of(topics, address), "the guest is told of")

    async def mailed() -> list[LinkIssued] | None:
        found = await links(topics, "confirm-booking", guest)
        return found if len(found) == 2 else None

    link = (await eventually(mailed, "a link is to be mailed"))[0]
    shown = await calendar.get(link.path, headers={"accept": "application/json"})
    assert shown.json()["about"].startswith("Training: the planner")
    assert (await bookings_of(calendar, session, organiser))[0]["state"] == "held", "opening a link decides nothing"
    used = await calendar.post(link.path, headers={"accept": "application/json"})
    booking = used.json()["result"]
    assert (used.status_code, booking["state"], booking["guest_id"]) == (200, "confirmed", guest)
    assert (await calendar.post(link.path)).status_code == 410
    (listed,) = await bookings_of(calendar, session, organiser)
    assert listed["guest"]["mail_address"].lower() == address
    third = await calendar.post(path, json=body)
    assert third.status_code == 202
    assert len(await bookings_of(calendar, session, organiser)) == 1

    owner, city = new_id("prs"), new_id("city")
    await topics.publish(GuestLinked(person_id=owner, guest_id=guest, city_id=city))
    own = person(city, id=owner)
    await until(lambda: state(calendar, booking, own), ("confirmed", None), "the booking is the person's own")
    now = (await calendar.get(f"/bookings/{booking['id']}", headers=own)).json()
    assert (now["person_id"], now["guest_id"], now["city_id"]) == (owner, None, city)

    async def told() -> BookingReassigned | None:
        events = [e.event for e in await topics.read("calendar.bookings", subject=booking["id"])]
        return events[-1] if isinstance(events[-1], BookingReassigned) else None

    fact = await eventually(told, "the new holder is told of")
    assert (fact.guest_id, fact.person_id, fact.state, fact.part) == (guest, owner, BookingState.CONFIRMED, 1)

    async def erased() -> bool:
        return (await topics.read("calendar.guests", subject=guest))[-1].event is None

    await eventually(erased, "what was kept of the guest is erased")


async def test_a_guest_who_does_not_confirm_is_forgotten_and_one_may_ask_to_be(
    calendar: httpx.AsyncClient, organiser: Headers, topics: Topics, stack: Any
) -> None:
    session = await scheduled(calendar, organiser, guests_allowed=True, capacity=2)
    guests = []
    for _ in range(2):
        address = f"{new_id('x')}@example.org"
        body = {"mail_address": address, "time_zone": "Europe/Berlin"}
        await calendar.post(f"/sessions/{session['id']}/guest-bookings", json=body)
        guests.append(await eventually(partial(guest_of, topics, address), "the guest is told of"))
    _, confirmed = guests
    (link,) = await eventually(lambda: links(topics, "confirm-booking", confirmed), "a link is to be mailed")
    await calendar.post(link.path)
    assert (await seats(calendar, session))["taken"] == 2
    stack.clock_file.write_text('{"offset_seconds": 3700}')
    try:
        await until(lambda: taken(calendar, session), 1, "the unconfirmed place is free again")
    finally:
        stack.clock_file.unlink()
    (manage,) = await eventually(
        lambda: links(topics, "manage-booking", confirmed), "a link to manage it is to be mailed"
    )
    assert (await calendar.post(manage.path, params={"choice": "erase"})).status_code == 200
    assert await taken(calendar, session) == 0
    for guest in guests:

        async def erased(guest: str | None = guest) -> bool:
            return (await topics.read("calendar.guests", subject=guest))[-1].event is None

        await eventually(erased, "the guest is erased everywhere")
    assert [one["guest"] for one in await bookings_of(calendar, session, organiser)] == [None, None]


async def taken(calendar: httpx.AsyncClient, session: Answer) -> int:
    count: int = (await seats(calendar, session))["taken"]
    return count


async def test_merges_and_erasures(
    calendar: httpx.AsyncClient, organiser: Headers, person: Callable[..., Headers], topics: Topics
) -> None:
    session = await scheduled(calendar, organiser, capacity=2, places_per_city=1)
    one, other, old, new = new_id("prs"), new_id("prs"), new_id("city"), new_id("city")
    kept = (await book(calendar, session, person(old, id=one), old)).json()
    double = (await book(calendar, session, person(id=other))).json()
    waits = (await book(calendar, session, person(id=(third := new_id("prs"))))).json()
    await topics.publish(PersonMerged(person_id=other, into_person_id=one))
    await until(lambda: state(calendar, waits, person(id=third)), ("confirmed", None), "a seat was one too many")
    assert (await calendar.get(f"/bookings/{kept['id']}", headers=person(id=one))).json()["state"] == "confirmed"
    assert (await calendar.get(f"/bookings/{double['id']}", headers=person(id=one))).json()["state"] == "cancelled"

    await topics.publish(facts.CityMerged(city_id=old, into_city_id=new))

    async def moved() -> bool:
        return (await calendar.get(f"/bookings/{kept['id']}", headers=person(new))).status_code == 200

    await eventually(moved, "the booking is the other city's")
    assert (await book(calendar, session, person(new), new)).json()["code"] == "city-places-taken"
    await topics.publish(PersonErased(person_id=third), PersonErased(person_id=one))
    await until(lambda: taken(calendar, session), 1, "what an erased person had booked for itself is cancelled")
    assert (await calendar.get(f"/bookings/{kept['id']}", headers=person(new))).json()["state"] == "confirmed"


async def test_attendance_is_written_down_when_the_session_has_begun(
    calendar: httpx.AsyncClient, organiser: Headers, person: Callable[..., Headers], stack: Any, tokens: Tokens
) -> None:
    session = await scheduled(calendar, organiser, capacity=1)
    holder = person()
    booking = (await book(calendar, session, holder)).json()
    stack.clock_file.write_text(f'{{"offset_seconds": {11 * 24 * 3600}}}')
    try:
        path = f"/bookings/{booking['id']}/attendance"

        async def written() -> Answer | None:
            answer = await calendar.post(path, json={"attended": True}, headers=organiser)
            return answer.json() if answer.status_code == 200 else None

        assert (await eventually(written, "attendance is written down"))["state"] == "attended"
        missed = await calendar.post(path, json={"attended": False}, headers=organiser)
        assert missed.json()["state"] == "no-show", "a mistake can be put right"
        late = await calendar.delete(f"/bookings/{booking['id']}", headers=holder)
        assert (late.status_code, late.json()["code"]) == (409, "session-begun")
        assert (await book(calendar, session, person())).json()["code"] == "session-begun"
    finally:
        stack.clock_file.unlink()


async def test_booking_windows(calendar: httpx.AsyncClient, organiser: Headers, person: Callable[..., Headers]) -> None:
    later = await scheduled(calendar, organiser, booking_opens=in_days(5))
    assert (await book(calendar, later, person())).json()["code"] == "booking-not-open"
    over = await scheduled(calendar, organiser, booking_closes=in_days(-1))
    assert (await book(calendar, over, person())).json()["code"] == "booking-closed"
    full = await scheduled(calendar, organiser, capacity=1, waiting_list=False)
    assert (await book(calendar, full, person())).status_code == 201
    assert (await book(calendar, full, person())).json()["code"] == "session-full"
    guest = {"mail_address": "office@example.org", "time_zone": "Europe/Lisbon"}
    refused = await calendar.post(f"/sessions/{full['id']}/guest-bookings", json=guest)
    assert refused.json()["code"] == "account-needed"
    unknown = await calendar.post(f"/sessions/{new_id('ses')}/bookings", json={}, headers=person())
    assert (unknown.status_code, unknown.json()["code"]) == (404, "session-not-found")
