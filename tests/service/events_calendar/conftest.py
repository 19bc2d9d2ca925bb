"""The calendar on the real stack, and outsiders who write to it with an ordinary client."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from infra.local.stack import LocalStack
from services.events_calendar.main import create_app
from shared.ids import new_id
from shared.testing import Tokens, Topics, eventually, serving
from tests.service.conftest import SettingsFor
from tests.unit.events_calendar import messages

Answer = dict[str, Any]


@pytest.fixture
async def calendar(settings_for: SettingsFor, tokens: Tokens) -> AsyncIterator[httpx.AsyncClient]:
    """One instance of the service."""
    async with serving(create_app(settings_for("events-calendar"))) as client:
        yield client


@pytest.fixture
def organiser(tokens: Tokens) -> dict[str, str]:
    """The headers of somebody who may organise everything."""
    return tokens.bearer(new_id("prs"), roles=["organiser"])


def in_days(days: float, hour: int = 10, zone: str = "Europe/Lisbon") -> dict[str, Any]:
    """A wall-clock time so many days from now, as request bodies have it."""
    day = (datetime.now(UTC) + timedelta(days=days)).date()
    return {"local": f"{day}T{hour:02d}:00:00", "zone": zone}


def session_body(**changes: Any) -> dict[str, Any]:
    """A tool training in ten days that everybody can book; None takes a field out."""
    body: dict[str, Any] = {
        "kind": "tool-training",
        "title": {"en": "Training: the planner"},
        "starts": in_days(10),
        "ends": in_days(10, 12),
        "online_url": "https://meet.example/1",
    }
    return {name: value for name, value in (body | changes).items() if value is not None}


async def scheduled(calendar: httpx.AsyncClient, organiser: dict[str, str], **changes: Any) -> Answer:
    """A session that was scheduled."""
    answer = await calendar.post("/sessions", json=session_body(**changes), headers=organiser)
    assert answer.status_code == 201, answer.text
    session: Answer = answer.json()
    return session


def properties(path: Path) -> dict[str, str]:
    """A client's configuration as it was handed to the platform."""
    return dict(line.split("=", 1) for line in path.read_text().splitlines() if line)


@dataclass
class Outsider:
    """A national platform: a program with confluent-kafka and its own credentials."""

    id: str
    client: dict[str, Any]
    source: str = messages.SOURCE
    _producer: Producer | None = field(default=None, repr=False)

    @property
    def topic(self) -> str:
        return f"national-platforms.{self.id}.events"

    @property
    def receipts_topic(self) -> str:
        return f"national-platforms.{self.id}.receipts"

    def send(
        self, value: bytes | None, headers: list[tuple[str, bytes | None]] | None = None, key: bytes | None = None
    ) -> int:
        """Writes a record and returns its offset."""
        if self._producer is None:
            self._producer = Producer({"message.timeout.ms": 30_000, **self.client})
        sent: list[Any] = []
        self._producer.produce(
            self.topic,
            value,
            key,
            headers=list[Any](headers or ()),
            on_delivery=lambda error, message: sent.append((error, message)),
        )
        self._producer.flush(30)
        error, message = sent[0]
        assert error is None, error
        offset: int = message.offset()
        return offset

    def say(self, content: dict[str, Any], **attributes: Any) -> int:
        """Sends an event in binary mode with an id of its own."""
        return self.send(*messages.binary(content, **{"id": str(uuid4()), "subject": content["uid"], **attributes}))

    def publish(self, **fields: Any) -> int:
        """Publishes an event."""
        return self.say(messages.data(**fields))

    def _read(self, upto: int) -> dict[int, Answer]:
        consumer = Consumer({**self.client, "group.id": f"platform-{self.id}.{uuid4()}", "enable.auto.commit": False})
        try:
            consumer.assign([TopicPartition(self.receipts_topic, 0, 0)])
            found: dict[int, Answer] = {}
            while len(found) <= upto:
                message = consumer.poll(60)
                assert message is not None, f"receipts for {set(range(upto + 1)) - found.keys()} have not come"
                assert message.error() is None, message.error()
                receipt = json.loads(message.value() or b"")
                assert (message.key() or b"").decode() == str(receipt["offset"]), "the key is the offset"
                found[receipt["offset"]] = receipt
            return found
        finally:
            consumer.close()

    async def receipts(self, upto: int) -> dict[int, Answer]:
        """The receipts of all messages up to this offset, by offset."""
        return await asyncio.to_thread(self._read, upto)

    async def receipt(self, offset: int) -> Answer:
        """The receipt of one message."""
        return (await self.receipts(offset))[offset]


@pytest.fixture(scope="session")
def pool(stack: LocalStack) -> Iterator[Outsider]:
    """Platforms that have their credentials before the calendar starts, each for one test."""
    ids = [f"se-{uuid4().hex[:8]}" for _ in range(10)]
    paths = stack.add_platforms(ids)
    return iter([Outsider(id, properties(path)) for id, path in zip(ids, paths, strict=True)])


@pytest.fixture
async def platform(pool: Iterator[Outsider], topics: Topics, calendar: httpx.AsyncClient) -> Outsider:
    """A national platform that is listed and has sent nothing yet."""
    outsider = next(pool)
    await topics.publish(messages.PLATFORM.model_copy(update={"platform": outsider.id}))

    async def listed() -> bool:
        return outsider.id in {one["id"] for one in (await calendar.get("/platforms")).json()["items"]}

    await eventually(listed, "the platform is listed")
    return outsider
