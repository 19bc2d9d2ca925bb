"""Step 7: how fast a write is seen elsewhere, what lies on the topics, and whether the story's claims are true."""

import asyncio
import time
from collections.abc import Awaitable
from typing import Any, Final

from mission.demo.checks import median_and_p99
from mission.demo.door import until
from mission.demo.errors import Untrue
from mission.demo.progress import Step
from mission.demo.story import City, Story

PER_SECOND: Final = 50
SECONDS: Final = 10
WATCHED: Final = 10
"""Of so many writes one is watched: looking again and again at all of them would be most of the load."""
PATIENCE_SECONDS: Final = 10.0
YEARS: Final = (2035, 2050)
ADDRESSES: Final = {
    "the platform": "/",
    "API, documented": "/api/v1/docs",
    "calendar feed": "/api/v1/feeds/calendar.ics",
    "catalogue": "/api/v1/catalogue/entries",
}
"""What there is to open at the end, on the platform's door."""


async def tell(story: Story, step: Step) -> None:
    """Measures, counts and checks."""
    step.doing("the consumers come to rest")

    async def at_rest() -> bool:
        return not any((await asyncio.to_thread(story.ground.lag)).values())

    await until(at_rest, "Some service does not come to the end of its topics.", seconds=60, every=0.5)
    await _measure(story, step)
    step.doing("topics are counted")
    story.figures["topics"] = await asyncio.to_thread(story.ground.topics)
    story.figures["memory_mb"] = {name: size / 2**20 for name, size in story.ground.memory().items()}
    await _dead_letters(story, step)
    await _addresses(story)
    asked = sum(story.door.answers.values())
    failed = sum(count for status, count in story.door.answers.items() if status >= 500)
    story.claim(
        not story.door.lost and not failed,
        "No request was lost and none failed",
        f"{asked} requests, {story.door.lost} without answer, {failed} with a server's error",
    )


async def _measure(story: Story, step: Step) -> None:
    """Cities record their commitment in registration; selection shows it among the facts that it judges by.

    The time runs from the answer to the write until an answer of the other service shows it, which it reads from its
    own store.
    """
    step.doing(f"{PER_SECOND} writes a second, for {SECONDS} s")
    step.plan(PER_SECOND * SECONDS)
    cities = [city for city in story.authorities if city.committed]
    writes: list[asyncio.Task[float]] = []
    began = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for number in range(PER_SECOND * SECONDS):
            await asyncio.sleep(max(0.0, began + number / PER_SECOND - time.monotonic()))
            city = cities[number % len(cities)]
            work = _written(story, step, city, 1 + number // len(cities))
            if number % WATCHED == 0:
                writes.append(group.create_task(_seen(story, city, work)))
            else:
                group.create_task(work)
    took = time.monotonic() - began
    median, last = median_and_p99([write.result() * 1000 for write in writes])
    story.figures["latency"] = {
        "watched": len(writes),
        "per_second": PER_SECOND * SECONDS / took,
        "p50_ms": median,
        "p99_ms": last,
    }
    step.say(f"A write in one service is visible in another after {median:.1f} ms (median), {last:.1f} ms (p99)")


async def _written(story: Story, step: Step, city: City, turn: int) -> float:
    """When a commitment was accepted."""
    year = story.draw("year", city.name, turn).randint(*YEARS)
    if year == city.neutral_by:
        year += 1 if year < YEARS[1] else -1
    commitment = {"neutral_by": year, "committed_on": "2026-01-15", "evidence": "Council decision (illustrative)"}
    await city.speaker.put(f"/cities/{city.id}/commitment", commitment)
    city.neutral_by = year
    step.done()
    return time.monotonic()


async def _seen(story: Story, city: City, write: Awaitable[float]) -> float:
    """Seconds from the accepted write to its being visible elsewhere."""
    accepted = await write
    year = city.neutral_by
    while True:
        facts = await _facts(story, city)
        now = time.monotonic()
        if facts["neutral_by"] == year:
            return now - accepted
        if now - accepted > PATIENCE_SECONDS:
            raise Untrue(f"The commitment of {city.name} was not seen elsewhere after {PATIENCE_SECONDS:.0f} s.")
        # Looks often enough to be right within some per cent, and does not drown a service that is behind.
        await asyncio.sleep((now - accepted) / 20)


async def _facts(story: Story, city: City) -> dict[str, Any]:
    """What selection knows of a city."""
    answer = await city.speaker.post(f"/calls/{story.call}/eligibility", {"city_id": city.id}, once=False)
    facts: dict[str, Any] = answer["facts"]
    return facts


async def _dead_letters(story: Story, step: Step) -> None:
    """A dead letter may only be what a platform sent malformed."""
    letters = await asyncio.to_thread(story.ground.letters)
    unexpected = [kept for kept in letters if (kept.letter.topic, kept.letter.offset) not in story.malformed]
    story.figures["dead_letters"] = {"expected": len(letters) - len(unexpected), "unexpected": len(unexpected)}
    told = "; ".join(f"{kept.service} {kept.letter.id}: {kept.letter.reason}" for kept in unexpected[:3])
    story.claim(
        not unexpected,
        "Every dead letter is a message that was sent malformed",
        told or f"{len(letters)} dead letters, {len(story.malformed)} malformed messages answered with receipts",
    )


async def _addresses(story: Story) -> None:
    """What the demonstration says is to be opened must be there."""
    closed = []
    for path in ADDRESSES.values():
        async with story.door.session.get(f"{story.door.url}{path}") as page:
            if page.status != 200:
                closed.append(f"{path} was answered {page.status}")
    story.claim(not closed, "What is to be opened at the end opens", "; ".join(closed) or f"{len(ADDRESSES)} addresses")
