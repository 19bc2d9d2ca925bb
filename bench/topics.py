"""Records in topics: written in bulk, and how fast a group takes them, as the broker tells."""

import asyncio
import time
from collections.abc import Iterable, Sequence
from typing import Final

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from bench import payload
from bench.figures import interleaved
from bench.ground import PARTITIONS, Ground

PATIENCE_SECONDS: Final = 120.0
LOOK_SECONDS: Final = 0.02
Record = tuple[str, str | bytes, list[tuple[str, str | bytes | None]]]
"""Key, value and headers."""


def records(events: Iterable[tuple[str, int]]) -> list[Record]:
    """The record of each (city, version)."""
    return [
        (city, payload.event(city, version).model_dump_json(), [*payload.headers(city, version)])
        for city, version in events
    ]


def publish(ground: Ground, topic: str, what: Iterable[Record]) -> None:
    """Writes records durably and in order, to the partitions that the platform would use.

    Raises :class:`RuntimeError` when the broker did not take all of them.
    """
    options = {
        "acks": "all",
        "enable.idempotence": True,
        "linger.ms": 20,
        "log_level": 3,  # a coordinator that still loads is no news
        "batch.size": 64 * 1024,  # the default is more than a topic takes in one piece
        "partitioner": "murmur2_random",  # aiokafka's and Java's choice; librdkafka's own is another
    }
    refused: list[KafkaError] = []

    def answered(error: KafkaError | None, _: Message) -> None:
        if error is not None:
            refused.append(error)

    producer = Producer(ground.stack.kafka.client() | options)
    for key, value, headers in what:
        while True:
            try:
                producer.produce(topic, value, key, headers=headers, on_delivery=answered)
                break
            except BufferError:
                producer.poll(0.1)
    left = producer.flush(PATIENCE_SECONDS)
    if left or refused:
        raise RuntimeError(f"{topic} did not take {left + len(refused)} records: {refused[:1]}")


def _partitions(topic: str) -> list[TopicPartition]:
    return [TopicPartition(topic, number) for number in range(PARTITIONS)]


def ends(admin: AdminClient, topic: str) -> list[TopicPartition]:
    """The end of each partition."""
    futures = admin.list_offsets({partition: OffsetSpec.latest() for partition in _partitions(topic)})
    return [TopicPartition(topic, each.partition, future.result().offset) for each, future in futures.items()]


async def end(admin: AdminClient, topic: str) -> int:
    """How many records the topic has."""
    return sum(partition.offset for partition in await asyncio.to_thread(ends, admin, topic))


async def committed(admin: AdminClient, group: str, topic: str) -> int:
    """How many records of the topic the group has committed; 0 while the group has no coordinator."""
    futures = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group, _partitions(topic))])
    try:
        found = await asyncio.wrap_future(futures[group])
    except KafkaException:
        return 0
    return sum(max(partition.offset, 0) for partition in found.topic_partitions or ())


async def pace(ground: Ground, topic: str, group: str, what: Sequence[Record]) -> float:
    """Publishes to a topic all at once; how many records a second the group commits, from its first commit on.

    Raises :class:`RuntimeError` when it does not commit all of them.
    """
    admin = ground.stack.kafka.admin()
    before = await end(admin, topic)
    until = before + len(what)
    first: tuple[float, int] | None = None
    published = asyncio.create_task(asyncio.to_thread(publish, ground, topic, what))
    deadline = time.perf_counter() + PATIENCE_SECONDS
    while True:
        at = await committed(admin, group, topic)
        now = time.perf_counter()
        if first is None and at > before:
            first = now, at
        if first is not None and at >= until:
            await published
            assert await end(admin, topic) == at == until, f"{topic} has other records too"
            return (at - first[1]) / (now - first[0])
        if published.done():
            published.result()
        if now > deadline:
            raise RuntimeError(f"{group} has committed {at} of {until} records of {topic}")
        await asyncio.sleep(LOOK_SECONDS)


async def paces(
    ground: Ground, ours: tuple[str, str], bare: tuple[str, str], rounds: Sequence[Sequence[Record]]
) -> tuple[list[float], list[float]]:
    """The :func:`pace` of two (topic, group) by turns, at the same records."""
    sides = {"ours": ours, "bare": bare}

    async def one(side: str, number: int) -> float:
        return await pace(ground, *sides[side], rounds[number])

    return await interleaved(len(rounds), one)
