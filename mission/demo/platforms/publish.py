"""A national platform's own program: publishes its season of events and reads the answers back.

It knows the published interface (docs/national-platforms.md), an ordinary Kafka client and a CloudEvents library, and
imports nothing of the platform that it writes to::

    python publish.py --config client.properties --platform se-viable-cities --agenda season.json

The agenda is a JSON list of messages in the order in which they are sent. One with ``data`` becomes a CloudEvent; one
with ``raw`` (base64, or null for no value) is sent as it stands, as a careless program might. The outcome is one JSON
object on standard output: where each message lies on the topic, and the receipts.
"""

import argparse
import base64
import json
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cloudevents.core.bindings.kafka import KafkaMessage, to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent
from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition

TYPE = "eu.mission.national-platform.event.{}.v1"
DELIVERY_SECONDS = 30.0


def configuration(path: Path) -> dict[str, Any]:
    """Reads a client.properties file: one ``name=value`` per line."""
    lines = (line.strip() for line in path.read_text().splitlines())
    pairs = (line.split("=", 1) for line in lines if line and not line.startswith("#"))
    return {name.strip(): value.strip() for name, value in pairs}


def cloud_event(message: dict[str, Any], said_at: datetime) -> KafkaMessage:
    """The Kafka message for an entry of the agenda."""
    event = CloudEvent(
        attributes={
            "specversion": "1.0",
            "id": message["id"],
            "source": message["source"],
            "type": message.get("type") or TYPE.format(message["fact"]),
            "subject": message["data"]["uid"],
            "time": said_at,
            "datacontenttype": "application/json",
        },
        data=message["data"],
    )
    return to_structured_event(event) if message.get("structured") else to_binary_event(event)


class Sender:
    """Sends messages in order and knows where each of them came to lie."""

    def __init__(self, config: dict[str, Any]) -> None:
        self._producer = Producer(
            {"enable.idempotence": True, "message.timeout.ms": int(DELIVERY_SECONDS * 1000), "log_level": 0, **config}
        )
        self.offsets: dict[int, int] = {}
        self.refusals: dict[int, str] = {}

    def send(self, topic: str, number: int, value: bytes | None, headers: list[tuple[str, bytes | None]]) -> None:
        """Hands one message over; :meth:`flush` waits for the broker's answer."""

        def delivered(error: KafkaError | None, message: Message) -> None:
            offset = message.offset()
            if error is not None or offset is None:
                self.refusals[number] = error.name() if error else "no offset"
            else:
                self.offsets[number] = offset

        self._producer.produce(topic, value, headers=headers, on_delivery=delivered)  # type: ignore[arg-type]  # the stub forbids a header without a value; Kafka does not
        self._producer.poll(0)

    def flush(self) -> None:
        """Waits until the broker has taken or refused every message."""
        self._producer.flush(DELIVERY_SECONDS)


def receipts(config: dict[str, Any], platform: str, offsets: set[int], seconds: float) -> Iterator[dict[str, Any]]:
    """The receipts for these offsets, each once, until all are there or the time is over."""
    consumer = Consumer(
        {**config, "group.id": f"platform-{platform}.demo", "enable.auto.commit": False, "log_level": 0}
    )
    wanted = {str(offset) for offset in offsets}
    deadline = time.monotonic() + seconds
    try:
        consumer.assign([TopicPartition(f"national-platforms.{platform}.receipts", 0, 0)])
        while wanted and time.monotonic() < deadline:
            message = consumer.poll(0.2)
            if message is None or message.error():
                continue
            key, value = message.key(), message.value()
            name = key.decode() if isinstance(key, bytes) else str(key)
            if value is not None and name in wanted:
                wanted.remove(name)
                yield json.loads(value)
    finally:
        consumer.close()


def main() -> None:
    """Publishes, reads the receipts and reports."""
    parser = argparse.ArgumentParser(description="Publishes a season of events as a national platform.")
    parser.add_argument("--config", type=Path, required=True, help="client.properties with the credentials")
    parser.add_argument("--platform", required=True, help="the platform's id")
    parser.add_argument("--agenda", type=Path, required=True, help="JSON list of messages")
    parser.add_argument("--intrude", help="another platform, to whose topic one message is tried first")
    parser.add_argument("--seconds", type=float, default=60, help="how long to wait for receipts")
    arguments = parser.parse_args()
    config = configuration(arguments.config)
    agenda: list[dict[str, Any]] = json.loads(arguments.agenda.read_text())

    intrusion = None
    if arguments.intrude:
        # A producer of its own: a refusal of one topic must not hold up the messages to another.
        intruder = Sender(config)
        intruder.send(f"national-platforms.{arguments.intrude}.events", 0, b"{}", [])
        intruder.flush()
        intrusion = intruder.refusals.get(0)

    sender = Sender(config)
    topic = f"national-platforms.{arguments.platform}.events"
    said_at: dict[str, datetime] = {}
    for number, message in enumerate(agenda):
        if "data" in message:
            # A message that is repeated is the same to the letter, its time included.
            record = cloud_event(message, said_at.setdefault(message["id"], datetime.now(UTC)))
            sender.send(topic, number, record.value, list(record.headers.items()))
        else:
            raw = message["raw"]
            headers = [(name, value.encode("latin-1")) for name, value in message.get("headers", {}).items()]
            sender.send(topic, number, None if raw is None else base64.b64decode(raw), headers)
    sender.flush()
    answers = list(receipts(config, arguments.platform, set(sender.offsets.values()), arguments.seconds))
    report = {
        "platform": arguments.platform,
        "offsets": sender.offsets,
        "refused": sender.refusals,
        "receipts": answers,
        "intrusion": intrusion,
    }
    json.dump(report, sys.stdout)


if __name__ == "__main__":
    main()
