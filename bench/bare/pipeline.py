"""A pipeline of the libraries alone, with the platform's guarantees.

The writer commits document and outbox row in one transaction, a change stream on the outbox feeds an idempotent
producer, and rows are marked when the broker has acknowledged. The reader takes batches, reads in one transaction
which versions it knows, writes the others guarded by their version, and then commits its offsets.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from aiokafka import AIOKafkaProducer
from fastapi import FastAPI
from pydantic import BaseModel
from pymongo import UpdateOne
from pymongo.errors import PyMongoError

from bench import payload
from bench.bare.parts import Records, application, consume, database, decoded, kafka
from bench.ground import TRANSACTION

TOPIC = "bench.bare"


class Body(BaseModel):
    """A write."""

    number: int


def writer() -> FastAPI:
    """Takes writes."""
    store = database("bench_writer")
    cities, outbox = store["cities"], store["outbox"]

    waiting: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def watch() -> None:
        async with outbox.watch([{"$match": {"operationType": "insert"}}], max_await_time_ms=5000) as changes:
            async for change in changes:
                waiting.put_nowait(change["fullDocument"])

    async def relay() -> None:
        async with AIOKafkaProducer(**kafka(), enable_idempotence=True, acks="all") as producer:
            while True:
                rows = [await waiting.get()]
                while len(rows) < 1000 and not waiting.empty():
                    rows.append(waiting.get_nowait())
                await _publish(producer, rows)
                mark = {"$set": {"published": True, "published_at": datetime.now(UTC)}}
                await outbox.update_many({"_id": {"$in": [row["_id"] for row in rows]}}, mark)

    app = application(watch, relay)

    @app.put("/cities/{city}")
    async def write(city: str, body: Body) -> Body:
        async with await store.client.start_session() as session:
            while True:
                try:
                    async with session.start_transaction(*TRANSACTION):
                        found = await cities.find_one({"_id": city}, session=session)
                        version = found["version"] + 1 if found else 1
                        row = {"_id": city, "version": version, "number": body.number}
                        if found:
                            await cities.replace_one({"_id": city, "version": version - 1}, row, session=session)
                        else:
                            await cities.insert_one(row, session=session)
                        await outbox.insert_one(_row(city, version, body.number), session=session)
                    return body
                except PyMongoError as error:
                    if not error.has_error_label("TransientTransactionError"):
                        raise

    return app


def _row(city: str, version: int, number: int) -> dict[str, Any]:
    headers = payload.headers(city, version)
    return {
        "_id": f"{city}/{version}",
        "key": city,
        "value": payload.event(city, number).model_dump_json().encode(),
        "headers": [list(header) for header in headers],
        "published": False,
    }


async def _publish(producer: AIOKafkaProducer, rows: Sequence[Mapping[str, Any]]) -> None:
    sent = [
        await producer.send(TOPIC, row["value"], row["key"].encode(), headers=[tuple(pair) for pair in row["headers"]])
        for row in rows
    ]
    await asyncio.gather(*sent)


def reader() -> FastAPI:
    """Shows what has come to it."""
    store = database("bench_reader")
    seen = store["seen"]

    async def work() -> None:
        async def applied(records: Records) -> None:
            await apply(store, seen, records)

        await consume(TOPIC, "bench.bare", 500, applied)

    app = application(work)

    @app.get("/cities/{city}")
    async def read(city: str) -> Body:
        found = await seen.find_one({"_id": city})
        return Body(number=found["number"] if found else -1)

    return app


async def apply(database: Any, seen: Any, records: Records) -> None:
    """Writes each event once: what is known already by its version is left out."""
    read = decoded(records)
    async with await database.client.start_session() as session, session.start_transaction(*TRANSACTION):
        ids = list({attributes.subject for attributes, _ in read})
        known = {row["_id"]: row["version"] async for row in seen.find({"_id": {"$in": ids}}, session=session)}
        writes = []
        for attributes, event in read:
            if known.get(attributes.subject, 0) >= attributes.aggregateversion:
                continue
            known[attributes.subject] = attributes.aggregateversion
            change = {"version": attributes.aggregateversion, "number": payload.number_of(event)}
            writes.append(UpdateOne({"_id": attributes.subject}, {"$set": change}, upsert=True))
        if writes:
            await seen.bulk_write(writes, session=session)
