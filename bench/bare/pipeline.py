"""A pipeline of the libraries alone, with the platform's guarantees.

The writer commits document and outbox row in one transaction, a change stream on the outbox feeds an idempotent
producer, and rows are marked when the broker has acknowledged. The reader takes batches, reads in one transaction
which versions it knows, writes the others guarded by their version, and then commits its offsets.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from fastapi import FastAPI
from motor.motor_asyncio import AsyncIOMotorClient
from pydantic import BaseModel
from pymongo import UpdateOne
from pymongo.errors import PyMongoError

from bench import payload
from bench.ground import CONCERNS, TRANSACTION
from contracts.envelope import Attributes, decode

TOPIC = "bench.bare"


class Body(BaseModel):
    """A write."""

    number: int


def _kafka() -> dict[str, Any]:
    return {
        "bootstrap_servers": os.environ["BENCH_KAFKA"],
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": os.environ["BENCH_USER"],
        "sasl_plain_password": os.environ["BENCH_PASSWORD"],
    }


def _database(name: str) -> Any:
    client: AsyncIOMotorClient[dict[str, Any]] = AsyncIOMotorClient(os.environ["BENCH_MONGO"], maxPoolSize=20)
    return client.get_database(name, **CONCERNS)


def writer() -> FastAPI:
    """Takes writes."""
    database = _database("bench_writer")
    cities, outbox = database["cities"], database["outbox"]

    waiting: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def watch() -> None:
        async with outbox.watch([{"$match": {"operationType": "insert"}}], max_await_time_ms=5000) as changes:
            async for change in changes:
                waiting.put_nowait(change["fullDocument"])

    async def relay() -> None:
        async with AIOKafkaProducer(**_kafka(), enable_idempotence=True, acks="all") as producer:
            while True:
                rows = [await waiting.get()]
                while len(rows) < 1000 and not waiting.empty():
                    rows.append(waiting.get_nowait())
                await _publish(producer, rows)
                mark = {"$set": {"published": True, "published_at": datetime.now(UTC)}}
                await outbox.update_many({"_id": {"$in": [row["_id"] for row in rows]}}, mark)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        tasks = asyncio.create_task(watch()), asyncio.create_task(relay())
        yield
        for task in tasks:
            task.cancel()

    app = FastAPI(lifespan=lifespan, telemetry={"tracing": False, "metrics": False, "logs": False})

    @app.put("/cities/{city}")
    async def write(city: str, body: Body) -> Body:
        async with await database.client.start_session() as session:
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

    @app.get("/ready")
    async def ready() -> None:
        return None

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
    database = _database("bench_reader")
    seen = database["seen"]

    async def consume() -> None:
        options = {"auto_offset_reset": "earliest", "enable_auto_commit": False, "group_id": "bench.bare"}
        async with AIOKafkaConsumer(TOPIC, **_kafka(), **options) as consumer:
            while True:
                batches = await consumer.getmany(timeout_ms=1000, max_records=500)
                records = [record for batch in batches.values() for record in batch]
                if records:
                    await apply(database, seen, records)
                    await consumer.commit()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        task = asyncio.create_task(consume())
        yield
        task.cancel()

    app = FastAPI(lifespan=lifespan, telemetry={"tracing": False, "metrics": False, "logs": False})

    @app.get("/cities/{city}")
    async def read(city: str) -> Body:
        found = await seen.find_one({"_id": city})
        return Body(number=found["number"] if found else -1)

    return app


async def apply(database: Any, seen: Any, records: list[Any]) -> None:
    """Writes each event once: what is known already by its version is left out."""
    read = []
    for record in records:
        attributes = Attributes.from_headers(record.headers)
        read.append((attributes, decode(attributes.type, record.value)))
    async with await database.client.start_session() as session, session.start_transaction(*TRANSACTION):
        ids = list({attributes.subject for attributes, _ in read})
        known = {row["_id"]: row["version"] async for row in seen.find({"_id": {"$in": ids}}, session=session)}
        writes = []
        for attributes, event in read:
            if known.get(attributes.subject, 0) >= attributes.aggregateversion:
                continue
            known[attributes.subject] = attributes.aggregateversion
            change = {"version": attributes.aggregateversion, "number": payload.number_of(event)}  # type: ignore[arg-type]
            writes.append(UpdateOne({"_id": attributes.subject}, {"$set": change}, upsert=True))
        if writes:
            await seen.bulk_write(writes, session=session)
