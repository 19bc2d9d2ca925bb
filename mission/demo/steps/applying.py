"""Cities apply: most are taken, and each that the rules refuse is told every reason."""

import asyncio
from collections.abc import Collection
from typing import Any, Final

from mission.demo import rules
from mission.demo.cities import ILLUSTRATIVE
from mission.demo.door import Refused
from mission.demo.errors import Untrue, must
from mission.demo.progress import Step
from mission.demo.steps import team
from mission.demo.steps.delegates import Delegates
from mission.demo.story import City, Story

APPLICANTS: Final = 160
"""Cities that apply to the Twinning call, some of which may not."""


async def tell(story: Story, step: Step, call: dict[str, Any], people: Delegates) -> dict[str, City]:
    """The cities apply; gives the applications that were taken, in the cities' order."""
    cities = story.authorities[:APPLICANTS]
    step.plan(len(cities))

    async def submit(city: City) -> dict[str, Any] | None:
        wanted = reasons(city)
        step.done()
        if wanted:
            await must_be_refused(city, call, wanted)
            return None
        receipt: dict[str, Any] = await city.speaker.post(f"/calls/{call['id']}/applications", form(story, city, call))
        return receipt

    receipts = await asyncio.gather(*map(submit, cities))
    host = people.hosts[0][0][0]
    await must_be_refused(host, call, {"not-mission-city", "neutral-by-2050", "double-role"})
    taken = {receipt["id"]: city for receipt, city in zip(receipts, cities, strict=True) if receipt}
    again = next(iter(taken.values()))
    await must_be_refused(again, call, {"already-applied"})
    story.call = call["id"]
    story.applications |= taken.keys()
    # Besides: the Mission City, the second application, and the one that comes too late.
    story.refusals = len(cities) - len(taken) + 3
    manager = story.people[team.MANAGER]
    listed = {each["id"] async for each in story.door.pages(f"/calls/{call['id']}/applications", token=manager.token)}
    story.claim(
        listed == taken.keys() and all(receipt is None or receipt["digest"] for receipt in receipts),
        "Every application that was accepted is there, and no other",
        f"{len(taken)} accepted, {len(listed)} there",
    )
    refused = len(cities) - len(taken)
    step.say(
        f"{len(cities)} cities applied through the gateway, {len(taken)} were taken; {refused}, a Mission City and a"
        " second application were refused, each with every reason"
    )
    return taken


def reasons(city: City) -> set[str]:
    """Why the rules refuse an authority of the story; empty for one that may apply."""
    found = set()
    if not city.committed:
        found.add("neutral-by-2050")
    if city.twin:
        found.add("not-twin-before")
    return found


def form(story: Story, city: City, call: dict[str, Any]) -> dict[str, Any]:
    """A city's application, drawn."""
    rng = story.draw("application", city.name, city.country)
    hosts = [host["host_id"] for host in call["rules"]["hosts"]]
    return {
        "city_id": city.id,
        "answers": {
            "motivation": f"{city.name} wants to learn from a city that is further on the way ({ILLUSTRATIVE}).",
            "hours": rng.randint(12, 40),
        },
        "preferences": rng.sample(hosts, rng.randint(2, rules.WISHES)),
    }


async def must_be_refused(city: City, call: dict[str, Any], wanted: Collection[str]) -> None:
    """The city is refused for exactly these reasons."""
    body = {"city_id": city.id, "answers": {"motivation": ILLUSTRATIVE, "hours": 12}}
    try:
        await city.speaker.post(f"/calls/{call['id']}/applications", body)
    except Refused as refused:
        told = refused.codes
        must(told == set(wanted), f"{city.name} was refused for {sorted(told)} instead of {sorted(wanted)}.")
    else:
        raise Untrue(f"The application of {city.name} was taken in spite of {sorted(wanted)}.")
