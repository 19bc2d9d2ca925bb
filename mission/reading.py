"""Reads topics as the operator, from a moment on to their present end."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from confluent_kafka import OFFSET_END, Consumer, KafkaError, KafkaException, TopicPartition

from contracts.registry import OPERATOR
from infra.local.errors import LocalError
from infra.stack import Stack

TIMEOUT: Final = 15.0


@dataclass(frozen=True, slots=True)
class Record:
    """One record as it lies on the broker. ``time`` is when it was sent, of outsiders' records when it was appended."""

    topic: str
    partition: int
    offset: int
    time: datetime
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]


def records(stack: Stack, topics: Sequence[str], since: datetime | None = None) -> Iterator[Record]:
    """Every record that is on these topics now, those sent before ``since`` left out; in order per partition.

    Raises :class:`LocalError` when the broker is silent.
    """
    settings = {"group.id": f"{OPERATOR}.reading", "enable.auto.commit": False, "enable.partition.eof": True}
    # The broker would wait half a second for more before it says that there is no more. Reading then takes so little
    # time that the library, which still opens a connection to the group's coordinator, complains of the early end.
    settings |= {"fetch.wait.max.ms": 10, "log_level": 0}
    consumer = Consumer(stack.kafka.client(OPERATOR) | settings)
    try:
        present = consumer.list_topics(timeout=TIMEOUT).topics
        places = [
            TopicPartition(topic, number, int(since.timestamp() * 1000) if since else 0)
            for topic in topics
            if topic in present
            for number in present[topic].partitions
        ]
        if since and places:
            found = consumer.offsets_for_times(places, timeout=TIMEOUT)
            places = [place for place in found if place.offset != OFFSET_END]
        consumer.assign(places)
        unread = {(place.topic, place.partition) for place in places}
        while unread:
            message = consumer.poll(TIMEOUT)
            if message is None:
                raise LocalError("Kafka does not answer; `make status` shows what is wrong.")
            if error := message.error():
                if error.code() != KafkaError._PARTITION_EOF:
                    raise KafkaException(error)
                unread.discard((message.topic() or "", message.partition() or 0))
                continue
            yield Record(
                message.topic() or "",
                message.partition() or 0,
                message.offset() or 0,
                datetime.fromtimestamp(message.timestamp()[1] / 1000, UTC),
                _bytes(message.key()),
                _bytes(message.value()),
                tuple((str(header[0]), _bytes(header[1])) for header in message.headers() or ()),
            )
    finally:
        consumer.close()


def _bytes(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value
