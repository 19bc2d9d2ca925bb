"""What every service stands on, on the real broker and the real store, with faults."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import partial

import pytest
from aiokafka import AIOKafkaProducer
from confluent_kafka import OFFSET_END
from confluent_kafka import TopicPartition as Place
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType
from pymongo import InsertOne, UpdateOne

from contracts import registration as facts
from contracts.envelope import Attributes, Envelope
from contracts.registry import dead_letters, replays
from infra.local.stack import LocalStack
from infra.topics import states, wait_until
from mission import letters
from mission.letters import Kept
from shared import outbox, relay, telemetry
from shared.dead_letters import Action, Outcome
from shared.ids import new_id
from shared.problems import NotYetKnown, trace_id
from shared.service import Service
from shared.states import WAITING
from shared.store import Transaction
from shared.testing import Topics, eventually
from tests.integration import backbone
from tests.integration.backbone import City

TOPIC = backbone.CITIES_TOPIC.name


@pytest.fixture
async def producer(stack: LocalStack) -> AsyncIterator[Service]:
    async with backbone.running(stack, backbone.PRODUCER) as service:
        yield service


async def story(producer: Service, cities: int, versions: int) -> list[City]:
    """Many aggregates, each written several times, at once."""
    written = list(await asyncio.gather(*(backbone.write_city(producer) for _ in range(cities))))
    for _ in range(versions - 1):
        written = list(await asyncio.gather(*(backbone.write_city(producer, city) for city in written)))
    return written


async def applied(reader: Service, cities: list[City], versions: int) -> None:
    """Waits until every version of every city had its effect, exactly once and in order."""
    expected = {city.id: list(range(1, versions + 1)) for city in cities}

    async def all_there() -> bool:
        return await backbone.orders(reader, *cities) == expected

    try:
        await eventually(all_there, "every version had its effect once and in order", 60)
    except AssertionError:
        assert await backbone.orders(reader, *cities) == expected


async def kept(topics: Topics, service: str, key: str) -> list[dict[str, bytes]]:
    """The dead letters of a service with this key, as headers with the value under ``""``."""
    records = await topics.read_raw(dead_letters(service))
    return [dict(r.headers) | {"": r.value} for r in records if r.key == key.encode()]


def listed(stack: LocalStack, key: str, *, all: bool = False) -> list[Kept]:
    """What ``mission dead-letters list`` finds of a city."""
    found = letters.letters(stack, backbone.READER, all=all)
    return [kept for kept in found if kept.letter.aggregate == key]


async def one_listed(stack: LocalStack, key: str) -> Kept:
    """The city's one dead letter, when it is there."""

    async def there() -> list[Kept]:
        return await asyncio.to_thread(listed, stack, key)

    (kept,) = await eventually(there, "the bad event is a dead letter")
    return kept


async def decided(stack: LocalStack, chosen: list[Kept], action: Action) -> list[Outcome | None]:
    """What became of what Ada decided on the command line."""
    made = await asyncio.to_thread(letters.decide, stack, chosen, action, "mended", "ada")
    return list((await asyncio.to_thread(letters.outcomes, stack, made)).values())


async def test_a_write_has_its_effect_elsewhere_once_and_in_order(stack: LocalStack, producer: Service) -> None:
    async with backbone.running(stack, backbone.READER) as reader:
        await applied(reader, await story(producer, 20, 5), 5)


async def test_a_repeat_on_the_topic_has_no_second_effect(stack: LocalStack, producer: Service, topics: Topics) -> None:
    async with backbone.running(stack, backbone.READER) as reader:
        cities = await story(producer, 3, 2)
        await applied(reader, cities, 2)
        # What a relay does that died between the broker's acknowledgement and its mark.
        await producer.store.db["outbox"].update_many({}, {"$set": {"published": False}})
        more = await story(producer, 1, 1)
        await applied(reader, more, 1)
        await applied(reader, cities, 2)

        records = [r for r in await topics.read_raw(TOPIC) if r.key == cities[0].id.encode()]
        assert len(records) == 4, "the relay has sent both events again"
        first, repeat = records[:2], records[2:]
        assert [(r.value, r.headers) for r in first] == [(r.value, r.headers) for r in repeat], (
            "repeats are the same bytes"
        )


async def test_an_aborted_write_publishes_nothing(producer: Service, topics: Topics) -> None:
    city = new_id("city")

    async def work(tx: Transaction) -> None:
        event = facts.CityRegistered(city_id=city, authority=backbone.AUTHORITY, origin="official-list")
        await tx.save(backbone.CITIES, City(id=city), event)
        raise RuntimeError("the use case has changed its mind")

    with pytest.raises(RuntimeError):
        await producer.store.transaction(work)
    await story(producer, 1, 1)
    assert await producer.store.get(backbone.CITIES, city) is None
    assert not await topics.read(TOPIC, subject=city)


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


async def test_a_bad_event_harms_nobody_else_and_can_be_replayed(
    stack: LocalStack, producer: Service, topics: Topics
) -> None:
    poisoned: set[tuple[str, int]] = set()

    async def trip(tx: Transaction, envelope: Envelope) -> None:
        if (envelope.attributes.subject, envelope.attributes.aggregateversion) in poisoned:
            raise ValueError("this handler has a bug")

    inbox = backbone.counting_inbox(before=trip)
    bad = await backbone.write_city(producer)
    poisoned.add((bad.id, 2))
    for _ in range(3):
        bad = await backbone.write_city(producer, bad)
    others = await story(producer, 10, 4)
    async with backbone.running(stack, backbone.READER, inbox) as reader:
        await applied(reader, others, 4)

        async def one_letter() -> list[dict[str, bytes]]:
            return await kept(topics, backbone.READER, bad.id)

        (letter,) = await eventually(one_letter, "the bad event is a dead letter")
        assert letter["dl_reason"] == b"ValueError"
        assert b"this handler has a bug" in letter["dl_detail"]
        assert letter["dl_topic"] == TOPIC.encode()
        assert letter["ce_aggregateversion"] == b"2"
        assert (await backbone.orders(reader, bad))[bad.id] == [1], "later events of that city wait behind it"

        (shown,) = await asyncio.to_thread(listed, stack, bad.id)
        (whole,) = await asyncio.to_thread(letters.whole, stack, shown.letter.id)
        assert '"ground": "official-list"' in letters.described(whole)
        poisoned.clear()
        assert await decided(stack, [shown], Action.REPLAY) == [Outcome.APPLIED]
        await applied(reader, [bad], 4)
        assert not await asyncio.to_thread(listed, stack, bad.id)
        (closed,) = await asyncio.to_thread(partial(listed, stack, bad.id, all=True))
        (note,) = closed.letter.decisions
        assert (note.by, note.why, note.action, note.outcome) == ("ada", "mended", "replay", "applied")
        (closed,) = await asyncio.to_thread(letters.whole, stack, shown.letter.id)
        assert (closed.letter.value, closed.letter.headers, closed.letter.detail) == (None, [], "")


async def test_a_letter_that_is_given_up_lets_its_aggregate_go_on(stack: LocalStack, producer: Service) -> None:
    async def trip(tx: Transaction, envelope: Envelope) -> None:
        if (envelope.attributes.subject, envelope.attributes.aggregateversion) == (bad.id, 2):
            raise ValueError("this event is wrong")

    bad = await backbone.write_city(producer)
    for _ in range(3):
        bad = await backbone.write_city(producer, bad)
    async with backbone.running(stack, backbone.READER, backbone.counting_inbox(before=trip)) as reader:
        kept = await one_listed(stack, bad.id)
        assert (await backbone.orders(reader, bad))[bad.id] == [1]
        assert await decided(stack, [kept], Action.DROP) == [Outcome.DROPPED]

        async def went_on() -> bool:
            return (await backbone.orders(reader, bad))[bad.id] == [1, 3, 4]

        await eventually(went_on, "the events behind it have their effects, and it has none")
        await applied(reader, await story(producer, 2, 2), 2)
        assert await decided(stack, [kept], Action.REPLAY) == [None], "what was given up stays so"
        assert (await backbone.orders(reader, bad))[bad.id] == [1, 3, 4]


async def test_a_letter_that_fails_again_is_tried_once_per_decision(stack: LocalStack, producer: Service) -> None:
    mended = asyncio.Event()

    async def trip(tx: Transaction, envelope: Envelope) -> None:
        if envelope.attributes.subject == bad.id and not mended.is_set():
            raise ValueError("not mended yet")

    bad = await backbone.write_city(producer)
    bad = await backbone.write_city(producer, bad)
    async with backbone.running(stack, backbone.READER, backbone.counting_inbox(before=trip)) as reader:
        kept = await one_listed(stack, bad.id)
        # Two operators press at the same moment.
        both = await decided(stack, [kept, kept], Action.REPLAY)
        assert sorted(both, key=str) == [None, Outcome.FAILED]
        again = await one_listed(stack, bad.id)
        assert again.letter.attempt == 2
        assert await decided(stack, [again], Action.REPLAY) == [Outcome.FAILED]
        mended.set()
        assert await decided(stack, [again], Action.REPLAY) == [None], "it was decided about an older failure"
        last = await one_listed(stack, bad.id)
        assert await decided(stack, [last], Action.REPLAY) == [Outcome.APPLIED]
        await applied(reader, [bad], 2)


async def test_a_replayed_letter_can_wait_for_what_is_not_known_yet(stack: LocalStack, producer: Service) -> None:
    mended = asyncio.Event()

    async def needs_late(tx: Transaction, envelope: Envelope) -> None:
        if envelope.attributes.subject == early.id:
            if not mended.is_set():
                raise ValueError("not mended yet")
            if await tx.get(backbone.SEEN, late.id) is None:
                raise NotYetKnown("city", late.id)

    early, late = await backbone.write_city(producer), City(id=new_id("city"))
    early = await backbone.write_city(producer, early)
    async with backbone.running(stack, backbone.READER, backbone.counting_inbox(before=needs_late)) as reader:
        kept = await one_listed(stack, early.id)
        # The relay sends the bad event once more, which then waits behind its own letter.
        await producer.store.db["outbox"].update_many({"aggregate": early.id}, {"$set": {"published": False}})
        await applied(reader, await story(producer, 2, 2), 2)
        mended.set()
        assert await decided(stack, [kept], Action.REPLAY) == [Outcome.WAITS]
        assert not await backbone.orders(reader, early)
        await backbone.write_city(producer, late)
        await applied(reader, [early], 2)
        early = await backbone.write_city(producer, early)
        await applied(reader, [early], 3)


async def test_what_is_no_decision_harms_no_decision(stack: LocalStack, producer: Service, topics: Topics) -> None:
    mended = asyncio.Event()

    async def trip(tx: Transaction, envelope: Envelope) -> None:
        if envelope.attributes.subject == bad.id and not mended.is_set():
            raise ValueError("not mended yet")

    bad = await backbone.write_city(producer)
    async with backbone.running(stack, backbone.READER, backbone.counting_inbox(before=trip)) as reader:
        kept = await one_listed(stack, bad.id)
        mended.set()
        for value in (b"{", None, b'{"letter": "x"}'):
            await send(topics, replays(backbone.READER), b"", value, [])
        assert await decided(stack, [kept], Action.REPLAY) == [Outcome.APPLIED]
        await applied(reader, [bad], 1)
        found = await asyncio.to_thread(
            partial(letters.letters, stack, backbone.READER, topic=replays(backbone.READER))
        )
        assert len(found) == 3, "what the operator's door could not read is kept as well"
        assert await decided(stack, found, Action.DROP) == [Outcome.DROPPED] * 3


async def test_an_event_that_refers_to_something_unknown_waits_for_it(stack: LocalStack, producer: Service) -> None:
    early, late = await backbone.write_city(producer), City(id=new_id("city"))

    async def needs_late(tx: Transaction, envelope: Envelope) -> None:
        if envelope.attributes.subject == early.id and await tx.get(backbone.SEEN, late.id) is None:
            raise NotYetKnown("city", late.id)

    inbox = backbone.counting_inbox(before=needs_late)
    early = await backbone.write_city(producer, early)
    others = await story(producer, 5, 2)
    async with backbone.running(stack, backbone.READER, inbox) as reader:
        await applied(reader, others, 2)
        assert not await backbone.orders(reader, early)
        await backbone.write_city(producer, late)
        await applied(reader, [early], 2)


async def test_many_that_wait_are_taken_up_with_those_that_wait_for_them_and_a_bad_one_alone_is_kept(
    stack: LocalStack, producer: Service
) -> None:
    first = City(id=new_id("city"))
    waiting = await story(producer, 30, 3)
    # The second waits for the first, the third for the second, and so on; one of them is bad when its turn comes.
    before = dict(zip((city.id for city in waiting), (city.id for city in [first, *waiting]), strict=False))
    bad = waiting[-1]

    async def needs_previous(tx: Transaction, envelope: Envelope) -> None:
        city = envelope.attributes.subject
        if city in before:
            if await tx.get(backbone.SEEN, before[city]) is None:
                raise NotYetKnown("city", before[city])
            if city == bad.id:
                raise ValueError("it cannot be applied")

    others = await story(producer, 2, 2)
    async with backbone.running(stack, backbone.READER, backbone.counting_inbox(before=needs_previous)) as reader:
        await applied(reader, others, 2)
        assert not await backbone.orders(reader, *waiting)
        await backbone.write_city(producer, first)
        await applied(reader, [first], 1)
        await applied(reader, waiting[:-1], 3)
        assert (await one_listed(stack, bad.id)).letter.attempt == 1
        left = await reader.store.find(WAITING, {})
        assert [row.state for row in left] == [f"{TOPIC} {bad.id}"] * 2, "what comes behind it waits"


async def test_an_outage_of_the_database_loses_nothing_and_makes_no_dead_letter(
    stack: LocalStack, producer: Service, topics: Topics
) -> None:
    async with backbone.running(stack, backbone.READER) as reader:
        cities = await story(producer, 5, 3)
        await applied(reader, cities, 3)
        stack.mongo.kill()
        await topics.publish(
            *(facts.CityPublished(city_id=city.id, ground="official-list") for city in cities), version=4
        )
        await eventually(lambda: _outage(reader), "the reader has noticed the outage")
        assert reader.sick() == [], "an outage elsewhere is no reason to restart"
        assert await reader.missing(), "but the reader is not ready"
        await asyncio.to_thread(stack.mongo.start)
        await applied(reader, cities, 4)
        await applied(reader, await story(producer, 3, 2), 2)
        assert not any([await kept(topics, backbone.READER, city.id) for city in cities])


async def test_the_broker_killed_and_back_loses_nothing(stack: LocalStack, producer: Service) -> None:
    async with backbone.running(stack, backbone.READER) as reader:
        cities = await story(producer, 5, 2)
        stack.kafka.kill()
        cities = list(await asyncio.gather(*(backbone.write_city(producer, city) for city in cities)))
        await asyncio.to_thread(stack.kafka.start)
        cities = list(await asyncio.gather(*(backbone.write_city(producer, city) for city in cities)))
        await applied(reader, cities, 4)


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
        await send(topics, "registration.countries", b"XX", b"{}", attributes.headers())

        async def halted() -> list[str]:
            return [line for line in reader.alerts() if "registration.country.recorded.v9 is newer" in line]

        try:
            await eventually(halted, "the partition has stopped with an alert")
            await applied(reader, await story(producer, 10, 2), 2)
            assert not await kept(topics, backbone.READER, "XX"), "what a newer release understands is no dead letter"
        finally:
            # Later tests read this topic too.
            await asyncio.to_thread(empty, stack, "registration.countries")


async def test_records_with_broken_headers_are_kept(stack: LocalStack, producer: Service, topics: Topics) -> None:
    async with backbone.running(stack, backbone.READER) as reader:
        key = new_id("city")
        broken: list[list[tuple[str, bytes | None]]] = [[("ce_type", None)], [("ce_id", b"\xff\xfe")], []]
        for headers in broken:
            await send(topics, TOPIC, key.encode(), b"{}", headers)

        async def all_kept() -> bool:
            return len(await kept(topics, backbone.READER, key)) == 3

        await eventually(all_kept, "each broken record is a dead letter")
        await applied(reader, await story(producer, 3, 2), 2)


async def test_a_record_that_the_broker_refuses_holds_back_its_key_alone(
    stack: LocalStack, producer: Service, topics: Topics
) -> None:
    aggregate = new_id("city")

    async def too_large(tx: Transaction) -> None:
        for version, size in ((1, 10), (2, 1_500_000), (3, 10)):
            value = b"x" * size
            tx.emit_record(outbox.record(TOPIC, aggregate, value, [], aggregate=aggregate, version=version))

    await producer.store.transaction(too_large)
    others = await story(producer, 10, 2)

    async def published() -> bool:
        names = {record.key.decode() for record in await topics.read_raw(TOPIC)}
        return {city.id for city in others} | {aggregate} <= names

    await eventually(published, "everything else is published")
    rows = await producer.store.db["outbox"].find({"aggregate": aggregate}).sort("version").to_list(None)
    assert [row["published"] for row in rows] == [True, False, False]
    assert "MessageSizeTooLarge" in rows[1]["reason"]

    # The limit is put right and the service started anew.
    await asyncio.to_thread(limit, stack, TOPIC, 2_000_000)
    try:
        async with backbone.running(stack, backbone.PRODUCER, instance=1):

            async def all_published() -> bool:
                rows = await producer.store.db["outbox"].find({"aggregate": aggregate}).to_list(None)
                return all(row["published"] for row in rows)

            await producer.relay.stop()
            await eventually(all_published, "what was refused is taken now, and what waited behind it")
        records = [record for record in await topics.read_raw(TOPIC) if record.key == aggregate.encode()]
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
    for record in await topics.read_raw(TOPIC):
        if record.key.decode() in found:
            found[record.key.decode()].append(Attributes.from_headers(record.headers).aggregateversion)
    assert found == {city: list(versions) for city in cities}


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
        first, second = await asyncio.gather(*(story(producer, 10, 3) for producer in producers))
        await applied(readers[0], [*first, *second], 3)


async def _outage(reader: Service) -> bool:
    return any("outage" not in line and "events" in line for line in await reader.missing())


def limit(stack: LocalStack, topic: str, size: int) -> None:
    """Makes the broker take larger records of a topic."""
    entry = ConfigEntry("max.message.bytes", str(size), incremental_operation=AlterConfigOpType.SET)
    changed = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    admin = stack.kafka.admin()
    for altered in admin.incremental_alter_configs([changed]).values():
        altered.result()
    wait_until(lambda: any(state.difference for state in states(admin, stack.platforms()) if state.name == topic))


def empty(stack: LocalStack, topic: str) -> None:
    """Removes every record of a topic."""
    admin = stack.kafka.admin()
    partitions = admin.list_topics(topic).topics[topic].partitions
    wanted = [Place(topic, number, OFFSET_END) for number in partitions]
    for removed in admin.delete_records(wanted).values():
        removed.result()


async def send(
    topics: Topics,
    topic: str,
    key: bytes,
    value: bytes | None,
    headers: list[tuple[str, bytes | None]] | list[tuple[str, bytes]],
) -> None:
    """Sends one record as it is."""
    producer = AIOKafkaProducer(**topics.options)
    await producer.start()
    try:
        await producer.send_and_wait(topic, value, key, headers=headers)
    finally:
        await producer.stop()


async def test_a_consumer_that_hangs_in_silence_is_found_out(
    stack: LocalStack, producer: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.consumer.STALLED_SECONDS", 1.0)
    async with backbone.running(stack, backbone.READER) as reader:
        await applied(reader, await story(producer, 3, 1), 1)
        assert reader.sick() == []
        (consumer,) = reader.consumers
        hanging = asyncio.Event()

        async def hang(**_: object) -> None:
            """What aiokafka has been seen to do after a rebalance: it fetches nothing more and says nothing."""
            hanging.set()
            await asyncio.Event().wait()

        monkeypatch.setattr(consumer.client(), "getmany", hang)
        await asyncio.wait_for(hanging.wait(), 30)
        await story(producer, 3, 1)

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
        await applied(reader, [city], 1)
    assert traces[city.id] == f"{span.get_span_context().trace_id:032x}"
