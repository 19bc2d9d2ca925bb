"""For tests of services on the real broker and store: serve an app, sign tokens, publish and read events."""

import asyncio
import contextlib
import socket
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import httpx
import uvicorn
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from fastapi import FastAPI
from joserfc.jwk import OKPKey

from contracts.envelope import Attributes, Envelope, Event, decode, event_id
from contracts.registration import SigningKeyPublished
from contracts.registry import topic_of
from shared.connections import Connection
from shared.identity import Caller, Grant, issue
from shared.ids import new_id
from shared.outbox import Tombstone

T = TypeVar("T")


async def eventually(condition: Callable[[], Awaitable[T | None]], what: str, timeout: float = 30) -> T:
    """Waits until the condition gives something true, and returns it.

    Raises :class:`AssertionError` after the deadline.
    """
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if value := await condition():
            return value
        await asyncio.sleep(0.02)
    raise AssertionError(f"not within {timeout} s: {what}")


@asynccontextmanager
async def serving(
    app: FastAPI, *, until_ready: bool = True, proxy_headers: bool = True
) -> AsyncIterator[httpx.AsyncClient]:
    """Serves the app on a free loopback port, as uvicorn does in production, and gives a client of it.

    ``proxy_headers`` False is for the gateway, which judges by itself whose ``X-Forwarded-For`` is to be believed.
    """
    # Said to be TCP, so that asyncio sends without delay on its connections (it looks at this number).
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(
        app,
        http=Connection,
        log_config=None,
        access_log=False,
        lifespan="on",
        timeout_graceful_shutdown=5,
        proxy_headers=proxy_headers,
    )
    server = uvicorn.Server(config)
    # Signals belong to the test runner.
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]
    task = asyncio.create_task(server.serve(sockets=[listener]))
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        async with httpx.AsyncClient(base_url=address, timeout=30) as client:

            async def ready() -> bool:
                if task.done():
                    task.result()
                return server.started and (not until_ready or (await client.get("/health/ready")).status_code == 200)

            await eventually(ready, "the service is ready", 60)
            yield client
    finally:
        server.should_exit = True
        await task


class Tokens:
    """Signs access tokens with a key of its own, which services accept once it is published."""

    def __init__(self) -> None:
        self._key = OKPKey.generate_key("Ed25519")
        self.kid = new_id("key")

    def published(self) -> SigningKeyPublished:
        """The event that makes services accept this key."""
        now = datetime.now(UTC)
        jwk = {name: str(value) for name, value in self._key.as_dict(private=False).items()}
        return SigningKeyPublished(
            kid=self.kid, public_jwk=jwk, not_before=now - timedelta(hours=1), expires_at=now + timedelta(days=1)
        )

    def bearer(
        self, person: str, *, cities: Iterable[str] = (), roles: Iterable[str | Grant] = (), lifetime: int = 300
    ) -> dict[str, str]:
        """Request headers of a person with these memberships and roles (a plain role reaches everywhere)."""
        grants = tuple(role if isinstance(role, Grant) else Grant(role) for role in roles)
        token = issue(self._key, self.kid, Caller(person, frozenset(cities), grants), lifetime)
        return {"Authorization": f"Bearer {token}"}


class Topics:
    """Publishes events as any service would, and reads what services published.

    ``options`` are aiokafka's connection options of a principal that may do both.
    """

    def __init__(self, options: dict[str, Any]) -> None:
        self.options = options
        self._producer: AIOKafkaProducer | None = None
        self._versions: dict[str, int] = defaultdict(int)

    async def close(self) -> None:
        """Ends the connection."""
        if self._producer is not None:
            await self._producer.stop()

    async def publish(
        self, *events: Event | Tombstone, version: int | None = None, **attributes: Any
    ) -> list[Envelope]:
        """Publishes events in order, each under the next version of its aggregate unless one is given.

        A :class:`Tombstone` needs ``subject``. Other attributes (``actor``, ``traceparent`` …) are taken over.
        """
        if self._producer is None:
            self._producer = AIOKafkaProducer(**self.options, enable_idempotence=True)
            await self._producer.start()
        sent = []
        for event in events:
            model = event.of if isinstance(event, Tombstone) else type(event)
            subject = attributes.pop("subject", None) or event.aggregate_id  # type: ignore[union-attr]
            self._versions[subject] = version or self._versions[subject] + 1
            envelope = Envelope(
                Attributes(
                    id=str(event_id(subject, self._versions[subject], 0)),
                    source="/tests",
                    type=model.type,
                    subject=subject,
                    time=datetime.now(UTC),
                    aggregateversion=self._versions[subject],
                    **attributes,
                ),
                None if isinstance(event, Tombstone) else event,
            )
            value = None if envelope.event is None else envelope.event.model_dump_json().encode()
            headers = envelope.attributes.headers()
            await self._producer.send_and_wait(topic_of(model).name, value, subject.encode(), headers=headers)
            sent.append(envelope)
        return sent

    async def read(self, topic: str, *, subject: str | None = None) -> list[Envelope]:
        """Everything that is on a topic of events now, or what is there of one aggregate, in order per aggregate."""
        records = await self.read_raw(topic)
        if subject is not None:
            # By the key, which is the subject: what others wrote to the topic may not be readable at all.
            records = [record for record in records if record.key == subject.encode()]
        return [
            Envelope(attributes, decode(attributes.type, record.value) if record.value is not None else None)
            for record in records
            for attributes in [Attributes.from_headers(record.headers)]
        ]

    async def read_raw(self, topic: str) -> list[Any]:
        """Every record that is on a topic now, as aiokafka gives it."""
        consumer = AIOKafkaConsumer(topic, **self.options, auto_offset_reset="earliest", enable_auto_commit=False)
        await consumer.start()
        try:
            # Without a group all partitions are assigned as soon as the topic's metadata is here.
            partitions = await eventually(lambda: _assigned(consumer), f"the topic {topic} is known")
            ends = await consumer.end_offsets(partitions)
            records: list[Any] = []
            while [partition for partition, end in ends.items() if await consumer.position(partition) < end]:
                batches = await consumer.getmany(timeout_ms=200)
                records += [record for batch in batches.values() for record in batch]
            return records
        finally:
            await consumer.stop()


async def _assigned(consumer: AIOKafkaConsumer) -> list[TopicPartition]:
    return sorted(consumer.assignment())
