"""Reads a whole topic as the operator, from its start to its present end."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from contracts.registry import OPERATOR
from infra.local.errors import LocalError
from infra.stack import Stack

TIMEOUT: Final = 15.0


@dataclass(frozen=True, slots=True)
class Record:
    """One record as it lies on the broker."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]


def records(stack: Stack, topic: str) -> Iterator[Record]:
    """Every record that is on a topic of one partition now. Raises :class:`LocalError` when the broker is silent."""
    settings = {"group.id": f"{OPERATOR}.reading", "enable.auto.commit": False, "enable.partition.eof": True}
    consumer = Consumer(stack.kafka.client(OPERATOR) | settings)
    try:
        consumer.assign([TopicPartition(topic, 0, 0)])
        while True:
            message = consumer.poll(TIMEOUT)
            if message is None:
                raise LocalError("Kafka does not answer; `make status` shows what is wrong.")
            if error := message.error():
                if error.code() == KafkaError._PARTITION_EOF:
                    return
                raise KafkaException(error)
            headers = tuple((str(header[0]), _bytes(header[1])) for header in message.headers() or ())
            yield Record(message.offset() or 0, _bytes(message.key()), _bytes(message.value()), headers)
    finally:
        consumer.close()


def _bytes(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value
