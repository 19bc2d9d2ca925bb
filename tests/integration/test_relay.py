"""What is committed goes out once and in order, and what the broker refuses harms nobody else."""

import asyncio
from typing import Any

import pytest
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from contracts import registration as facts
from contracts.envelope import Attributes
from infra.local.stack import LocalStack
from infra.topics import states, wait_until
from shared import outbox, relay
from shared.driver import client_of
from shared.ids import new_id
from shared.service import Service
from shared.store import Transaction
from shared.testing import Topics, eventually
from tests.integration import backbone
from tests.integration.backbone import City


def limit(stack: LocalStack, topic: str, size: int) -> None:
    """Makes the broker take larger records of a topic."""
    entry = ConfigEntry("max.message.bytes", str(size), incremental_operation=AlterConfigOpType.SET)
    changed = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    admin = stack.kafka.admin()
    for altered in admin.incremental_alter_configs([changed]).values():
        altered.result()
    wait_until(lambda: any(state.difference for state in states(admin, stack.platforms()) if state.name == topic))


async def test_an_aborted_write_publishes_nothing(producer: Service, topics: Topics) -> None:
    city = new_id("city")

    async def work(tx: Transaction) -> None:
        event = facts.CityRegistered(city_id=city, authority=backbone.AUTHORITY, origin="official-list")
        await tx.save(backbone.CITIES, City(id=city), event)
        raise RuntimeError("the use case has changed its mind")

    with pytest.raises(RuntimeError):
        await producer.store.transaction(work)
    await backbone.story(producer, 1, 1)
    assert await producer.store.get(backbone.CITIES, city) is None
    assert not await topics.read(backbone.TOPIC, subject=city)


async def test_a_record_that_the_broker_refuses_holds_back_its_key_alone(
    stack: LocalStack, producer: Service, topics: Topics
) -> None:
    aggregate = new_id("city")

    async def too_large(tx: Transaction) -> None:
        for version, size in ((1, 10), (2, 1_500_000), (3, 10)):
            value = b"x" * size
            tx.emit_record(outbox.record(backbone.TOPIC, aggregate, value, [], aggregate=aggregate, version=version))

    await producer.store.transaction(too_large)
    others = await backbone.story(producer, 10, 2)

    async def published() -> bool:
        names = {record.key.decode() for record in await topics.read_raw(backbone.TOPIC)}
        return {city.id for city in others} | {aggregate} <= names

    await eventually(published, "everything else is published")
    rows = await producer.store.db["outbox"].find({"aggregate": aggregate}).sort("version").to_list(None)
    assert [row["published"] for row in rows] == [True, False, False]
    assert "MessageSizeTooLarge" in rows[1]["reason"]

    # The limit is put right and the service started anew.
    await asyncio.to_thread(limit, stack, backbone.TOPIC, 2_000_000)
    try:
        async with backbone.running(stack, backbone.PRODUCER, instance=1):

            async def all_published() -> bool:
                rows = await producer.store.db["outbox"].find({"aggregate": aggregate}).to_list(None)
                return all(row["published"] for row in rows)

            await producer.relay.stop()
            await eventually(all_published, "what was refused is taken now, and what waited behind it")
        records = [record for record in await topics.read_raw(backbone.TOPIC) if record.key == aggregate.encode()]
        assert [len(record.value) for record in records] == [10, 1_500_000, 10]
    finally:
        await asyncio.to_thread(stack.apply_registry)


async def test_a_backlog_of_several_batches_is_published_once_and_in_order(
    stack: LocalStack, producer: Service, topics: Topics
) -> None:
    assert producer.relay is not None
    await producer.relay.stop()
    cities = [new_id("city") for _ in range(7)]
    versions = range(1, 3 * relay.BATCH // len(cities))

    async def many(tx: Transaction) -> None:
        for city in cities:
            for version in versions:
                tx.emit(facts.CityPublished(city_id=city, ground="official-list"), city, version)

    await producer.store.transaction(many)
    async with backbone.running(stack, backbone.PRODUCER, instance=1):

        async def nothing_waits() -> bool:
            return not await producer.store.db["outbox"].count_documents({"published": False})

        await eventually(nothing_waits, "the backlog is published")
    found: dict[str, list[int]] = {city: [] for city in cities}
    for record in await topics.read_raw(backbone.TOPIC):
        if record.key.decode() in found:
            found[record.key.decode()].append(Attributes.from_headers(record.headers).aggregateversion)
    assert found == {city: list(versions) for city in cities}


async def test_the_relay_listens_to_what_others_write_once_there_are_any(stack: LocalStack, producer: Service) -> None:
    streams: list[dict[str, Any]] = [
        {"$currentOp": {"allUsers": True, "idleCursors": True}},
        {"$match": {"cursor.originatingCommand.aggregate": outbox.COLLECTION}},
        {"$match": {"cursor.originatingCommand.$db": producer.store.db.name}},
    ]
    client = client_of(stack.mongo.admin_url, "tests")

    async def one() -> bool:
        return len(await client.admin.aggregate(streams).to_list(None)) == 1

    try:
        await backbone.write_city(producer)
        assert not await one()
        async with backbone.running(stack, backbone.PRODUCER, instance=1):
            await eventually(one, "a stream is open at the database")
    finally:
        client.close()
