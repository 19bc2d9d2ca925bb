"""A backlog in the outbox brought to its topic: beside what reading and producing the same rows take, each alone.

The baseline is the sum of the two times, one after the other, without marking anything. The relay marks what the
broker has acknowledged, and its time ends when the last row is marked.
"""

import asyncio
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.write_concern import WriteConcern

from bench import payload, thin, topics
from bench.bare import relay
from bench.figures import Figure, interleaved
from bench.ground import Ground
from infra.databases import database
from shared import outbox

SIZES: Final = (40_000, 200_000)
ROUNDS: Final = 3
TOPIC: Final = "bench.relay"
Rows = Collection[dict[str, Any]]


def rows(count: int) -> Iterator[outbox.Row]:
    """Outbox rows with the same fields and bytes as the store writes, each of a city of its own."""
    now = datetime.now(UTC)
    for city in payload.cities(count):
        value = payload.event(city, 1).model_dump_json().encode()
        row = outbox.record(payload.TOPIC, city, value, payload.headers(city, 1), aggregate=city, version=1)
        yield row | {"created": now}


def fill(collection: Rows, documents: Iterable[dict[str, Any]]) -> None:
    """Inserts quickly: nothing here has to outlive the run."""
    quick = collection.with_options(write_concern=WriteConcern(w=1, j=False))
    batch: list[dict[str, Any]] = []
    for document in documents:
        batch.append(document)
        if len(batch) == 5000:
            quick.insert_many(batch, ordered=False)
            batch = []
    if batch:
        quick.insert_many(batch, ordered=False)


async def measure(ground: Ground, share: float) -> list[Figure]:
    """Each size of the backlog, on both sides by turns."""
    found = []
    admin = ground.stack.kafka.admin()
    ground.topic(TOPIC)
    client: MongoClient[dict[str, Any]] = MongoClient(ground.stack.mongo.admin_url)
    ours, waiting = client[database(thin.WRITER)][outbox.COLLECTION], client[relay.DATABASE][outbox.COLLECTION]
    for collection in (ours, waiting):
        collection.create_indexes(list(outbox.INDEXES))

    async def drain(count: int) -> float:
        """Rows per second, from when the first are seen on the topic until the last is marked."""
        before = await topics.end(admin, payload.TOPIC)
        await asyncio.to_thread(fill, ours, rows(count))
        first: tuple[float, int] | None = None
        async with ground.ours("bench.thin:writer", thin.WRITER, "/ready"):
            deadline = time.perf_counter() + topics.PATIENCE_SECONDS
            while time.perf_counter() < deadline:
                there = await topics.end(admin, payload.TOPIC) - before
                if first is None and there:
                    first = time.perf_counter(), there
                if first is not None and there >= count and not await asyncio.to_thread(left):
                    assert there == count, f"{there} records of {count} rows"
                    return (count - first[1]) / (time.perf_counter() - first[0])
                await asyncio.sleep(topics.LOOK_SECONDS)
        raise RuntimeError(f"the relay has published {there} of {count} rows")

    def left() -> int:
        return ours.count_documents({"published": False}, hint=outbox.UNPUBLISHED)

    for size in SIZES:
        count = int(size * share)
        await asyncio.to_thread(fill, waiting, rows(count - waiting.count_documents({})))

        async def one(side: str, _: int, count: int = count) -> float:
            if side == "ours":
                return await drain(count)
            alone: dict[str, float] = await ground.script("bench.bare.relay", TOPIC, str(count))
            return 1 / (1 / alone["read"] + 1 / alone["produce"])

        figures = await interleaved(ROUNDS, one)
        found.append(Figure("outbox brought to its topic", f"{count:,} rows", "/s", *figures, 0.9, "at least"))
    client.close()
    return found
