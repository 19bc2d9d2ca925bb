"""Live traffic over a long past beside a short one: whether what has been makes what comes slower or larger.

Two platforms run side by side, with few and with many published rows in the outbox, marks in the inbox and events in
the log, all dealt with; then the same traffic goes through both by turns. Where other rows say ours and bare, this one
compares the long past with the short one.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final

import psutil
from confluent_kafka import ConsumerGroupTopicPartitions
from pymongo import MongoClient

from bench import payload, thin, topics
from bench.figures import Figure, interleaved
from bench.ground import Ground
from bench.rows.latency import Side, load
from bench.rows.relay import fill, rows
from infra.databases import database

SHORT: Final = 10_000
LONG: Final = 1_000_000
RATE: Final = 20
SECONDS: Final = 5.0
ROUNDS: Final = 5
AT_ONCE: Final = 50_000


def past(ground: Ground, events: int) -> None:
    """Makes what a platform has after so many events, quickly: written straight to stores and topic."""
    client: MongoClient[dict[str, Any]]
    with MongoClient(ground.stack.mongo.admin_url) as client:
        outbox: Any = client[database(thin.WRITER)]["outbox"]
        inbox: Any = client[database(thin.READER)]["inbox"]
        for start in range(0, events, AT_ONCE):
            some = list(rows(min(AT_ONCE, events - start)))
            topics.publish(
                ground, payload.TOPIC, ((row["key"], row["value"], [*map(tuple, row["headers"])]) for row in some)
            )
            now = datetime.now(UTC)
            done = {"published": True, "published_at": now}
            fill(outbox, (row | done for row in some))
            mark = {"ordinal": 0, "waiting": 0, "blocked_by": None, "at": now}
            fill(
                inbox,
                ({"_id": f"{payload.TOPIC} {row['aggregate']}", "version": row["version"]} | mark for row in some),
            )
    admin = ground.stack.kafka.admin()
    everything = topics.ends(admin, payload.TOPIC)
    assert sum(partition.offset for partition in everything) == events
    for future in admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(thin.GROUP, everything)]).values():
        future.result()


@asynccontextmanager
async def pair(ground: Ground) -> AsyncIterator[tuple[Side, list[psutil.Process]]]:
    """A writing and a reading service, warm, and their processes."""
    async with (
        ground.ours("bench.thin:writer", thin.WRITER, "/ready") as writer,
        ground.ours("bench.thin:reader", thin.READER, "/cities/none") as reader,
    ):
        side = Side(writer, reader)
        await load(side, RATE, 2.0)
        yield side, [psutil.Process(ground.pids[url]) for url in (writer, reader)]


async def measure(ground: Ground, share: float) -> list[Figure]:
    """The same traffic over both pasts, and the memory of its two processes."""
    long = int(LONG if share == 1 else LONG / 10)
    with Ground("second").running() as second:
        await asyncio.gather(asyncio.to_thread(past, ground, long), asyncio.to_thread(past, second, SHORT))
        async with pair(ground) as (over_long, long_processes), pair(second) as (over_short, short_processes):
            sides = {"ours": (over_long, long_processes), "bare": (over_short, short_processes)}

            async def one(name: str, _: int) -> tuple[float, float, float]:
                side, processes = sides[name]
                median, p99, _accepted = (await load(side, RATE, SECONDS * share)).figures()
                return median, p99, sum(process.memory_info().rss for process in processes) / 2**20

            ours, bare = (list(zip(*each, strict=True)) for each in await interleaved(ROUNDS, one))
    size = f"{long:,} beside {SHORT:,} events"
    return [
        Figure("live traffic over a long past, p50", size, "ms", ours[0], bare[0], 1.1),
        Figure("live traffic over a long past, p99", size, "ms", ours[1], bare[1]),
        Figure("memory of both processes", size, "MB", ours[2], bare[2], 1.1),
    ]
