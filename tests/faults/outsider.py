"""Those who write to topics: a national platform with an ordinary Kafka client, and an operator who is careless."""

import asyncio
from datetime import UTC, datetime
from typing import Any, Final

from confluent_kafka import KafkaError, Message, Producer

from contracts.envelope import Attributes
from contracts.national_platforms import PlatformListed
from contracts.registry import OPERATOR
from mission import place
from mission.demo.platforms.publish import cloud_event, configuration
from mission.platforms import DIRECTORY
from tests.faults.history import Operation, Writer
from tests.faults.world import PLATFORM, SOURCE, World, entry

TOPIC: Final = f"national-platforms.{PLATFORM}.events"
EVERY_SECONDS: Final = 0.4
EVENTS: Final = 20
"""So many events have their state published again and again."""

CARELESS_SECONDS: Final = 10.0
BAD: Final = "pt-bad-"
"""So begins the id of every platform that the directory cannot be read about."""

DELIVERY_MS: Final = 60_000


class Sender:
    """An ordinary producer that notes what the broker answered to each record, whenever that is."""

    def __init__(self, config: dict[str, Any], history: Writer) -> None:
        settings = {"enable.idempotence": True, "message.timeout.ms": DELIVERY_MS, "log_level": 0}
        self._producer = Producer({**settings, **config})
        self._history = history

    def send(self, operation: Operation, topic: str, key: bytes | None, value: bytes, headers: Any) -> None:
        """Hands one record over."""

        def delivered(error: KafkaError | None, message: Message) -> None:
            if error is None:
                self._history.answered(operation, 201, {"offset": message.offset(), "partition": message.partition()})
            else:
                # A record that timed out may have arrived.
                self._history.answered(operation, 0, error.name())

        self._producer.produce(topic, value, key, headers=headers, on_delivery=delivered)
        self._producer.poll(0)

    def poll(self) -> None:
        """Takes note of the answers that are there."""
        self._producer.poll(0)

    async def finish(self) -> None:
        """Waits until every record was answered or has timed out; the answers are noted here, not in a thread."""
        while len(self._producer):
            self._producer.poll(0)
            await asyncio.sleep(0.1)


async def _pause(over: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await over.wait()
    except TimeoutError:
        pass


class Publisher:
    """The national platform: each message is the next state of one of its events."""

    def __init__(self, world: World, history: Writer, over: asyncio.Event) -> None:
        self._sender = Sender(configuration(world.client), history)
        self._history = history
        self._over = over

    async def run(self) -> None:
        """Publishes until the load is over."""
        number = 0
        while not self._over.is_set():
            data = {
                "uid": f"event-{number % EVENTS}",
                "sequence": number // EVENTS,
                "title": {"en": f"Illustrative {number}"},
                "starts_at": "2027-03-01T09:00:00Z",
                "ends_at": "2027-03-01T11:00:00Z",
                "timezone": "Europe/Lisbon",
                "attendance_mode": "online",
            }
            message = {"id": f"m-{number}", "source": SOURCE, "fact": "published", "data": data}
            operation = self._history.asks(PLATFORM, "publish", str(data["uid"]), data)
            record = cloud_event(message, datetime.now(UTC))
            self._sender.send(operation, TOPIC, None, record.value or b"", list(record.headers.items()))
            number += 1
            await _pause(self._over, EVERY_SECONDS)
        await self._sender.finish()


class Careless:
    """An operator whose script writes what nobody can read into the directory of platforms: provoked dead letters."""

    def __init__(self, history: Writer, over: asyncio.Event) -> None:
        self._sender = Sender(dict(place.stack().kafka.client(OPERATOR)), history)
        self._history = history
        self._over = over

    async def run(self) -> None:
        """Writes a bad record now and then, until the load is over."""
        number = 0
        while not self._over.is_set():
            number += 1
            platform = f"{BAD}{number}"
            self._send("bad-record", platform, 1, b'{"platform": ')
            # In order, so that it has to wait behind the bad one.
            self._send("late-record", platform, 2, entry(platform).model_dump_json().encode())
            for _ in range(int(CARELESS_SECONDS)):
                self._sender.poll()
                await _pause(self._over, 1.0)
        await self._sender.finish()

    def _send(self, kind: str, platform: str, version: int, value: bytes) -> None:
        attributes = Attributes(
            id=f"{platform}/{version}",
            source=f"/{OPERATOR}",
            type=PlatformListed.type,
            subject=platform,
            time=datetime.now(UTC),
            aggregateversion=version,
        )
        operation = self._history.asks("careless operator", kind, platform, {"version": version})
        self._sender.send(operation, DIRECTORY, platform.encode(), value, list(attributes.headers()))
