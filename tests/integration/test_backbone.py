"""What every service stands on, on the real broker and the real store."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from infra.local.stack import LocalStack
from shared.service import Service
from tests.integration import backbone


@pytest.fixture
async def producer(stack: LocalStack) -> AsyncIterator[Service]:
    async with backbone.running(stack, backbone.PRODUCER) as service:
        yield service


async def test_a_write_has_its_effect_elsewhere_once_and_in_order(stack: LocalStack, producer: Service) -> None:
    async with backbone.running(stack, backbone.READER, backbone.counting_inbox()) as reader:
        cities = await asyncio.gather(*(backbone.write_city(producer) for _ in range(20)))
        for _ in range(4):
            cities = await asyncio.gather(*(backbone.write_city(producer, city) for city in cities))

        async def all_seen() -> bool:
            seen = await reader.store.find(backbone.SEEN, {"_id": {"$in": [city.id for city in cities]}})
            return len(seen) == 20 and all(row.order == [1, 2, 3, 4, 5] for row in seen)

        await backbone.eventually(all_seen, "all five versions of all cities were applied in order")
