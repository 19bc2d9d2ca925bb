"""Builds the next generation of a service's projections from the log, while the service works on the present one.

Every record of the topics that projections are made of is read again from the beginning, and only what the service has
dealt with itself is taken, by its inbox's states and its group's offsets; so the new generation is never ahead of the
present one, whatever waits or was given up there. Positions and effects are one commit, so a build that was cut off
goes on where it was. The last metres are read while the consumers are held, for a moment (:mod:`shared.generations`).
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata
from pymongo import ASCENDING, DeleteOne, ReplaceOne, UpdateOne

from contracts import registry
from shared import comparing, lenient_records
from shared.builds import BUILD, BUILDS, Build, Busy, begin, drop_others
from shared.comparing import Comparison
from shared.dead_letters import LETTERS, Outcome
from shared.generations import PAUSE_SECONDS, POINTER, pause, release, take_over
from shared.ids import new_id
from shared.inbox import Inbox
from shared.items import Item, Reading
from shared.states import STATES, WAITING, Parked, State, States
from shared.store import PRESENT, Collection, Store, Transaction, is_outage

R = TypeVar("R")
MAX_RECORDS = 500
PAUSES = 5
"""How often the last metres are tried, before the service is said to be too busy."""

TOPICS_SECONDS = 30.0
READERS_SECONDS = 5.0
"""After a switch the former generation stays for so long, for readers that have not looked yet."""

lenient_records.install()
log = structlog.get_logger()


class CannotBuild(Exception):
    """The next generation cannot be built or cannot take over; the text says why. The present one is untouched."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How many records of the log were read, and how many there are."""

    read: int
    all: int


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a build: the comparison, and whether the new generation is the present one now."""

    generation: int
    comparison: Comparison
    switched: bool


class Rebuilding:
    """One build of the projections among ``collections`` by the handlers of ``inbox`` that project.

    ``connection`` are aiokafka's options; ``tell`` hears of the progress.
    """

    def __init__(
        self,
        inbox: Inbox,
        store: Store,
        collections: Sequence[Collection[Any]],
        connection: Mapping[str, Any],
        tell: Callable[[Progress], None],
    ) -> None:
        self._inbox = inbox.projections()
        self._store = store
        self._collections = [collection for collection in collections if collection.projected]
        self._connection = connection
        self._tell = tell
        projected = self._inbox.handlers.keys() | self._inbox.tombstones.keys()
        self._group = f"{inbox.service}.events"
        read = registry.consumer_groups(inbox.service).get(self._group, [])
        self._topics = [topic for topic in read if projected & set(topic.readers[inbox.service])]
        self._reading = Reading(self._inbox, self._topics)
        self._by = new_id("bld")
        self._begins: dict[TopicPartition, int] = {}
        self._halted: set[TopicPartition] = set()
        self._admin = AIOKafkaAdminClient(**connection)
        self._passed: dict[TopicPartition, OffsetAndMetadata] = {}

    async def run(self, *, anew: bool = False, switch: bool = True, accept: bool = False) -> Report:
        """Builds, compares, and switches when both are equal or ``accept`` says that differences are wanted.

        What was cut off goes on where it was, unless ``anew`` says otherwise. Without a switch the new generation is
        thrown away. Raises :class:`CannotBuild`, and ``Busy`` when somebody else builds one.
        """
        build = await begin(self._store, self._by, self._collections, anew=anew)
        self._generation = build.generation
        self._states = Collection(f"{STATES.name}~{build.generation}", State)
        self._waiting = Collection(f"{WAITING.name}~{build.generation}", Parked)
        try:
            async with self._records(build) as consumer:
                await self._catch_up(consumer)
                comparison = await self._last_metres(consumer, self._compare)
                switched = switch and (comparison.equal or accept)
                if switched:
                    await self._catch_up(consumer)
                    await self._last_metres(consumer, self._switch)
        except CannotBuild:
            # By another release or with other data it is built from the beginning.
            await self._end()
            raise
        except (asyncio.CancelledError, KafkaError):
            await self._leave()
            raise
        if switched:
            await asyncio.sleep(READERS_SECONDS)
        await self._end()
        return Report(build.generation, comparison, switched)

    async def _leave(self) -> None:
        """Lets another one go on with this build at once."""
        change = {"$unset": {"at": ""}}
        await self._store.transaction(lambda tx: tx.update(BUILDS, {"_id": BUILD, "owner": self._by}, change))

    async def _end(self) -> None:
        """Leaves nothing behind but the present generation."""
        await self._store.transaction(lambda tx: tx.delete(BUILDS, {"_id": BUILD, "owner": self._by}))
        await drop_others(self._store, self._collections)

    @asynccontextmanager
    async def _records(self, build: Build) -> AsyncIterator[AIOKafkaConsumer]:
        names = [topic.name for topic in self._topics]
        consumer = AIOKafkaConsumer(
            *names,
            **self._connection,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_poll_records=MAX_RECORDS,
        )
        await consumer.start()
        await self._admin.start()
        try:
            # Without a group all partitions are assigned as soon as they are known.
            deadline = time.monotonic() + TOPICS_SECONDS
            while {partition.topic for partition in consumer.assignment()} != set(names):
                if time.monotonic() > deadline:
                    raise CannotBuild(f"The broker does not tell of all of {', '.join(names)}.")
                await asyncio.sleep(0.1)
            partitions = sorted(consumer.assignment())
            self._begins = await consumer.beginning_offsets(partitions)
            reached = {TopicPartition(topic, partition): offset for topic, partition, offset in build.positions}
            for partition, begin in self._begins.items():
                consumer.seek(partition, max(begin, reached.get(partition, 0)))
            yield consumer
        finally:
            await self._admin.close()
            await consumer.stop()

    async def _catch_up(self, consumer: AIOKafkaConsumer) -> None:
        """Reads on until each partition is at its end, or where the service itself has not come further."""
        self._halted = set()
        self._passed = await self._admin.list_consumer_group_offsets(self._group)
        ends = await consumer.end_offsets(list(self._begins))
        all = sum(end - self._begins[partition] for partition, end in ends.items())
        while unread := [p for p, end in ends.items() if p not in self._halted and await consumer.position(p) < end]:
            batches = await consumer.getmany(*unread, timeout_ms=1000, max_records=MAX_RECORDS)
            records = [record for batch in batches.values() for record in batch]
            if records:
                items = [self._reading.item(record) for record in records]
                ends_here = {TopicPartition(r.topic, r.partition): r.offset + 1 for r in records}
                halts = await self._persistently(partial(self._apply, items, ends_here))
                for partition, offset in halts.items():
                    consumer.seek(partition, offset)
                self._halted |= halts.keys()
            read = sum([await consumer.position(p) - begin for p, begin in self._begins.items()])
            self._tell(Progress(read, all))
        await self._take_up()

    async def _persistently(self, work: Callable[[Transaction], Awaitable[R]]) -> R:
        """Runs a transaction; while the database is away it is tried again."""
        while True:
            try:
                return await self._store.transaction(work)
            except Exception as error:
                if not is_outage(error):
                    raise
                log.warning("outage", error=repr(error))
                await asyncio.sleep(1)

    async def _apply(
        self, items: Sequence[Item], ends: Mapping[TopicPartition, int], tx: Transaction
    ) -> dict[TopicPartition, int]:
        """Keeps these records in the new generation; returns where partitions have to wait for the service itself."""
        tx.settle(self._generation)
        concern = [item for item in items if item.concerns_us and not item.by_place]
        ids = {"_id": {"$in": list({item.state for item in concern})}}
        theirs = States((state.id, state) for state in await tx.find(STATES, ids))
        ours = States((state.id, state) for state in await tx.find(self._states, ids))
        given_up = await self._given_up(tx, concern)
        halts: dict[TopicPartition, int] = {}
        changed: dict[str, State] = {}
        for item in concern:
            partition = TopicPartition(item.origin.topic, item.origin.partition)
            if partition in halts:
                continue
            live, state = theirs[item.state], ours[item.state]
            if item.place <= state.reached:
                continue
            passed = self._passed.get(partition)
            applied = item.place <= live.reached
            if state.held or (live.held and not applied):
                row = Parked(id=item.parked_id, state=item.state, **item.kept())
                tx.defer(self._waiting, ReplaceOne({"_id": row.id}, row.model_dump(by_alias=True), upsert=True))
                state.waiting = 1
            elif not applied and (passed is None or item.origin.offset >= passed.offset):
                halts[partition] = item.origin.offset
                continue
            else:
                await self._project(tx, item, state, given_up)
            changed[state.id] = state
        for state in changed.values():
            tx.defer(self._states, UpdateOne({"_id": state.id}, state.change(), upsert=True))
        reached = [(p.topic, p.partition, halts.get(p, end)) for p, end in ends.items()]
        await self._note(tx, reached)
        return halts

    @staticmethod
    async def _given_up(tx: Transaction, items: Sequence[Item]) -> set[str]:
        """The places of those records that an operator has given up for good."""
        which = {"_id": {"$in": [str(item.origin) for item in items]}, "decisions.outcome": Outcome.DROPPED}
        return set(await tx.values(LETTERS, which))

    async def _project(self, tx: Transaction, item: Item, state: State, given_up: set[str]) -> None:
        if str(item.origin) not in given_up:
            try:
                if item.error is not None:
                    raise item.error
                assert item.envelope is not None
                for handler in item.handlers:
                    await handler(tx, item.envelope.event, item.envelope)
            except Exception as error:
                if is_outage(error):
                    raise
                raise CannotBuild(f"{item.origin} ({item.aggregate}) cannot be kept: {error!r}") from error
        state.reach(item.place)

    async def _take_up(self) -> None:
        """Keeps what was set aside because it waited in the service, as far as the service has applied it by now."""
        waiting = self._store.raw(self._states).find({"waiting": {"$gt": 0}}, {"_id": 1})
        for id in [row["_id"] async for row in waiting]:
            await self._persistently(partial(self._take_up_of, id))

    async def _take_up_of(self, id: str, tx: Transaction) -> None:
        tx.settle(self._generation)
        live, state = await tx.get(STATES, id) or State(id=id), await tx.require(self._states, id)
        rows = await tx.find(self._waiting, {"state": id}, sort=[("_id", ASCENDING)])
        items = [self._reading.again(row) for row in rows]
        given_up = await self._given_up(tx, items)
        done = 0
        for row, item in zip(rows, items, strict=True):
            if item.place > live.reached:
                break
            if item.place > state.reached:
                await self._project(tx, item, state, given_up)
            tx.defer(self._waiting, DeleteOne({"_id": row.id}))
            done += 1
        state.waiting = int(done < len(rows))
        tx.defer(self._states, UpdateOne({"_id": id}, state.change()))
        await self._note(tx, [])

    async def _note(self, tx: Transaction, reached: Sequence[tuple[str, int, int]]) -> None:
        """Notes how far partitions were read. Raises ``Busy`` when somebody else goes on with this build."""
        build = await tx.get(BUILDS, BUILD)
        if build is None or build.owner != self._by:
            raise Busy("Somebody else builds this generation now.")
        positions = {(topic, partition): offset for topic, partition, offset in build.positions}
        positions |= {(topic, partition): offset for topic, partition, offset in reached}
        listed = [(topic, partition, offset) for (topic, partition), offset in positions.items()]
        change = {"$set": {"positions": listed}, "$currentDate": {"at": True}}
        await tx.update(BUILDS, {"_id": BUILD, "owner": self._by}, change)

    async def _last_metres(self, consumer: AIOKafkaConsumer, then: Callable[[], Awaitable[R | None]]) -> R:
        """Holds the consumers, reads what is left, and does something at this point; None from it: try again."""
        for _ in range(PAUSES):
            by = self._by
            await self._store.transaction(partial(pause, by))
            began = time.monotonic()
            try:
                await self._catch_up(consumer)
                if time.monotonic() - began < PAUSE_SECONDS and (result := await then()) is not None:
                    return result
            finally:
                await self._store.transaction(partial(release, by))
            await self._catch_up(consumer)
        raise CannotBuild("The service is too busy for the new generation to catch up with it; try again later.")

    async def _compare(self) -> Comparison | None:
        async with self._store.still() as reader:
            present = await reader.get(POINTER, PRESENT)
            if present is None or present.paused_by != self._by:
                return None
            # From here on the consumers may go on: both generations are read as they are at this moment.
            await self._store.transaction(partial(release, self._by))
            return await comparing.compare(reader, self._collections, present.generation, self._generation)

    async def _switch(self) -> bool | None:
        async def work(tx: Transaction) -> bool:
            await self._note(tx, [])
            return await take_over(self._by, self._generation, tx)

        return await self._store.transaction(work) or None
