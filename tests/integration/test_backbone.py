"""What every service stands on, on the real broker and the real store, with faults."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack

import pytest
from confluent_kafka import OFFSET_END
from confluent_kafka import TopicPartition as Place
from pymongo import InsertOne, UpdateOne

from contracts import registration as facts
from contracts.envelope import Attributes, Envelope
from infra.local.stack import LocalStack
from shared import telemetry
from shared.ids import new_id
from shared.problems import NotYetKnown, trace_id
from shared.service import Service
from shared.store import Transaction
from shared.testing import Topics, eventually
from tests.integration import backbone
from tests.integration.backbone import City


async def _outage(reader: Service) -> bool:
    return any("outage" not in line and "events" in line for line in await reader.missing())


def empty(stack: LocalStack, topic: str) -> None:
    """Removes every record of a topic."""
    admin = stack.kafka.admin()
    partitions = admin.list_topics(topic).topics[topic].partitions
    wanted = [Place(topic, number, OFFSET_END) for number in partitions]
    for removed in admin.delete_records(wanted).values():
        removed.result()


async def test_a_write_has_its_effect_elsewhere_once_and_in_order(stack: LocalStack, producer: Service) -> None:
    async with backbone.running(stack, backbone.READER) as reader:
        await backbone.applied(reader, await backbone.story(producer, 20, 5), 5)


async def test_a_repeat_on_the_topic_has_no_second_effect(stack: LocalStack, producer: Service, topics: Topics) -> None:
    async with backbone.running(stack, backbone.READER) as reader:
        cities = await backbone.story(producer, 3, 2)
        await backbone.applied(reader, cities, 2)
        # What a relay does that died between the broker's acknowledgement and its mark.
        await producer.store.db["outbox"].update_many({}, {"$set": {"published": False}})
        more = await backbone.story(producer, 1, 1)
        await backbone.applied(reader, more, 1)
        await backbone.applied(reader, cities, 2)

        records = [r for r in await topics.read_raw(backbone.TOPIC) if r.key == cities[0].id.encode()]
        assert len(records) == 4, "the relay has sent both events again"
        first, repeat = records[:2], records[2:]
        assert [(r.value, r.headers) for r in first] == [(r.value, r.headers) for r in repeat], (
            "repeats are the same bytes"
        )


async def test_what_a_transaction_gathers_is_seen_by_its_reads_and_not_overtaken_by_what_it_deletes(
    producer: Service,
) -> None:
    first, second, third = (new_id("city") for _ in range(3))
    together: list[list[str]] = []

    async def keep(tx: Transaction, ids: list[str]) -> None:
        together.append(ids)
        for id in ids:
            tx.defer(backbone.CITIES, InsertOne({"_id": id, "version": 1, "counter": 0}))

    async def work(tx: Transaction) -> int:
        tx.gather(keep, first)
        tx.gather(keep, second)
        await tx.delete(backbone.CITIES, {"_id": first})
        tx.defer(backbone.CITIES, UpdateOne({"_id": second}, {"$inc": {"counter": 1}}))
        tx.gather(keep, third)
        return (await tx.require(backbone.CITIES, second)).counter

    assert await producer.store.transaction(work) == 1
    assert together == [[first, second], [third]]
    left = await producer.store.values(backbone.CITIES, {"_id": {"$in": [first, second, third]}})
    assert sorted(left) == sorted([second, third])


async def test_an_event_that_refers_to_something_unknown_waits_for_it(stack: LocalStack, producer: Service) -> None:
    early, late = await backbone.write_city(producer), City(id=new_id("city"))

    async def needs_late(tx: Transaction, envelope: Envelope) -> None:
        if envelope.attributes.subject == early.id and await tx.get(backbone.SEEN, late.id) is None:
            raise NotYetKnown("city", late.id)

    inbox = backbone.counting_inbox(before=needs_late)
    early = await backbone.write_city(producer, early)
    others = await backbone.story(producer, 5, 2)
    async with backbone.running(stack, backbone.READER, inbox) as reader:
        await backbone.applied(reader, others, 2)
        assert not await backbone.orders(reader, early)
        await backbone.write_city(producer, late)
        await backbone.applied(reader, [early], 2)


async def test_what_waits_is_tried_once_however_many_look_for_it(stack: LocalStack, producer: Service) -> None:
    late = new_id("city")
    waiting = await backbone.story(producer, 20, 2)
    tried: Counter[str] = Counter()

    async def needs_late(tx: Transaction, envelope: Envelope) -> None:
        if envelope.attributes.subject in {city.id for city in waiting}:
            if await tx.get(backbone.SEEN, late) is None:
                raise NotYetKnown("city", late)
            tried[envelope.attributes.id] += 1

    others = await backbone.story(producer, 2, 2)
    async with backbone.running(stack, backbone.READER, backbone.counting_inbox(before=needs_late)) as reader:
        await backbone.applied(reader, others, 2)
        await reader.store.raw(backbone.SEEN).insert_one({"_id": late})
        (consumer,) = reader.consumers
        ours = {"state": {"$in": [f"{backbone.TOPIC} {city.id}" for city in waiting]}}
        await asyncio.gather(*(consumer.applier.take_up(ours) for _ in range(3)))
        await backbone.applied(reader, waiting, 2)
    assert set(tried.values()) == {1}


async def test_an_outage_of_the_database_loses_nothing_and_makes_no_dead_letter(
    stack: LocalStack, producer: Service, topics: Topics
) -> None:
    async with backbone.running(stack, backbone.READER) as reader:
        cities = await backbone.story(producer, 5, 3)
        await backbone.applied(reader, cities, 3)
        stack.mongo.kill()
        await topics.publish(
            *(facts.CityPublished(city_id=city.id, ground="official-list") for city in cities), version=4
        )
        await eventually(lambda: _outage(reader), "the reader has noticed the outage")
        assert reader.sick() == [], "an outage elsewhere is no reason to restart"
        assert await reader.missing(), "but the reader is not ready"
        await asyncio.to_thread(stack.mongo.start)
        await backbone.applied(reader, cities, 4)
        await backbone.applied(reader, await backbone.story(producer, 3, 2), 2)
        assert not any([await backbone.kept(topics, backbone.READER, city.id) for city in cities])


async def test_the_broker_killed_and_back_loses_nothing(stack: LocalStack, producer: Service) -> None:
    async with backbone.running(stack, backbone.READER) as reader:
        cities = await backbone.story(producer, 5, 2)
        stack.kafka.kill()
        cities = list(await asyncio.gather(*(backbone.write_city(producer, city) for city in cities)))
        await asyncio.to_thread(stack.kafka.start)
        cities = list(await asyncio.gather(*(backbone.write_city(producer, city) for city in cities)))
        await backbone.applied(reader, cities, 4)


async def test_a_newer_version_stops_its_partition_alone(stack: LocalStack, producer: Service, topics: Topics) -> None:
    async with backbone.running(stack, backbone.READER) as reader:
        attributes = Attributes(
            id=new_id("evt"),
            source="/tests",
            type="eu.mission.registration.country.recorded.v9",
            subject="XX",
            time=producer.clock.now(),
            aggregateversion=1,
        )
        await backbone.send(topics, "registration.countries", b"XX", b"{}", attributes.headers())

        async def halted() -> list[str]:
            return [line for line in reader.alerts() if "registration.country.recorded.v9 is newer" in line]

        try:
            await eventually(halted, "the partition has stopped with an alert")
            await backbone.applied(reader, await backbone.story(producer, 10, 2), 2)
            assert not await backbone.kept(topics, backbone.READER, "XX"), (
                "what a newer release understands is no dead letter"
            )
        finally:
            # Later tests read this topic too.
            await asyncio.to_thread(empty, stack, "registration.countries")


async def test_two_instances_share_the_work_and_the_relay(stack: LocalStack) -> None:
    async with AsyncExitStack() as running:
        producers = [
            await running.enter_async_context(backbone.running(stack, backbone.PRODUCER, instance=number))
            for number in (0, 1)
        ]
        readers = [
            await running.enter_async_context(backbone.running(stack, backbone.READER, instance=number))
            for number in (0, 1)
        ]
        first, second = await asyncio.gather(*(backbone.story(producer, 10, 3) for producer in producers))
        await backbone.applied(readers[0], [*first, *second], 3)


async def test_a_consumer_that_hangs_in_silence_is_found_out(
    stack: LocalStack, producer: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.consumer.STALLED_SECONDS", 1.0)
    async with backbone.running(stack, backbone.READER) as reader:
        await backbone.applied(reader, await backbone.story(producer, 3, 1), 1)
        assert reader.sick() == []
        (consumer,) = reader.consumers
        hanging = asyncio.Event()

        async def hang(**_: object) -> None:
            """What aiokafka has been seen to do after a rebalance: it fetches nothing more and says nothing."""
            hanging.set()
            await asyncio.Event().wait()

        monkeypatch.setattr(consumer.client(), "getmany", hang)
        await asyncio.wait_for(hanging.wait(), 30)
        await backbone.story(producer, 3, 1)

        async def found_out() -> list[str]:
            return reader.sick()

        (complaint,) = await eventually(found_out, "the process says that only a restart helps")
        assert "no progress" in complaint


async def test_one_trace_goes_from_the_write_to_its_effect_elsewhere(stack: LocalStack, producer: Service) -> None:
    telemetry.configure_traces(producer.settings)
    traces: dict[str, str | None] = {}

    async def note(tx: Transaction, envelope: Envelope) -> None:
        traces[envelope.attributes.subject] = trace_id()

    async with backbone.running(stack, backbone.READER, backbone.counting_inbox(before=note)) as reader:
        with telemetry.tracer.start_as_current_span("a request") as span:
            city = await backbone.write_city(producer)
        await backbone.applied(reader, [city], 1)
    assert traces[city.id] == f"{span.get_span_context().trace_id:032x}"
