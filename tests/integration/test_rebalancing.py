"""Consumer groups whose members come and go while there is work."""

import asyncio
from collections.abc import Collection
from contextlib import AsyncExitStack

import pytest
from aiokafka import TopicPartition

from contracts.envelope import Envelope
from infra.local.stack import LocalStack
from mission.groups import Asker, expected
from shared.store import Transaction
from shared.testing import eventually
from tests.integration import backbone

GROUP = f"{backbone.READER}.events"
EVENT_SECONDS = 0.1
"""How long one member takes over each event, of which it gets as many: it is at one also when it has to join anew."""
LET_GO_SECONDS = 3.0
"""How long the other member takes to let go of its partitions: longer than from one heartbeat to the next, so that the
first one's request to join waits at the broker for it, whoever of them hears first."""


async def test_a_member_that_joins_in_the_middle_of_the_work_makes_the_group_share_it_anew_once(
    stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A commit sent while the join waits makes the library join again, which meets the next commit, without end."""
    wanted = {GROUP: expected(())[GROUP]}

    async def all_committed() -> bool:
        (group,) = await asker.groups(wanted)
        return not group.behind

    joined = asyncio.Event()

    async def at_it(tx: Transaction, envelope: Envelope) -> None:
        if not joined.is_set():
            await asyncio.sleep(EVENT_SECONDS)

    async with AsyncExitStack() as running:
        asker = await running.enter_async_context(Asker(stack.kafka.aiokafka()))
        producer = await running.enter_async_context(backbone.running(stack, backbone.PRODUCER))
        busy = backbone.counting_inbox(backbone.READER, at_it)
        await running.enter_async_context(backbone.running(stack, backbone.READER, busy))
        other = await running.enter_async_context(backbone.running(stack, backbone.READER, instance=1))
        (slow,) = other.consumers
        times: list[int] = []
        let_go = slow.on_partitions_revoked

        async def let_go_slowly(revoked: Collection[TopicPartition]) -> None:
            times.append(len(revoked))
            await let_go(revoked)
            await asyncio.sleep(LET_GO_SECONDS)

        monkeypatch.setattr(slow, "on_partitions_revoked", let_go_slowly)

        async def write() -> None:
            while not joined.is_set():
                await backbone.write_city(producer)
                await asyncio.sleep(EVENT_SECONDS / 2)

        writing = asyncio.create_task(write())
        await running.enter_async_context(backbone.running(stack, backbone.READER, instance=2))
        joined.set()
        await writing
        await eventually(all_committed, "what was written is taken by the group")
        assert len(times) == 1
