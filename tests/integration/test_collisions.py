"""Who writes to the same: a process that was killed in a transaction, one that works on, a batch among busy writers."""

import asyncio
import random
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack

import pytest
from pymongo import UpdateOne

from contracts.envelope import Envelope
from infra.local.stack import ROOT, LocalStack
from shared.clock import Clock
from shared.ids import new_id
from shared.store import Collection, Document, Store, Transaction
from shared.testing import eventually
from tests.integration import backbone

LOOKS = 25
LOOK_SECONDS = 0.2
CITIES = 40
HANDLER_SECONDS = 0.025
BUSY_SECONDS = 0.01

HOLDER = """
import asyncio, sys
from shared.clock import Clock
from shared.store import Store, Transaction

async def hold(tx: Transaction) -> None:
    await tx.raw("test_held").update_one({"_id": sys.argv[1]}, {"$set": {"by": "killed"}}, session=tx.session)
    print("written", flush=True)
    await asyncio.Event().wait()

url, name = sys.stdin.readline().split()
asyncio.run(Store(url, name, "catalogue", Clock()).transaction(hold))
"""


class Held(Document):
    """Something that two processes write to."""

    by: str = ""


HELD = Collection("test_held", Held)


@pytest.fixture
def address(stack: LocalStack) -> tuple[str, str]:
    """Where the service's own user finds its database."""
    settings = backbone.settings(stack, "catalogue")
    return settings.mongo_url.get_secret_value(), settings.database


@pytest.fixture
def stores(address: tuple[str, str]) -> Iterator[list[Store]]:
    """Two processes' stores of one service."""
    with ExitStack() as closing:
        made = [Store(*address, "catalogue", Clock()) for _ in range(2)]
        for store in made:
            closing.callback(store.close)
        yield made


async def write(store: Store, held: Held, by: str) -> Held:
    async def work(tx: Transaction) -> Held:
        present = await tx.get(HELD, held.id) or held
        return await tx.save(HELD, present.model_copy(update={"by": by}))

    return await store.transaction(work)


async def test_a_killed_process_does_not_hold_up_who_writes_to_the_same(
    stores: list[Store], address: tuple[str, str]
) -> None:
    held = await write(stores[0], Held(id=new_id("held")), "first")
    command = (sys.executable, "-c", HOLDER, held.id)
    pipe = asyncio.subprocess.PIPE
    holder = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdin=pipe, stdout=pipe)
    assert holder.stdin is not None
    assert holder.stdout is not None
    holder.stdin.write(f"{' '.join(address)}\n".encode())
    assert await holder.stdout.readline() == b"written\n"
    holder.kill()
    await holder.wait()
    await write(stores[0], held, "second")
    assert (await stores[1].require(HELD, held.id)).by == "second"


async def test_a_long_transaction_that_goes_on_is_left_alone(stores: list[Store]) -> None:
    held = await write(stores[0], Held(id=new_id("held")), "first")
    begun, written = 0, asyncio.Event()

    async def long(tx: Transaction) -> None:
        nonlocal begun
        begun += 1
        await tx.save(HELD, (await tx.require(HELD, held.id)).model_copy(update={"by": "long"}))
        written.set()
        for _ in range(LOOKS):
            await tx.count(HELD, {"_id": held.id})
            await asyncio.sleep(LOOK_SECONDS)

    lasting = asyncio.create_task(stores[0].transaction(long))
    await written.wait()
    after = await write(stores[1], held, "after")
    await lasting
    assert begun == 1
    assert (after.by, after.version) == ("after", 3)


async def test_a_batch_is_applied_although_others_write_to_the_same_all_the_time(stack: LocalStack) -> None:
    async with backbone.running(stack, backbone.PRODUCER) as producer:
        cities = await asyncio.gather(*(backbone.write_city(producer) for _ in range(CITIES)))
        ids = [city.id for city in cities]

        async def outbox_empty() -> bool:
            return not await producer.store.raw("outbox").count_documents({"published": False})

        await eventually(outbox_empty, "all events are published")

    async def take_time(_: Transaction, envelope: Envelope) -> None:
        if envelope.attributes.subject in ids:
            await asyncio.sleep(HANDLER_SECONDS)

    async with backbone.running(stack, backbone.READER, backbone.counting_inbox(before=take_time)) as reader:

        async def write_to_one_after_the_other() -> None:
            while True:
                touch = {"$inc": {"touched": 1}}
                await reader.store.raw(backbone.SEEN).update_one({"_id": random.choice(ids)}, touch, upsert=True)
                await asyncio.sleep(BUSY_SECONDS)

        busy = asyncio.create_task(write_to_one_after_the_other())
        try:

            async def all_applied() -> bool:
                return await backbone.orders(reader, *cities) == {id: [1] for id in ids}

            await eventually(all_applied, "every event had its effect once, while others wrote", 60)
        finally:
            busy.cancel()
            await asyncio.gather(busy, return_exceptions=True)


async def test_instances_that_write_to_one_row_all_the_time_have_every_effect_once(stack: LocalStack) -> None:
    common = new_id("city")

    async def count(tx: Transaction, envelope: Envelope) -> None:
        if envelope.attributes.subject in ids:
            tx.defer(backbone.SEEN, UpdateOne({"_id": common}, {"$inc": {"effects": 1}}, upsert=True))

    async with AsyncExitStack() as running:
        producer = await running.enter_async_context(backbone.running(stack, backbone.PRODUCER))
        cities = await backbone.story(producer, CITIES, 5)
        ids = {city.id for city in cities}
        inboxes = [backbone.counting_inbox(before=count) for _ in range(2)]
        reader, _ = [
            await running.enter_async_context(backbone.running(stack, backbone.READER, inbox, instance=number))
            for number, inbox in enumerate(inboxes)
        ]
        await backbone.applied(reader, cities, 5)
        for _ in range(5):
            cities = list(await asyncio.gather(*(backbone.write_city(producer, city) for city in cities)))
        await backbone.applied(reader, cities, 10)
        assert (await reader.store.require(backbone.SEEN, common)).effects == 10 * CITIES
