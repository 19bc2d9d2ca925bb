"""From an accepted write until another service shows it: the platform's backbone beside a bare pipeline.

Both are a writing and a reading process with one document, one event and one reaction; the time runs from the answer
to the write until an answer of the reader, which reads its database, holds it. Writers keep their pace whatever the
answers take (open loop), so that a stall is seen in every write that it held up.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

import aiohttp

from bench import payload
from bench.bare import pipeline
from bench.figures import Figure
from bench.ground import Ground
from mission.demo.checks import median_and_p99

RATES: Final = (20, 100, 250)
SECONDS: Final = 6.0
ROUNDS: Final = 3
WATCHED: Final = 5
"""Of so many writes one is watched: to look for all of them would be most of the load."""
LOOK_SECONDS: Final = 0.002
PATIENCE_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Side:
    """Where one pipeline takes writes and where it shows them."""

    writer: str
    reader: str


@asynccontextmanager
async def sides(ground: Ground) -> AsyncIterator[dict[str, Side]]:
    """Both pipelines, up and warm."""
    ground.topic(pipeline.TOPIC)
    bare = ground.bare_environment()
    async with AsyncExitStack() as stack:

        async def serve(app: str, environment: dict[str, str], probe: str) -> str:
            return await stack.enter_async_context(ground.serving(app, environment, probe))

        found = {
            "ours": Side(
                await serve("bench.thin:writer", ground.service_environment("registration"), "/ready"),
                await serve("bench.thin:reader", ground.service_environment("cohort-selection"), "/cities/none"),
            ),
            "bare": Side(
                await serve("bench.bare.pipeline:writer", bare, "/ready"),
                await serve("bench.bare.pipeline:reader", bare, "/cities/none"),
            ),
        }
        for side in found.values():
            await load(side, 20, 2.0)
        yield found


async def load(side: Side, rate: int, seconds: float) -> list[float]:
    """Writes at a rate; the seconds that the watched writes took to be visible, sorted by when they were made."""
    cities = payload.cities(max(rate, 20) * 2)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session, asyncio.TaskGroup() as group:
        began = time.perf_counter()
        tasks = []
        for number in range(int(rate * seconds)):
            await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
            city = cities[number % len(cities)]
            tasks.append(group.create_task(_one(session, side, city, number, watched=number % WATCHED == 0)))
    return [result for task in tasks if (result := task.result()) is not None]


async def _one(session: aiohttp.ClientSession, side: Side, city: str, number: int, *, watched: bool) -> float | None:
    async with session.put(f"{side.writer}/cities/{city}", json={"number": number}) as answer:
        assert answer.status == 200, await answer.text()
    if not watched:
        return None
    accepted = time.perf_counter()
    while True:
        async with session.get(f"{side.reader}/cities/{city}") as answer:
            shown = (await answer.json())["number"]
        now = time.perf_counter()
        if shown >= number:
            return now - accepted
        assert now - accepted < PATIENCE_SECONDS, f"{city} {number} is not visible, {shown} is"
        await asyncio.sleep(LOOK_SECONDS)


async def measure(ground: Ground, share: float) -> list[Figure]:
    """Both sides by turns at every rate."""
    found = []
    async with sides(ground) as both:
        for rate in RATES:
            times: dict[str, list[tuple[float, float]]] = {"ours": [], "bare": []}
            for number in range(ROUNDS):
                # Who goes first changes, so that neither always has the warmer machine.
                for name in ("ours", "bare") if number % 2 else ("bare", "ours"):
                    times[name].append(median_and_p99(await load(both[name], rate, SECONDS * share)))
            for place, (name, reach) in enumerate((("p50", 1.3), ("p99", 1.5))):
                ours, bare = ([1000 * each[place] for each in times[side]] for side in ("ours", "bare"))
                found.append(Figure("write visible elsewhere", f"{rate} writes/s, {name}", "ms", ours, bare, reach))
    return found
