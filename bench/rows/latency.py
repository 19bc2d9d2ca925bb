"""From an accepted write until another service shows it: the platform's backbone beside a bare pipeline.

Both are a writing and a reading process with one document, one event and one reaction; the time runs from the answer
to the write until an answer of the reader, which reads its database, holds it. Writers keep their pace whatever the
answers take (open loop), so that a stall is seen in every write that it held up. A side that cannot keep the pace is
seen by how many writes a second it accepted, and a write that is refused or stays invisible counts as
:data:`PATIENCE_SECONDS`.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import aiohttp

from bench import payload, thin
from bench.bare import pipeline
from bench.figures import Figure, interleaved
from bench.ground import Ground
from mission.demo.checks import median_and_p99

RATES: Final = (20, 100, 250)
SECONDS: Final = 5.0
ROUNDS: Final = 5
WATCHED_PER_SECOND: Final = 20
"""Of all writes so many are watched: to look for all of them would be most of the load."""
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
    async with (
        ground.ours("bench.thin:writer", thin.WRITER, "/ready") as our_writer,
        ground.ours("bench.thin:reader", thin.READER, "/cities/none") as our_reader,
        ground.bare("pipeline:writer") as bare_writer,
        ground.bare("pipeline:reader") as bare_reader,
    ):
        found = {"ours": Side(our_writer, our_reader), "bare": Side(bare_writer, bare_reader)}
        for side in found.values():
            await load(side, 20, 2.0)
        yield found


@dataclass(frozen=True, slots=True)
class Load:
    """What a load met: seconds until each watched write was visible, and writes accepted per second."""

    seen: list[float]
    accepted: float

    def figures(self) -> tuple[float, float, float]:
        """Median and 99th percentile in milliseconds, and the writes accepted per second."""
        median, p99 = median_and_p99(self.seen)
        return 1000 * median, 1000 * p99, self.accepted


async def load(side: Side, rate: int, seconds: float) -> Load:
    """Writes at a rate, each city again after two seconds."""
    cities = payload.cities(max(rate, 20) * 2)
    every = max(1, rate // WATCHED_PER_SECOND)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session, asyncio.TaskGroup() as group:
        began = time.perf_counter()
        tasks = []
        for number in range(int(rate * seconds)):
            await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
            city = cities[number % len(cities)]
            tasks.append(group.create_task(_one(session, side, city, number, watched=number % every == 0)))
    results = [task.result() for task in tasks]
    accepted = [moment for moment, _ in results if moment is not None]
    took = max(accepted, default=began) - began
    return Load([seen for _, seen in results if seen is not None], len(accepted) / max(took, seconds))


async def _one(
    session: aiohttp.ClientSession, side: Side, city: str, number: int, *, watched: bool
) -> tuple[float | None, float | None]:
    """Writes once: when that was accepted, and how long a watched write took to be visible."""
    async with session.put(f"{side.writer}/cities/{city}", json={"number": number}) as answer:
        if answer.status != 200:
            return None, PATIENCE_SECONDS
    accepted = time.perf_counter()
    waited = 0.0
    while watched and waited < PATIENCE_SECONDS:
        async with session.get(f"{side.reader}/cities/{city}") as answer:
            shown = (await answer.json())["number"]
        waited = time.perf_counter() - accepted
        if shown >= number:
            return accepted, waited
        # Looks often enough to be right within some per cent, and does not drown a side that is behind.
        await asyncio.sleep(max(0.002, waited / 20))
    return accepted, PATIENCE_SECONDS if watched else None


async def measure(ground: Ground, share: float) -> list[Figure]:
    """Both sides by turns at every rate."""
    found = []
    async with sides(ground) as both:
        for rate in RATES:

            async def one(side: str, _: int, rate: int = rate) -> tuple[float, float, float]:
                return (await load(both[side], rate, SECONDS * share)).figures()

            ours, bare = (list(zip(*rounds, strict=True)) for rounds in await interleaved(ROUNDS, one))
            what = "write visible elsewhere", f"{rate} writes/s"
            found += [
                Figure(what[0], f"{what[1]}, p50", "ms", ours[0], bare[0], 1.3),
                Figure(what[0], f"{what[1]}, p99", "ms", ours[1], bare[1], 1.5),
                Figure("writes accepted", what[1], "/s", ours[2], bare[2]),
            ]
    return found
