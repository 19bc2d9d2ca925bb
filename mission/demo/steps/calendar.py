"""Step 4: all events in one calendar, a feed for calendar programs, and a training that three times as many want."""

import asyncio
from datetime import datetime
from typing import Any, Final

from icalendar import Calendar

from mission.demo.door import until
from mission.demo.errors import must
from mission.demo.progress import Step
from mission.demo.steps import sessions, team
from mission.demo.story import City, Story

PLACES: Final = 20
RIVALS: Final = 60
LONG_AGO: Final = "2026-01-01T00:00:00Z"


async def tell(story: Story, step: Step) -> None:
    """Reads the calendar as everybody does, then runs the race for a training's places."""
    await sessions.schedule(story, "planning-lab", "planning-lab", 30, programme="online-planning-lab", capacity=200)
    step.plan(2)
    step.doing("everybody reads")
    await _read(story, step)
    step.done()
    await _subscribe(story, step)
    step.done()
    step.doing(f"{RIVALS} cities want {PLACES} places")
    await _race(story, step)


async def _read(story: Story, step: Step) -> None:
    """The calendar holds what the platforms' seasons came to, and can be filtered."""
    standing: dict[tuple[str, str], bool] = {
        (platform, uid): uid in season.cancelled
        for platform, season in story.seasons.items()
        for uid, data in season.standing.items()
        if data is not None
    }

    async def complete() -> dict[tuple[str, str], dict[str, Any]] | None:
        events = story.door.pages("/events", params={"source": "national-platform"})
        shown = {(event["platform"], event["uid"]): event async for event in events}
        return shown if shown.keys() == standing.keys() else None

    shown = await until(complete, "The calendar does not show what the platforms published.", seconds=30, every=0.3)
    wrong = [key for key, cancelled in standing.items() if (shown[key]["status"] == "cancelled") != cancelled]
    must(not wrong, f"Events that are cancelled and others are mixed up: {wrong[:3]}.")
    stale = [
        uid
        for (platform, uid), event in shown.items()
        if (wanted := (story.seasons[platform].standing[uid] or {})).get("capacity") != event["event"]["capacity"]
        or wanted.get("status", "scheduled") != event["event"]["status"]
    ]
    must(not stale, f"Events do not stand as their platforms said last: {stale[:3]}.")
    own = [event async for event in story.door.pages("/events", params={"source": "own"})]
    must(len(own) >= 3, f"{len(own)} sessions of our own are in the calendar.")
    counts = {}
    for name, value in (("country", "PT"), ("language", "de"), ("theme", "mobility"), ("q", "adunarea")):
        found = [event async for event in story.door.pages("/events", params={name: value})]
        counts[f"{name} {value}"] = len(found)
        must(0 < len(found) < len(shown), f"The calendar filtered by {name} {value} has {len(found)} events.")
    step.say(f"{len(shown) + len(own)} events in one calendar, {len(own)} of our own and {len(shown)} of platforms")
    step.say(f"Filtered: {', '.join(f'{name} {count}' for name, count in counts.items())}")
    story.figures.setdefault("services", {})["events-calendar"] = {"events": len(shown) + len(own)}


async def _subscribe(story: Story, step: Step) -> None:
    """The feed is read by a calendar library, as a subscriber's program would."""
    text = await story.door.ask(
        "GET", "/feeds/calendar.ics", params={"lang": "pt"}, headers={"Accept": "text/calendar"}
    )
    feed = Calendar.from_ical(text)
    events = list(feed.walk("VEVENT"))
    zones = {str(zone["TZID"]) for zone in feed.walk("VTIMEZONE")}
    uids = {str(event["UID"]) for event in events}
    must(len(uids) == len(events), "The feed has an event twice.")
    must("Europe/Lisbon" in zones, "The feed lacks the time zone of its events in Portugal.")
    cancelled = sum(event.get("STATUS") == "CANCELLED" for event in events)
    expected = sum(len(season.cancelled) for season in story.seasons.values())
    must(cancelled == expected, f"The feed has {cancelled} cancelled events instead of {expected}.")
    step.say(f"The feed has {len(events)} events in {len(zones)} time zones, {cancelled} of them cancelled")


async def _race(story: Story, step: Step) -> None:
    """Every place is given once, the others wait in their order of arrival, and the first of them moves up."""
    training = await sessions.schedule(
        story, "training", "tool-training", 21, programme="tool-training", capacity=PLACES, places_per_city=1
    )
    cities = story.authorities[:RIVALS]
    step.plan(RIVALS)

    async def book(city: City) -> dict[str, Any]:
        booking: dict[str, Any] = await city.speaker.post(f"/sessions/{training}/bookings", {"city_id": city.id})
        step.done()
        return booking

    await asyncio.gather(*map(book, cities))
    seated, waiting = await _lists(story, training)
    story.claim(
        len(seated) == PLACES and len(waiting) == RIVALS - PLACES,
        f"{RIVALS} cities booked at the same moment through two instances: exactly {PLACES} have a place",
        f"{len(seated)} have one, {len(waiting)} wait",
    )
    arrivals = [datetime.fromisoformat(each["arrived_at"]) for each in waiting]
    positions = [each["position"] for each in waiting]
    story.claim(
        arrivals == sorted(arrivals) and positions == list(range(1, len(waiting) + 1)),
        "Those who wait stand in the order of their arrival",
        f"positions {positions[0]} to {positions[-1]}" if positions else "nobody waits",
    )
    first = waiting[0]
    leaver = next(city for city in cities if city.id == seated[0]["city_id"])
    await leaver.speaker.ask("DELETE", f"/bookings/{seated[0]['id']}")
    now_seated, now_waiting = await _lists(story, training)
    moved = {each["id"] for each in now_seated} - {each["id"] for each in seated}
    story.claim(
        moved == {first["id"]} and len(now_seated) == PLACES and len(now_waiting) == len(waiting) - 1,
        "When one cancels, the first who waits moves up, and nobody else",
        f"{len(now_seated)} have a place, {len(now_waiting)} wait",
    )
    story.figures["seats"] = {"places": PLACES, "booked": len(now_seated), "waiting": len(now_waiting), "moved up": 1}
    step.say(f"{RIVALS} cities wanted {PLACES} places at once: {len(seated)} got one, {len(waiting)} wait in order")
    step.say(f"{leaver.name} cancelled, and the first who waited moved up")


async def _lists(story: Story, session: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Who has a place, and who waits by position, as the organiser sees it."""
    organiser = story.people[team.ORGANISER]
    bookings = [each async for each in story.door.pages(f"/sessions/{session}/bookings", token=organiser.token)]
    waiting = [each for each in bookings if each["state"] == "waiting"]
    return (
        [each for each in bookings if each["state"] == "confirmed"],
        sorted(waiting, key=lambda each: int(each["position"])),
    )
