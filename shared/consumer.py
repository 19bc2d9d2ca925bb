"""Brings records from topics to a service's inbox: each event's effect once, in order per aggregate, none lost.

Batches are the normal case: one transaction reads which events are known, applies the others and writes down, per
(topic, aggregate), the last applied version and ordinal. What cannot be applied is set aside alone:

- the database is away: the same batch is tried again without limit, with backoff, while heartbeats go on;
- an event refers to something unknown here: it is parked, and so are the later events of its aggregate;
- an event is bad: the batch is halved until it stands alone, it becomes a dead letter, and the later events of its
  aggregate are parked behind it until an operator replays it;
- an event's version is newer than this code: its partition stops and says so.
"""

import asyncio
import random
import re
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaMessage
from faststream.kafka.message import KafkaAckableMessage
from faststream.kafka.subscriber.usecase import BatchSubscriber
from opentelemetry import propagate, trace
from prometheus_client import Counter, Gauge
from pymongo import ASCENDING, IndexModel, ReplaceOne, UpdateOne
from pymongo.errors import PyMongoError

from contracts import registry
from contracts.envelope import EVENT_TYPES, Attributes, Envelope, Event, UnknownVersion, decode, name_and_version
from shared import context, dead_letters, lenient_records
from shared.collisions import is_collision
from shared.dead_letters import LETTERS, Action, Decision, Letter, Origin, Outcome
from shared.inbox import Handler, Inbox, RawHandler, RawRecord
from shared.problems import NotYetKnown
from shared.store import TRANSACTION_SECONDS, Collection, Document, Store, Transaction, is_duplicate, is_outage

R = TypeVar("R")
Records = tuple[ConsumerRecord[Any, Any], ...]
MAX_RECORDS = 500
CROWD_SECONDS = 1.0
"""How long a batch is tried again that collides with other writers, before it is made smaller."""
STALLED_SECONDS = 30.0
MONITOR_SECONDS = 5.0
NEVER_LEAVE_MS = 2**31 - 1

APPLIED = Counter("mission_events_applied_total", "Events whose effect was committed", ["topic"])
REPEATED = Counter("mission_events_repeated_total", "Events that were known already", ["topic"])
DEAD = Counter("mission_dead_letters_total", "Records that could not be applied", ["topic", "reason"])
PARKED = Gauge("mission_events_parked", "Events that wait for another one")
LAG = Gauge("mission_consumer_lag", "Records not yet applied", ["topic"])
OPEN = Gauge("mission_dead_letters_open", "Dead letters that wait for an operator's decision")
STOPPED = Gauge("mission_partitions_stopped", "Partitions that wait for a newer release of this service", ["group"])
STALLED = Gauge("mission_consumer_stalled_seconds", "Since when there is lag and nothing was applied", ["group"])
MEASURED = Gauge(
    "mission_consumer_measured_timestamp_seconds", "When the consumer last reached broker and database", ["group"]
)

lenient_records.install()
log = structlog.get_logger()
tracer = trace.get_tracer("mission")


class State(Document):
    """How far the events of one aggregate on one topic are applied, and whether later ones must wait."""

    ordinal: int = -1
    waiting: int = 0
    blocked_by: str | None = None

    @property
    def held(self) -> bool:
        """Whether later events of the aggregate have to be parked: behind a dead letter, or behind parked ones."""
        return self.blocked_by is not None or self.waiting > 0

    def change(self) -> dict[str, Any]:
        """The update that stores this, with the database's own time under ``at``."""
        return {"$set": self.model_dump(exclude={"id"}), "$currentDate": {"at": True}}

    def reach(self, item: "Item") -> None:
        """Takes note that the aggregate's events are dealt with up to this one."""
        self.version, self.ordinal = max((self.version, self.ordinal), (item.version, item.ordinal))


class Parked(Document):
    """A record that waits: for ``waiting_for`` (an aggregate's id), or behind another one of its aggregate."""

    state: str
    waiting_for: str | None = None
    topic: str
    partition: int
    offset: int
    key: str
    value: bytes | None
    headers: list[tuple[str, bytes | None]]
    timestamp_ms: int


STATES = Collection("inbox", State)
WAITING = Collection(
    "parked",
    Parked,
    indexes=[IndexModel([("state", ASCENDING), ("_id", ASCENDING)]), IndexModel([("waiting_for", ASCENDING)])],
)
COLLECTIONS = (STATES, WAITING, LETTERS)


@dataclass(slots=True)
class Item:
    """A record as this service sees it. Neither handler nor error: it is none of its business."""

    origin: Origin
    key: str
    value: bytes | None
    headers: list[tuple[str, bytes | None]]
    timestamp_ms: int
    aggregate: str = ""
    version: int = 0
    ordinal: int = 0
    envelope: Envelope | None = None
    handler: Handler | None = None
    raw_handler: RawHandler | None = None
    error: Exception | None = None
    decision: Decision | None = None

    @property
    def state(self) -> str:
        """Id of the :class:`State` that tells whether this record is known."""
        return f"{self.origin.topic} {self.aggregate}"

    @property
    def by_place(self) -> bool:
        """Whether the record is known by its offset alone: outside data, or attributes that cannot be read."""
        return self.raw_handler is not None or (self.envelope is None and self.aggregate.startswith("unreadable/"))

    @property
    def parked_id(self) -> str:
        """Id of the record while it is parked; sorts by version within its aggregate."""
        return f"{self.state} {self.version:012d} {self.ordinal:04d}"

    @property
    def concerns_us(self) -> bool:
        """Whether there is anything to do."""
        return self.handler is not None or self.raw_handler is not None or self.error is not None


class LongPollingSubscriber(BatchSubscriber):
    """Waits at the broker for records; FastStream's own sleeps after each empty poll, which costs latency and time."""

    __slots__ = ()

    async def get_msg(self, consumer: AIOKafkaConsumer) -> Records:
        batches = await consumer.getmany(timeout_ms=1000, max_records=self.max_records)
        return tuple(record for records in batches.values() for record in records)


async def keep_raw(message: Records) -> KafkaMessage:
    """A parser that cannot fail: FastStream's own drops records with null or non-UTF-8 headers without a trace."""
    return KafkaAckableMessage(body=b"", raw_message=message, consumer=_NO_CONSUMER)


class _NoConsumer:
    """Offsets are committed by :class:`Consumer` alone."""

    async def commit(self) -> None:
        raise AssertionError("offsets are committed by shared.consumer")

    def seek(self, partition: TopicPartition, offset: int) -> None:
        raise AssertionError("offsets are moved by shared.consumer")


_NO_CONSUMER = _NoConsumer()


async def keep_undecoded(message: KafkaMessage) -> Records:
    """A decoder that hands over the records as they are."""
    assert isinstance(message.raw_message, tuple)
    return message.raw_message


class Consumer:
    """One FastStream subscriber of a service and the loop that applies what it reads.

    ``topics`` are registry entries that the service reads; templates and plain topics are not mixed in one consumer.
    """

    def __init__(self, inbox: Inbox, store: Store, topics: Sequence[registry.Topic], name: str, instance: str) -> None:
        self._inbox = inbox
        self._store = store
        self._topics = topics
        self._service = inbox.service
        self.group = f"{inbox.service}.{name}"
        self._instance = f"{self.group}.{instance}"
        self._reads = {t.name: {name_and_version(e.type)[0] for e in t.readers[self._service]} for t in topics}
        self._raw = [(_regex(name), handler) for name, handler in inbox.raw.items()]
        self._stopping = False
        self._monitor: asyncio.Task[None] | None = None
        self._subscriber: BatchSubscriber | None = None
        self._positions: dict[TopicPartition, int] = {}
        self._lags: dict[str, int] = {}
        self._lagging_since: float | None = None
        self._busy_since: float | None = None
        self._any_parked = True
        self._at_once = MAX_RECORDS
        self.outage: str | None = None
        self.stopped: dict[TopicPartition, str] = {}

    def subscribe(self, broker: KafkaBroker) -> None:
        """Declares the subscriber on the broker, which is started afterwards."""
        templates = [_regex(topic.name).pattern for topic in self._topics if topic.template]
        names = [topic.name for topic in self._topics if not topic.template]
        subscriber = broker.subscriber(
            *names,
            pattern="|".join(templates) or None,
            batch=True,
            max_records=MAX_RECORDS,
            group_id=self.group,
            group_instance_id=self._instance,
            auto_offset_reset="earliest",
            ack_policy=AckPolicy.MANUAL,
            parser=keep_raw,
            decoder=keep_undecoded,
            fetch_max_wait_ms=2000,
            session_timeout_ms=6000,
            heartbeat_interval_ms=2000,
            rebalance_timeout_ms=30_000,
            # A long outage must not throw this consumer out of its group; a hanging one is found by `alive`.
            max_poll_interval_ms=NEVER_LEAVE_MS,
        )
        assert isinstance(subscriber, BatchSubscriber)
        subscriber.__class__ = LongPollingSubscriber
        subscriber(self._consume)
        self._subscriber = subscriber

    def start(self) -> None:
        """Begins to watch progress; the subscriber itself is started with its broker."""
        self._monitor = asyncio.create_task(self._watch(), name=f"{self.group}-monitor")

    async def stop(self) -> None:
        """Makes the loop give up retries, so that the broker can stop."""
        self._stopping = True
        if self._monitor is not None:
            self._monitor.cancel()
            await asyncio.gather(self._monitor, return_exceptions=True)

    def alive(self) -> str | None:
        """None while the consumer makes progress; otherwise what is wrong. An outage elsewhere is not its fault."""
        now = time.monotonic()
        if self._subscriber is not None and any(task.done() for task in self._subscriber.tasks):
            return f"{self.group}: the consumer's loop has ended"
        if self.outage is not None:
            return None
        if self._busy_since is not None and now - self._busy_since > 2 * STALLED_SECONDS:
            return f"{self.group}: one batch has taken {now - self._busy_since:.0f} s"
        if self._lagging_since is not None and now - self._lagging_since > STALLED_SECONDS:
            return f"{self.group}: no progress for {now - self._lagging_since:.0f} s although there is lag"
        return None

    def client(self) -> AIOKafkaConsumer | None:
        """The library's consumer, None while the subscriber is not started."""
        return self._subscriber.consumer if self._subscriber is not None else None

    async def _consume(self, records: Records) -> None:
        consumer = self.client()
        if consumer is None:
            return
        try:
            await self._apply_and_commit(consumer, records)
        except Exception:
            # FastStream would log this and go on behind the batch: take it again instead.
            log.exception("batch-failed", group=self.group)
            starts: dict[TopicPartition, int] = {}
            for record in records:
                starts.setdefault(TopicPartition(record.topic, record.partition), record.offset)
            for partition in starts.keys() & consumer.assignment():
                consumer.seek(partition, starts[partition])
            await asyncio.sleep(1)

    async def _apply_and_commit(self, consumer: AIOKafkaConsumer, records: Records) -> None:
        items: list[Item] = []
        decisions: list[Decision] = []
        ends: dict[TopicPartition, int] = {}
        halted: set[TopicPartition] = set()
        for record in records:
            partition = TopicPartition(record.topic, record.partition)
            if partition in halted:
                continue
            item = self._read(_item(record))
            if isinstance(item.error, UnknownVersion):
                halted.add(partition)
                self._halt(consumer, partition, record.offset, item.error)
                continue
            ends[partition] = record.offset + 1
            if item.concerns_us:
                items.append(item)
            elif item.decision is not None:
                decisions.append(item.decision)
        self._busy_since = time.monotonic()
        applied = await self._until_done(partial(self._apply, items)) if items else set[str]()
        for decision in decisions:
            await self._until_done(partial(self.decide, decision))
        await self._commit(consumer, ends)
        self._busy_since = self._lagging_since = None
        if applied and self._any_parked:
            await self.take_up({"waiting_for": {"$in": sorted(applied)}})

    def _read(self, item: Item) -> Item:
        if item.origin.topic == registry.replays(self._service):
            item.aggregate, item.version = f"unreadable/{item.origin.partition}", item.origin.offset + 1
            try:
                item.decision = Decision.model_validate_json(item.value or b"")
            except ValueError as error:
                item.error = error
            return item
        for pattern, raw_handler in self._raw:
            if pattern.fullmatch(item.origin.topic):
                item.aggregate = f"{item.origin.topic}/{item.origin.partition}"
                item.version, item.raw_handler = item.origin.offset + 1, raw_handler
                return item
        try:
            attributes = Attributes.from_headers(item.headers)
        except ValueError as error:
            # Without version it is known by its place; its aggregate is the key.
            item.aggregate, item.version = f"unreadable/{item.origin.partition}", item.origin.offset + 1
            item.error = error
            return item
        item.aggregate, item.version, item.ordinal = attributes.subject, attributes.aggregateversion, attributes.ordinal
        try:
            item.handler, event = self._resolve(item.origin.topic, attributes.type, item.value)
        except (ValueError, UnknownVersion) as error:
            item.error = error
        else:
            item.envelope = Envelope(attributes, event)
        return item

    def _resolve(self, topic: str, event_type: str, value: bytes | None) -> tuple[Handler | None, Event | None]:
        """The handler and the event for a type, no handler for what this service does not read."""
        if name_and_version(event_type)[0] not in self._reads.get(topic, ()):
            return None, None
        if value is None:
            return self._inbox.tombstones.get(EVENT_TYPES[event_type]), None
        event = decode(event_type, value)
        return self._inbox.handlers[type(event)], event

    def _halt(self, consumer: AIOKafkaConsumer, partition: TopicPartition, offset: int, error: Exception) -> None:
        consumer.pause(partition)
        consumer.seek(partition, offset)
        if partition not in self.stopped:
            self.stopped[partition] = str(error)
            log.error("partition-stopped", topic=partition.topic, partition=partition.partition, reason=str(error))
        STOPPED.labels(self.group).set(len(self.stopped))

    async def _until_done(self, work: Callable[[], Awaitable[R]]) -> R:
        backoff = 0.1
        while True:
            try:
                result = await work()
            except Exception as error:
                if self._stopping:
                    raise
                if self.outage is None:
                    log.warning("outage", group=self.group, error=repr(error))
                self.outage = repr(error)
                await asyncio.sleep(backoff * random.uniform(0.5, 1.0))
                backoff = min(backoff * 2, 2.0)
            else:
                if self.outage is not None:
                    log.info("outage-over", group=self.group)
                self.outage = None
                return result

    async def _apply(self, items: Sequence[Item], attempt: int = 0) -> set[str]:
        """Applies items in one transaction, or in halves when one of them is bad; returns the aggregates applied.

        Many at once that collide with other writers again and again may never end, where few do: then it goes on with
        as few as it needs, and with more again when that goes well. Raises only what trying again can heal.
        """
        if len(items) > self._at_once:
            done: set[str] = set()
            while items:
                some, items = items[: self._at_once], items[self._at_once :]
                done |= await self._apply(some)
            return done
        try:
            seconds = CROWD_SECONDS if len(items) > 1 else TRANSACTION_SECONDS
            applied = await self._store.transaction(partial(self._apply_in, items), seconds=seconds)
            if len(items) == self._at_once:
                self._at_once = min(2 * self._at_once, MAX_RECORDS)
            return applied
        except Exception as error:
            if len(items) > 1 and is_collision(error) and not self._stopping:
                self._at_once = len(items) // 2
                return await self._apply(items)
            if self._stopping or is_outage(error) or isinstance(error, OSError):
                raise
            if is_duplicate(error) and attempt < 5:
                # Another consumer works on the same events: start again, reading what it has written.
                await asyncio.sleep(random.uniform(0, 0.05))
                return await self._apply(items, attempt + 1)
            if len(items) > 1:
                middle = len(items) // 2
                return await self._apply(items[:middle]) | await self._apply(items[middle:])
            items[0].error = error
            return await self._store.transaction(partial(self._apply_in, items))

    async def _apply_in(self, items: Sequence[Item], tx: Transaction) -> set[str]:
        found = await tx.find(STATES, {"_id": {"$in": list({item.state for item in items})}})
        states = {state.id: state for state in found}
        parked: set[str] = set()
        if any(state.held for state in found):
            ids = {"_id": {"$in": [item.parked_id for item in items]}}
            parked = {row.id for row in await tx.find(WAITING, ids)}
        changed: dict[str, State] = {}
        applied: set[str] = set()
        for item in items:
            state = states.setdefault(item.state, State(id=item.state))
            decision = item.decision
            known = self._is_known(item, state) or item.parked_id in parked
            if known if decision is None else not await dead_letters.awaiting(tx, decision):
                REPEATED.labels(item.origin.topic).inc()
                continue
            if decision is not None:
                outcome = await self._settle(tx, item, state, decision)
            elif state.held:
                outcome = self._park(tx, item, state, None)
            else:
                outcome = await self._try(tx, item, state)
            if outcome is Outcome.APPLIED:
                applied.add(item.aggregate)
            changed[state.id] = state
        for state in changed.values():
            tx.defer(STATES, UpdateOne({"_id": state.id}, state.change(), upsert=True))
        return applied

    async def _try(self, tx: Transaction, item: Item, state: State) -> Outcome:
        """Applies a record, parks it when what it refers to is not known yet, buries it when it is bad."""
        missing = item.error if isinstance(item.error, NotYetKnown) else None
        if missing is None and item.error is not None:
            return await self._bury(tx, item, state, item.error)
        if missing is None:
            before = tx.writes
            try:
                await self._handle(tx, item)
            except NotYetKnown as error:
                if tx.writes != before:
                    raise
                missing = error
        if missing is not None:
            return self._park(tx, item, state, missing.id)
        state.reach(item)
        return Outcome.APPLIED

    async def _settle(self, tx: Transaction, item: Item, state: State, decision: Decision) -> Outcome:
        """Does with a dead letter what an operator decided, and notes it; its aggregate's parked events may go on."""
        if state.blocked_by == decision.letter:
            state.blocked_by = None
        # The record itself may have come once more and wait behind its letter.
        state.waiting -= await tx.delete(WAITING, {"_id": item.parked_id})
        if decision.action is Action.DROP:
            outcome = Outcome.DROPPED
            state.reach(item)
        elif self._is_known(item, state):
            outcome = Outcome.APPLIED
        else:
            outcome = await self._try(tx, item, state)
        tx.defer(LETTERS, dead_letters.noted(decision, outcome))
        return outcome

    @staticmethod
    def _is_known(item: Item, state: State) -> bool:
        if item.by_place and item.decision is not None:
            return False
        return (item.version, item.ordinal) <= (state.version, state.ordinal) or state.blocked_by == str(item.origin)

    async def _handle(self, tx: Transaction, item: Item) -> None:
        if item.raw_handler is not None:
            origin = item.origin
            key, headers = item.key.encode(), tuple(item.headers)
            raw = RawRecord(origin.topic, origin.partition, origin.offset, key, item.value, headers, item.timestamp_ms)
            with tracer.start_as_current_span(f"{origin.topic} process"), context.within(context.Context(origin.topic)):
                await item.raw_handler(tx, raw)
        elif item.handler is not None:
            assert item.envelope is not None
            attributes = item.envelope.attributes
            parent = propagate.extract({"traceparent": attributes.traceparent}) if attributes.traceparent else None
            cause = context.Context(
                attributes.actor, attributes.onbehalfof, attributes.correlationid or attributes.id, attributes.id
            )
            with tracer.start_as_current_span(f"{attributes.type} process", parent), context.within(cause):
                await item.handler(tx, item.envelope.event, item.envelope)
        APPLIED.labels(item.origin.topic).inc()

    def _park(self, tx: Transaction, item: Item, state: State, waiting_for: str | None) -> Outcome:
        row = Parked(
            id=item.parked_id,
            state=item.state,
            waiting_for=waiting_for,
            topic=item.origin.topic,
            partition=item.origin.partition,
            offset=item.origin.offset,
            key=item.key,
            value=item.value,
            headers=item.headers,
            timestamp_ms=item.timestamp_ms,
        )
        tx.defer(WAITING, ReplaceOne({"_id": row.id}, row.model_dump(by_alias=True), upsert=True))
        state.waiting += 1
        self._any_parked = True
        return Outcome.WAITS

    async def _bury(self, tx: Transaction, item: Item, state: State, error: Exception) -> Outcome:
        letter = dead_letters.letter(
            item.origin,
            item.key,
            item.value,
            item.headers,
            item.timestamp_ms,
            error,
            aggregate=item.aggregate,
            attempt=await dead_letters.attempts(tx, item.origin) + 1,
            now=self._store.clock.now(),
        )
        tx.defer(LETTERS, dead_letters.kept(letter))
        tx.emit_record(dead_letters.published(self._service, letter))
        DEAD.labels(item.origin.topic, type(error).__name__).inc()
        log.error("dead-letter", origin=str(item.origin), aggregate=item.aggregate, error=repr(error)[:500])
        if item.by_place:
            state.version = max(state.version, item.version)
        else:
            state.blocked_by = str(item.origin)
        return Outcome.FAILED

    async def decide(self, decision: Decision) -> Letter | None:
        """Carries out an operator's decision about a dead letter, once, with the parked events behind it.

        Returns the letter as it is afterwards, None when there is none of this id. Raises what trying again can heal.
        """
        letter = await self._store.get(LETTERS, decision.letter)
        if letter is None or not letter.awaits(decision):
            return letter
        item = self._read(Item(letter.origin, letter.key, letter.value, list(letter.headers), letter.timestamp_ms))
        item.decision = decision
        await self._apply([item])
        await self.take_up({"$or": [{"state": item.state}, {"waiting_for": item.aggregate}]})
        return await self._store.get(LETTERS, letter.id)

    async def take_up(self, which: dict[str, Any]) -> None:
        """Tries parked events again, those that fit the filter and then the ones behind them, in order."""
        for state_id in await self._store.raw(WAITING).distinct("state", which):
            while await self._take_up_next(state_id):
                pass

    async def _take_up_next(self, state_id: str) -> bool:
        """Tries the first parked event of an aggregate; returns whether it was applied and another may follow."""
        rows = await self._store.find(WAITING, {"state": state_id}, sort=[("_id", ASCENDING)], limit=1)
        if not rows:
            return False
        row = rows[0]
        origin = Origin(row.topic, row.partition, row.offset)
        item = self._read(Item(origin, row.key, row.value, list(row.headers), row.timestamp_ms))

        async def attempt(tx: Transaction) -> bool:
            state = await tx.require(STATES, state_id)
            if state.blocked_by or not await tx.delete(WAITING, {"_id": row.id}):
                return False
            if (item.version, item.ordinal) > (state.version, state.ordinal):
                if item.error is not None:
                    await self._bury(tx, item, state, item.error)
                else:
                    await self._handle(tx, item)
                    state.version, state.ordinal = item.version, item.ordinal
            state.waiting -= 1
            await tx.update(STATES, {"_id": state_id}, state.change())
            return state.blocked_by is None

        try:
            return await self._store.transaction(attempt)
        except NotYetKnown as missing:
            await self._store.db[WAITING.name].update_one({"_id": row.id}, {"$set": {"waiting_for": missing.id}})
            return False
        except Exception as error:
            if is_outage(error) or is_duplicate(error) or isinstance(error, OSError):
                return False
            item.error = error
            return await self._store.transaction(attempt)

    async def _commit(self, consumer: AIOKafkaConsumer, ends: dict[TopicPartition, int]) -> None:
        ours = {partition: end for partition, end in ends.items() if partition in consumer.assignment()}
        self._positions.update(ours)
        try:
            if ours:
                await consumer.commit(ours)
        except (KafkaError, ValueError) as error:
            # Lost to a rebalance or to an outage: the records come again and the inbox knows them.
            log.info("commit-skipped", group=self.group, error=repr(error))

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(MONITOR_SECONDS)
            try:
                await self._measure()
                parked = await self._store.count(WAITING, {})
                self._any_parked = parked > 0
                PARKED.set(parked)
                OPEN.set(await self._store.count(LETTERS, {"open": True}))
                MEASURED.labels(self.group).set_to_current_time()
                if parked:
                    free = {"waiting": {"$gt": 0}, "blocked_by": None}
                    await self.take_up({"state": {"$in": await self._store.raw(STATES).distinct("_id", free)}})
            except (PyMongoError, KafkaError, OSError, ValueError) as error:
                log.info("monitor-skipped", group=self.group, error=repr(error))

    async def _measure(self) -> None:
        consumer = self.client()
        if consumer is None:
            return
        assigned = consumer.assignment()
        self.stopped = {partition: why for partition, why in self.stopped.items() if partition in assigned}
        STOPPED.labels(self.group).set(len(self.stopped))
        self._positions = {partition: end for partition, end in self._positions.items() if partition in assigned}
        # A topic whose partitions went to another instance has no lag here.
        lags = dict.fromkeys(self._lags or self._reads, 0)
        if assigned:
            # Behind a fetch that waits at the broker on the same connection.
            async with asyncio.timeout(10):
                ends = await consumer.end_offsets(list(assigned))
                for partition, end in ends.items():
                    if partition not in self._positions:
                        self._positions[partition] = await consumer.committed(partition) or 0
                    begun = self._positions[partition]
                    lags[partition.topic] = lags.get(partition.topic, 0) + max(end - begun, 0)
        self._lags = lags
        for topic, lag in lags.items():
            LAG.labels(topic).set(lag)
        halted = {partition.topic for partition in self.stopped}
        if not any(lag for topic, lag in lags.items() if topic not in halted):
            self._lagging_since = None
        elif self._lagging_since is None:
            self._lagging_since = time.monotonic()
        STALLED.labels(self.group).set(time.monotonic() - self._lagging_since if self._lagging_since else 0)


def _regex(name: str) -> re.Pattern[str]:
    return re.compile(re.escape(name).replace(r"\{platform\}", "[a-z0-9-]+"))


def _item(record: ConsumerRecord[Any, Any]) -> Item:
    # Only an outsider's key can be no text; it is kept with its odd bytes escaped, as header names are.
    key = (record.key or b"").decode("utf-8", "backslashreplace")
    origin = Origin(record.topic, record.partition, record.offset)
    return Item(origin, key, record.value, list(record.headers), record.timestamp)


def topics_of(service: str, broadcast: Iterable[str]) -> tuple[list[registry.Topic], list[registry.Topic]]:
    """What a service's consumers read: its plain topics, and its templates."""
    topics = [topic for topic in registry.read_by(service) if topic.name not in set(broadcast)]
    return [t for t in topics if not t.template], [t for t in topics if t.template]
