"""What cannot be applied is kept with its reason, harms nobody else, and is replayed or given up."""

import asyncio
from functools import partial

from contracts.envelope import Envelope
from contracts.registry import replays
from infra.local.stack import LocalStack
from mission import letters
from mission.letters import Kept
from shared.dead_letters import Action, Outcome
from shared.ids import new_id
from shared.problems import NotYetKnown
from shared.service import Service
from shared.states import WAITING
from shared.store import Transaction
from shared.testing import Topics, eventually
from tests.integration import backbone
from tests.integration.backbone import City


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
    others = await backbone.story(producer, 10, 4)
    async with backbone.running(stack, backbone.READER, inbox) as reader:
        await backbone.applied(reader, others, 4)

        async def one_letter() -> list[dict[str, bytes]]:
            return await backbone.kept(topics, backbone.READER, bad.id)

        (letter,) = await eventually(one_letter, "the bad event is a dead letter")
        assert letter["dl_reason"] == b"ValueError"
        assert b"this handler has a bug" in letter["dl_detail"]
        assert letter["dl_topic"] == backbone.TOPIC.encode()
        assert letter["ce_aggregateversion"] == b"2"
        assert (await backbone.orders(reader, bad))[bad.id] == [1], "later events of that city wait behind it"

        (shown,) = await asyncio.to_thread(listed, stack, bad.id)
        (whole,) = await asyncio.to_thread(letters.whole, stack, shown.letter.id)
        assert '"ground": "official-list"' in letters.described(whole)
        poisoned.clear()
        assert await decided(stack, [shown], Action.REPLAY) == [Outcome.APPLIED]
        await backbone.applied(reader, [bad], 4)
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
        await backbone.applied(reader, await backbone.story(producer, 2, 2), 2)
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
        await backbone.applied(reader, [bad], 2)


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
        await backbone.applied(reader, await backbone.story(producer, 2, 2), 2)
        mended.set()
        assert await decided(stack, [kept], Action.REPLAY) == [Outcome.WAITS]
        assert not await backbone.orders(reader, early)
        await backbone.write_city(producer, late)
        await backbone.applied(reader, [early], 2)
        early = await backbone.write_city(producer, early)
        await backbone.applied(reader, [early], 3)


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
            await backbone.send(topics, replays(backbone.READER), b"", value, [])
        assert await decided(stack, [kept], Action.REPLAY) == [Outcome.APPLIED]
        await backbone.applied(reader, [bad], 1)
        found = await asyncio.to_thread(
            partial(letters.letters, stack, backbone.READER, topic=replays(backbone.READER))
        )
        assert len(found) == 3, "what the operator's door could not read is kept as well"
        assert await decided(stack, found, Action.DROP) == [Outcome.DROPPED] * 3


async def test_records_with_broken_headers_are_kept(stack: LocalStack, producer: Service, topics: Topics) -> None:
    async with backbone.running(stack, backbone.READER) as reader:
        key = new_id("city")
        broken: list[list[tuple[str, bytes | None]]] = [[("ce_type", None)], [("ce_id", b"\xff\xfe")], []]
        for headers in broken:
            await backbone.send(topics, backbone.TOPIC, key.encode(), b"{}", headers)

        async def all_kept() -> bool:
            return len(await backbone.kept(topics, backbone.READER, key)) == 3

        await eventually(all_kept, "each broken record is a dead letter")
        await backbone.applied(reader, await backbone.story(producer, 3, 2), 2)


async def test_many_that_wait_are_taken_up_with_those_that_wait_for_them_and_a_bad_one_alone_is_kept(
    stack: LocalStack, producer: Service
) -> None:
    first = City(id=new_id("city"))
    waiting = await backbone.story(producer, 30, 3)
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

    others = await backbone.story(producer, 2, 2)
    async with backbone.running(stack, backbone.READER, backbone.counting_inbox(before=needs_previous)) as reader:
        await backbone.applied(reader, others, 2)
        assert not await backbone.orders(reader, *waiting)
        await backbone.write_city(producer, first)
        await backbone.applied(reader, [first], 1)
        await backbone.applied(reader, waiting[:-1], 3)
        assert (await one_listed(stack, bad.id)).letter.attempt == 1
        left = await reader.store.find(WAITING, {})
        assert [row.state for row in left] == [f"{backbone.TOPIC} {bad.id}"] * 2, "what comes behind it waits"
