"""``python -m bench.bare.relay topic rows``: reading waiting outbox rows, and producing them, each alone.

Prints how many a second, as JSON: ``{"read": …, "produce": …}``. The rows stay as they are.
"""

import asyncio
import json
import sys
import time
from typing import Any, Final

import uvloop
from aiokafka import AIOKafkaProducer

from bench.bare.parts import database, kafka

DATABASE: Final = "bench_relay"
BATCH: Final = 1000


async def main(topic: str, count: int) -> None:
    """Reads all rows in the order of their index, batch by batch, and produces them as they were read."""
    outbox = database(DATABASE)["outbox"]
    began = time.perf_counter()
    order = [("aggregate", 1), ("version", 1), ("ordinal", 1)]
    rows: list[dict[str, Any]] = []
    cursor = outbox.find({"published": False}, batch_size=BATCH).sort(order).limit(count)
    async for row in cursor:
        rows.append(row)
    read = time.perf_counter() - began
    assert len(rows) == count, f"{len(rows)} rows"
    options = {"enable_idempotence": True, "acks": "all", "max_batch_size": 64 * 1024}
    async with AIOKafkaProducer(**kafka(), **options) as producer:
        began = time.perf_counter()
        for start in range(0, count, BATCH):
            sent = [
                await producer.send(
                    topic, row["value"], row["key"].encode(), headers=[(name, raw) for name, raw in row["headers"]]
                )
                for row in rows[start : start + BATCH]
            ]
            await asyncio.gather(*sent)
        produce = time.perf_counter() - began
    sys.stdout.write(json.dumps({"read": count / read, "produce": count / produce}))


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], int(sys.argv[2])))
