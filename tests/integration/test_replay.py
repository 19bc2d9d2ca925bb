"""Building the next generation of projections from the log, on the real stack, while the service goes on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
from confluent_kafka import KafkaError
from confluent_kafka.admin import AdminClient

from infra.local.stack import LocalStack
from shared.broker import connection
from shared.clock import Clock
from shared.dead_letters import LETTERS, Action, Decision
from shared.generations import pause
from shared.ids import new_id
from shared.rebuilding import Progress, Rebuilding, Report
from shared.service import Service
from shared.store import Store, Transaction
from shared.testing import eventually
from tests.integration import backbone
from tests.integration.backbone import SEEN, City, Trap


@asynccontextmanager
async def opened(stack: LocalStack) -> AsyncIterator[Store]:
    settings = backbone.settings(stack, backbone.READER)
    store = Store(settings.mongo_url.get_secret_value(), settings.database, settings.service, Clock(None))
    try:
        yield store
    finally:
        store.close()


async def _forgotten(stack: LocalStack) -> bool:
    """Deletes the reader's group, which takes until its members have timed out: they do not leave by themselves."""
    admin = AdminClient(stack.kafka.client("admin"))
    (deleted,) = admin.delete_consumer_groups([f"{backbone.READER}.events"], request_timeout=10).values()
    error = await asyncio.to_thread(deleted.exception, 20)
    return error is None or error.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND


@pytest.fixture
async def reader(stack: LocalStack, trap: Trap) -> AsyncIterator[Service]:
    """A reader that has never read anything, whatever the tests before have left in its store."""
    await eventually(partial(_forgotten, stack), "the reader's offsets are forgotten", 60)
    async with opened(stack) as store:
        for name in await store.db.list_collection_names():
            await store.db.drop_collection(name)
    async with backbone.running(stack, backbone.READER, backbone.counting_inbox(before=trap)) as reader:
        yield reader


@pytest.fixture
async def producer(stack: LocalStack) -> AsyncIterator[Service]:
    async with backbone.running(stack, backbone.PRODUCER) as producer:
        yield producer


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of a size that a test's log has many of, and no waiting for readers that there are not."""
    monkeypatch.setattr("shared.rebuilding.MAX_RECORDS", 20)
    monkeypatch.setattr("shared.rebuilding.READERS_SECONDS", 1.0)


async def rebuild(stack: LocalStack, tell: Any = lambda progress: None, trap: Trap | None = None, **how: Any) -> Report:
    """Builds as the command does: in a process of its own, which knows of the service's store and the log only."""
    inbox = backbone.counting_inbox(before=trap)
    async with opened(stack) as store:
        options = connection(backbone.settings(stack, backbone.READER), "rebuild")
        return await Rebuilding(inbox, store, [SEEN], options, tell).run(**how)


async def cities(producer: Service, number: int, versions: int = 3) -> list[City]:
    async def one() -> City:
        city = await backbone.write_city(producer)
        for _ in range(versions - 1):
            city = await backbone.write_city(producer, city)
        return city

    return [await one() for _ in range(number)]


async def applied(reader: Service, *written: City) -> None:
    """Waits until the reader has had every version of these cities once and in order."""
    wanted = {city.id: list(range(1, city.version + 1)) for city in written}

    async def all_there() -> bool:
        return await backbone.orders(reader, *written) == wanted

    await eventually(all_there, "every event has had its effect once, in order", 60)


async def test_a_generation_is_built_while_writes_go_on_and_takes_over_without_losing_or_doubling_one(
    stack: LocalStack, producer: Service, reader: Service
) -> None:
    before = await cities(producer, 40)
    await applied(reader, *before)
    during: list[City] = []
    done = asyncio.Event()

    async def go_on() -> None:
        while not done.is_set():
            during.extend(await cities(producer, 1))

    writing = asyncio.create_task(go_on())
    heard: list[Progress] = []
    report = await rebuild(stack, heard.append)
    written_before_the_end = len(during)
    done.set()
    await writing
    assert report.comparison.equal, report.comparison.first
    assert report.switched
    assert report.comparison.rows["test_seen"] >= len(before)
    assert written_before_the_end > 0, "writes went on meanwhile"
    assert heard[-1].read > heard[0].read
    assert heard[-1].all >= 120
    await applied(reader, *before, *during)
    assert reader.store.present == 2
    names = set(await reader.store.db.list_collection_names())
    assert {name for name in names if name.startswith("test_seen")} == {"test_seen~2"}
    assert not {name for name in names if name.startswith(("inbox~", "parked~"))}
    again = await rebuild(stack)
    assert again.comparison.equal
    assert again.generation == 3
    await applied(reader, *before, *during, *await cities(producer, 2))


async def test_a_build_that_was_cut_off_goes_on_where_it_was(
    stack: LocalStack, producer: Service, reader: Service
) -> None:
    written = await cities(producer, 40)
    await applied(reader, *written)

    def cut_off(progress: Progress) -> None:
        if progress.read > 60:
            building.cancel()

    building = asyncio.create_task(rebuild(stack, cut_off))
    with pytest.raises(asyncio.CancelledError):
        await building
    await applied(reader, *written, *await cities(producer, 1))
    more: list[Progress] = []
    report = await rebuild(stack, more.append)
    assert more[0].read > 60, "what was read before is not read again"
    assert report.comparison.equal, report.comparison.first
    assert report.switched
    await applied(reader, *written)


async def test_a_difference_is_shown_and_the_present_generation_stays_until_somebody_wants_the_new_one(
    stack: LocalStack, producer: Service, reader: Service
) -> None:
    (city, other) = await cities(producer, 2)
    await applied(reader, city, other)
    await reader.store.raw(SEEN).update_one({"_id": city.id}, {"$set": {"effects": 77}})
    report = await rebuild(stack)
    first = report.comparison.first
    assert first is not None
    assert (first.collection, first.id) == ("test_seen", city.id)
    assert first.fields == {"effects": ("77", "3")}
    assert report.comparison.differing == {"test_seen": 1}
    assert not report.switched
    assert reader.store.present == 1
    wanted = await rebuild(stack, accept=True)
    assert wanted.switched
    assert not wanted.comparison.equal
    row = await eventually(lambda: _present(reader, city), "readers are on the new generation")
    assert row.effects == 3
    await reader.store.raw(SEEN).delete_one({"_id": other.id})
    missing = (await rebuild(stack, switch=False)).comparison.first
    assert missing is not None
    assert (missing.id, missing.fields) == (other.id, {"row": ("nothing", "there")})


async def _present(reader: Service, city: City) -> Any:
    return await reader.store.get(SEEN, city.id) if reader.store.present == 2 else None


async def test_a_dry_run_leaves_nothing_behind(stack: LocalStack, producer: Service, reader: Service) -> None:
    await applied(reader, *await cities(producer, 2))
    report = await rebuild(stack, switch=False)
    assert report.comparison.equal
    assert not report.switched
    assert reader.store.present == 1
    assert not [name for name in await reader.store.db.list_collection_names() if "~" in name]


async def test_what_waits_for_an_operator_waits_in_the_new_generation_and_what_was_given_up_is_not_in_it(
    stack: LocalStack, producer: Service, reader: Service, trap: Trap
) -> None:
    waits, given_up = [await backbone.write_city(producer) for _ in range(2)]
    await applied(reader, waits, given_up)
    trap.cities = {waits.id, given_up.id}
    waits, given_up = [await backbone.write_city(producer, city) for city in (waits, given_up)]

    async def letters() -> list[Any] | None:
        ours = {"open": True, "aggregate": {"$in": [waits.id, given_up.id]}}
        found = await reader.store.find(LETTERS, ours)
        return found if len(found) == 2 else None

    found = {letter.aggregate: letter for letter in await eventually(letters, "two dead letters")}
    waits, given_up = [await backbone.write_city(producer, city) for city in (waits, given_up)]
    trap.cities = {waits.id}
    applier = reader.consumers[0].applier
    await applier.decide(decision(found[given_up.id].id, Action.DROP))

    async def skipped() -> bool:
        return await backbone.orders(reader, given_up) == {given_up.id: [1, 3]}

    await eventually(skipped, "what is behind the one that was given up has its effect")
    report = await rebuild(stack)
    assert report.comparison.equal, report.comparison.first
    assert report.switched
    trap.cities = set()
    await applier.decide(decision(found[waits.id].id, Action.REPLAY))
    await applied(reader, waits)
    assert await backbone.orders(reader, given_up) == {given_up.id: [1, 3]}


def decision(letter: str, action: Action) -> Decision:
    at = Clock(None).now()
    return Decision(id=new_id("dcn"), letter=letter, attempt=1, action=action, by="somebody", why="a test", at=at)


async def test_consumers_go_on_when_who_held_them_is_gone(
    stack: LocalStack, producer: Service, reader: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.generations.PAUSE_SECONDS", 0.5)
    await applied(reader, *await cities(producer, 1))
    async with opened(stack) as store:
        await store.transaction(lambda tx: pause("somebody-who-died", tx))
    await applied(reader, *await cities(producer, 1))


async def test_a_handler_that_projects_and_does_something_else_is_refused(reader: Service) -> None:
    async def write(tx: Transaction) -> None:
        tx.project(SEEN, "city_1", {"effects": 1})

    with pytest.raises(TypeError, match="test_seen"):
        await reader.store.transaction(write)

    async def tell(tx: Transaction) -> None:
        tx.projecting = True
        await tx.save(backbone.CITIES, City(id="city_1"))

    with pytest.raises(TypeError, match="test_cities"):
        await reader.store.transaction(tell)
