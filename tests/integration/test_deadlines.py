"""Deadlines on the real store: each fires once, whatever happens to the processes that watch it."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from infra.local.stack import LocalStack
from shared import deadlines
from shared.clock import Clock
from shared.deadlines import Deadline, Deadlines
from shared.ids import new_id
from shared.store import Collection, Document, Store, Transaction
from shared.testing import eventually
from tests.integration import backbone


class Rung(Document):
    """What a deadline's effect leaves behind."""

    times: int = 0


RUNG = Collection("test_rung", Rung)


@pytest.fixture
def stores(stack: LocalStack, tmp_path: Path) -> Iterator[list[Store]]:
    """Two processes' stores of one service, with a clock that the test can move."""
    shift = tmp_path / "clock.json"
    shift.write_text('{"offset_seconds": 0}')
    settings = backbone.settings(stack, "catalogue")
    url, name = settings.mongo_url.get_secret_value(), settings.database
    with ExitStack() as closing:
        made = [Store(url, name, "catalogue", Clock(shift)) for _ in range(2)]
        for store in made:
            closing.callback(store.close)
        yield made


async def ring(tx: Transaction, deadline: Deadline) -> None:
    await tx.update(RUNG, {"_id": deadline.data["bell"]}, {"$inc": {"times": 1}}, upsert=True)


async def set_bells(store: Store, count: int, after: timedelta, kind: str = "ring") -> list[str]:
    bells = [new_id("bell") for _ in range(count)]

    async def work(tx: Transaction) -> None:
        for bell in bells:
            deadlines.at(tx, kind, store.clock.now() + after, {"bell": bell}, id=bell)

    await store.transaction(work)
    return bells


async def rung(store: Store, bells: list[str]) -> list[int]:
    return [bell.times for bell in await store.find(RUNG, {"_id": {"$in": bells}})]


async def test_each_deadline_fires_once_across_instances(stores: list[Store]) -> None:
    bells = await set_bells(stores[0], 40, timedelta(0))
    watchers = [Deadlines(), Deadlines()]
    for watcher, store in zip(watchers, stores, strict=True):
        watcher.on("ring")(ring)
        watcher.start(store)
    try:
        await eventually(lambda: _all(stores[0], bells), "every bell has rung")
        assert await stores[0].count(deadlines.DEADLINES, {"_id": {"$in": bells}}) == 0
        assert await rung(stores[0], bells) == [1] * 40
    finally:
        for watcher in watchers:
            await watcher.stop()


async def test_the_clock_of_a_local_platform_can_be_moved(stores: list[Store], tmp_path: Path) -> None:
    (bell,) = await set_bells(stores[0], 1, timedelta(days=30), "ring-later")
    (cancelled,) = await set_bells(stores[0], 1, timedelta(days=30), "ring-later")
    await stores[0].transaction(lambda tx: deadlines.cancel(tx, cancelled))
    watcher = Deadlines()
    watcher.on("ring-later")(ring)
    watcher.start(stores[0])
    try:
        (now,) = await set_bells(stores[0], 1, timedelta(0), "ring-later")
        await eventually(lambda: _all(stores[0], [now]), "what is due now has rung")
        assert await rung(stores[0], [bell]) == []
        (tmp_path / "clock.json").write_text(json.dumps({"offset_seconds": 31 * 24 * 3600}))
        await eventually(lambda: _all(stores[0], [bell]), "a month later it rings")
        assert await rung(stores[0], [cancelled]) == []
    finally:
        await watcher.stop()


async def test_one_that_fails_holds_nothing_up_and_loses_nothing(stores: list[Store]) -> None:
    broken = True

    async def fragile(tx: Transaction, deadline: Deadline) -> None:
        await ring(tx, deadline)
        if broken:
            raise ValueError("not today")

    watcher = Deadlines()
    watcher.on("fragile")(fragile)
    watcher.on("sound")(ring)
    (bad,) = await set_bells(stores[0], 1, timedelta(0), "fragile")
    (good,) = await set_bells(stores[0], 1, timedelta(0), "sound")
    watcher.start(stores[0])
    try:
        await eventually(lambda: _all(stores[0], [good]), "the other one has rung")
        assert await rung(stores[0], [bad]) == []
        assert await stores[0].get(deadlines.DEADLINES, bad) is not None
        broken = False
        # What the waiting time between two attempts comes to.
        await stores[0].db["deadlines"].update_one({"_id": bad}, {"$unset": {"claimed_until": ""}})
        await eventually(lambda: _all(stores[0], [bad]), "it rings when it can")
        assert await rung(stores[0], [bad]) == [1]
    finally:
        await watcher.stop()


async def _all(store: Store, bells: list[str]) -> bool:
    await asyncio.sleep(0)
    return len(await rung(store, bells)) == len(bells)
