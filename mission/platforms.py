"""Opens the door for a national platform: its topics, its user, its entry in the directory."""

from pathlib import Path
from typing import Final

from confluent_kafka import KafkaError, Producer

from contracts.envelope import Attributes, decode, event_id
from contracts.national_platforms import PlatformListed
from contracts.registry import OPERATOR, topic_of
from infra.local.errors import LocalError
from infra.stack import Stack
from mission import clock
from mission.reading import TIMEOUT, records

DIRECTORY: Final = topic_of(PlatformListed).name


def listed(stack: Stack) -> dict[str, tuple[int, PlatformListed]]:
    """The directory as it is now: each platform's newest entry and its version."""
    entries: dict[str, tuple[int, PlatformListed]] = {}
    for record in records(stack, [DIRECTORY]):
        if record.value is not None:
            attributes = Attributes.from_headers(record.headers)
            event = decode(attributes.type, record.value)
            if isinstance(event, PlatformListed):
                entries[event.platform] = attributes.aggregateversion, event
    return entries


def add(stack: Stack, *entries: PlatformListed) -> list[Path]:
    """Adds platforms, or gives their entries in the directory a new version; the same again changes nothing.

    Returns for each the path of a client configuration that it can use as it is. Raises :class:`LocalError` when the
    broker does not take one.
    """
    properties = stack.add_platforms([entry.platform for entry in entries])
    known = listed(stack)
    for entry in entries:
        version, present = known.get(entry.platform, (0, None))
        if present != entry:
            _publish(stack, entry, version + 1)
    return properties


def _publish(stack: Stack, entry: PlatformListed, version: int) -> None:
    attributes = Attributes(
        id=str(event_id(entry.aggregate_id, version, 0)),
        source=f"/{OPERATOR}",
        type=entry.type,
        subject=entry.aggregate_id,
        time=clock.now(),
        aggregateversion=version,
        actor=OPERATOR,
    )
    refusals: list[KafkaError | None] = []
    # Not idempotent: to get a producer's id takes half a second, and readers know a version that comes twice.
    producer = Producer({**stack.kafka.client(OPERATOR), "log_level": 0})
    producer.produce(
        DIRECTORY,
        entry.model_dump_json().encode(),
        entry.aggregate_id.encode(),
        headers=list(attributes.headers()),
        on_delivery=lambda error, _: refusals.append(error),
    )
    producer.flush(TIMEOUT)
    if refusals != [None]:
        raise LocalError(f"{entry.platform} is not in the directory: {refusals[0] if refusals else 'Kafka is away'}.")
