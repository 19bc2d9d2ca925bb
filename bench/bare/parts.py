"""What the baselines share: their connections, and an application that has something to do in the background."""

import asyncio
import os
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord
from fastapi import FastAPI
from motor.motor_asyncio import AsyncIOMotorClient

from bench.ground import CONCERNS
from contracts.envelope import Attributes, Event, decode

Records = list[ConsumerRecord[bytes, bytes]]


def kafka() -> dict[str, Any]:
    """aiokafka's options."""
    return {
        "bootstrap_servers": os.environ["BENCH_KAFKA"],
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": os.environ["BENCH_USER"],
        "sasl_plain_password": os.environ["BENCH_PASSWORD"],
    }


def database(name: str) -> Any:
    """A database that acknowledges what a majority has in its journal."""
    client: AsyncIOMotorClient[dict[str, Any]] = AsyncIOMotorClient(os.environ["BENCH_MONGO"], maxPoolSize=20)
    return client.get_database(name, **CONCERNS)


def _ended(task: asyncio.Future[None]) -> None:
    """A baseline that has lost its work must not look slow or idle: it says why, and ends."""
    if not task.cancelled() and (error := task.exception()):
        traceback.print_exception(error)
        os._exit(1)


def application(*work: Callable[[], Awaitable[None]]) -> FastAPI:
    """An application that does this work for as long as it runs, and says at ``/ready`` that it does."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        tasks = [asyncio.ensure_future(each()) for each in work]
        for task in tasks:
            task.add_done_callback(_ended)
        yield
        for task in tasks:
            task.cancel()

    app = FastAPI(lifespan=lifespan, telemetry={"tracing": False, "metrics": False, "logs": False})

    @app.get("/ready")
    async def ready() -> None:
        return None

    return app


def decoded(records: Records) -> list[tuple[Attributes, Event]]:
    """What the records say, by the decoder that the platform uses."""
    read = [(Attributes.from_headers(record.headers), record.value) for record in records]
    return [(attributes, decode(attributes.type, value or b"")) for attributes, value in read]


async def consume(topic: str, group: str, max_records: int, apply: Callable[[Records], Awaitable[None]]) -> None:
    """Takes batches, applies each, and commits it to Kafka afterwards."""
    options: dict[str, Any] = {"auto_offset_reset": "earliest", "enable_auto_commit": False, "group_id": group}
    async with AIOKafkaConsumer(topic, **kafka(), **options) as consumer:
        while True:
            batches = await consumer.getmany(timeout_ms=1000, max_records=max_records)
            records = [record for batch in batches.values() for record in batch]
            if records:
                await apply(records)
                await consumer.commit()
