"""FastStream's batch subscriber, made to hand over records as they are and to wait for them at the broker."""

from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from faststream.kafka import KafkaMessage
from faststream.kafka.message import KafkaAckableMessage
from faststream.kafka.subscriber.usecase import BatchSubscriber

Records = tuple[ConsumerRecord[Any, Any], ...]
PREFETCH_SECONDS = 5.0
"""How long records that were fetched may wait for the batch in hand before others are fetched.

While a request waits at the broker, aiokafka sends no other. After its own 0.1 s it would ask for the partitions of
which it holds nothing, which are the idle ones, and what comes to the busy ones meanwhile would not be seen until that
request has waited its whole time.
"""


class LongPollingSubscriber(BatchSubscriber):
    """Waits at the broker for records; FastStream's own sleeps after each empty poll, which costs latency and time."""

    __slots__ = ()

    async def get_msg(self, consumer: AIOKafkaConsumer) -> Records:
        fetcher: Any = consumer._fetcher
        fetcher._prefetch_backoff = PREFETCH_SECONDS  # the library has no option for it
        batches = await consumer.getmany(timeout_ms=1000, max_records=self.max_records)
        return tuple(record for records in batches.values() for record in records)


async def keep_raw(message: Records) -> KafkaMessage:
    """A parser that cannot fail: FastStream's own drops records with null or non-UTF-8 headers without a trace."""
    return KafkaAckableMessage(body=b"", raw_message=message, consumer=_NO_CONSUMER)


class _NoConsumer:
    """Offsets are committed by :class:`Consumer` alone."""

    async def commit(self) -> None:
        raise AssertionError("offsets are committed by shared.consumer")

    def seek(self, partition: TopicPartition, offset: int) -> None:
        raise AssertionError("offsets are moved by shared.consumer")


_NO_CONSUMER = _NoConsumer()


async def keep_undecoded(message: KafkaMessage) -> Records:
    """A decoder that hands over the records as they are."""
    assert isinstance(message.raw_message, tuple)
    return message.raw_message
