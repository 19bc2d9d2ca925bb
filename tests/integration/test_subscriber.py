"""How records are waited for at the broker."""

import asyncio
import uuid
from types import SimpleNamespace
from typing import Any, cast

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from confluent_kafka.admin import NewTopic

from infra.local.stack import LocalStack
from shared.subscriber import LongPollingSubscriber

BUSY_SECONDS = 0.5
"""Longer than aiokafka waits before it asks for the other partitions; a fetch takes a hundredth of it."""


async def test_what_comes_while_a_batch_is_in_hand_need_not_wait_for_idle_partitions(stack: LocalStack) -> None:
    topic = f"test-{uuid.uuid4().hex}"
    admin = stack.kafka.admin()
    admin.create_topics([NewTopic(topic, num_partitions=2, replication_factor=1)])[topic].result()
    options = stack.kafka.aiokafka()
    busy, idle = TopicPartition(topic, 0), TopicPartition(topic, 1)
    # One at a time, as a batch of a busy service is a part of what was fetched.
    subscriber = cast(Any, SimpleNamespace(max_records=1))
    async with (
        AIOKafkaProducer(**options) as producer,
        AIOKafkaConsumer(
            **options, auto_offset_reset="earliest", fetch_max_wait_ms=120_000, request_timeout_ms=180_000
        ) as consumer,
    ):

        async def send(count: int) -> None:
            batch = producer.create_batch()
            for number in range(count):
                batch.append(key=None, value=b"%d" % number, timestamp=None)
            await (await producer.send_batch(batch, topic, partition=busy.partition))

        async def take() -> None:
            while not await LongPollingSubscriber.get_msg(subscriber, consumer):
                pass

        await send(3)
        consumer.assign((busy, idle))
        async with asyncio.timeout(60):
            await take()
            await asyncio.sleep(BUSY_SECONDS)
            await take()
            await take()
            await send(1)
            await take()
