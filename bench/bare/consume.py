"""Consumers of the libraries alone, each a process with a topic of its own."""

from typing import Any, Final

from fastapi import FastAPI
from pymongo import UpdateOne

from bench import payload
from bench.bare.parts import Records, application, consume, database, decoded
from bench.ground import TRANSACTION

TOPIC: Final = "bench.consume"
SINGLE: Final = "bench.single"
BATCH: Final = 500
DATABASE: Final = "bench_apply"


def decoding() -> FastAPI:
    """Reads and decodes, and does nothing with it."""

    async def work() -> None:
        async def apply(records: Records) -> None:
            decoded(records)

        await consume(TOPIC, "bench.decoding", BATCH, apply)

    return application(work)


def in_batches() -> FastAPI:
    """Applies a batch in one transaction: an ``insert_many`` of the events' ids and a ``bulk_write`` of effects."""

    async def work() -> None:
        async def apply(records: Records) -> None:
            await _apply(database_, records)

        database_ = database(DATABASE)
        await consume(TOPIC, "bench.batches", BATCH, apply)

    return application(work)


def one_by_one() -> FastAPI:
    """The same with a transaction per event."""

    async def work() -> None:
        async def apply(records: Records) -> None:
            for record in records:
                await _apply(database_, [record])

        database_ = database(f"{DATABASE}_single")
        await consume(SINGLE, "bench.single", 20, apply)

    return application(work)


async def _apply(database: Any, records: Records) -> None:
    events = decoded(records)
    ids = [{"_id": attributes.id} for attributes, _ in events]
    writes = [
        UpdateOne(
            {"_id": attributes.subject},
            {"$set": {"version": attributes.aggregateversion, "number": payload.number_of(event)}},
            upsert=True,
        )
        for attributes, event in events
    ]
    async with await database.client.start_session() as session, session.start_transaction(*TRANSACTION):
        await database["inbox"].insert_many(ids, session=session)
        await database["seen"].bulk_write(writes, session=session)
