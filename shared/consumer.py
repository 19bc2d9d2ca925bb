"""Brings records from topics to a service's inbox: each event's effect once, in order per aggregate, none lost.

Batches are the normal case; :mod:`shared.applying` says how one is applied. While the database is away the same batch
is tried again without limit, with backoff, and heartbeats go on. When an event's version is newer than this code, its
partition stops and says so.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from functools import partial
from typing import TypeVar

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.subscriber.usecase import BatchSubscriber
from prometheus_client import Gauge
from pymongo.errors import PyMongoError

from contracts import registry
from contracts.envelope import UnknownVersion
from shared import lenient_records
from shared.applying import MAX_RECORDS, Applier
from shared.dead_letters import LETTERS, Decision
from shared.generations import Gate
from shared.inbox import Inbox
from shared.items import Item, Reading, regex
from shared.states import STATES, WAITING
from shared.store import Store
from shared.subscriber import LongPollingSubscriber, Records, keep_raw, keep_undecoded

R = TypeVar("R")
STALLED_SECONDS = 30.0
MONITOR_SECONDS = 5.0
COMMIT_SECONDS = 0.1
"""How long an applied record's offset may wait to be committed with others. A record that comes again because its
offset was not is known by the inbox."""

LAST_COMMIT_SECONDS = 3.0
"""How long a consumer that stops, or joins its group anew, waits for the broker to take its last offsets."""

NEVER_LEAVE_MS = 2**31 - 1

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

COLLECTIONS = (STATES, WAITING, LETTERS)


class Consumer(ConsumerRebalanceListener):
    """One FastStream subscriber of a service and the loop that applies what it reads.

    ``topics`` are registry entries that the service reads; templates and plain topics are not mixed in one consumer.
    """

    def __init__(self, inbox: Inbox, store: Store, topics: Sequence[registry.Topic], group: str, instance: str) -> None:
        self._store = store
        self._topics = topics
        self.group = group
        self._instance = f"{self.group}.{instance}"
        self._reading = Reading(inbox, topics)
        self.applier = Applier(self._reading, store, inbox.service, Gate(store, self._instance))
        self._monitor: asyncio.Task[None] | None = None
        self._subscriber: BatchSubscriber | None = None
        self._committing: asyncio.Task[None] | None = None
        self._applied = asyncio.Event()
        self._settled = asyncio.Event()
        self._commits = asyncio.Lock()
        self._uncommitted: dict[TopicPartition, int] = {}
        self._positions: dict[TopicPartition, int] = {}
        self._lags: dict[str, int] = {}
        self._lagging_since: float | None = None
        self._busy_since: float | None = None
        self.outage: str | None = None
        self.stopped: dict[TopicPartition, str] = {}

    def subscribe(self, broker: KafkaBroker) -> None:
        """Declares the subscriber on the broker, which is started afterwards."""
        templates = [regex(topic.name).pattern for topic in self._topics if topic.template]
        names = [topic.name for topic in self._topics if not topic.template]
        subscriber = broker.subscriber(
            *names,
            pattern="|".join(templates) or None,
            batch=True,
            max_records=MAX_RECORDS,
            group_id=self.group,
            group_instance_id=self._instance,
            listener=self,
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
        self._committing = asyncio.create_task(self._commit_applied(), name=f"{self.group}-commits")

    async def stop(self) -> None:
        """Makes the loop give up retries, so that the broker can stop, and commits what was applied."""
        self.applier.stopping = True
        for task in (self._monitor, self._committing):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        if self._settled.is_set() and (consumer := self.client()):
            await self._commit_last(consumer)

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """Before the group is joined anew: commits what was applied, and nothing from then on.

        The broker answers one request of a connection after the other. A commit that is sent while the join waits there
        for other members would be read after it, name a generation that has passed, and make the library join once
        more, again and again.
        """
        self._settled.clear()
        if consumer := self.client():
            await self._commit_last(consumer)

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """The group has its new generation: commits go on. What could not be committed before is fetched again."""
        self._uncommitted.clear()
        self._settled.set()

    def alive(self) -> str | None:
        """None while the consumer makes progress; otherwise what is wrong. An outage elsewhere is not its fault."""
        now = time.monotonic()
        if self._subscriber is not None and any(task.done() for task in self._subscriber.tasks):
            return f"{self.group}: the consumer's loop has ended"
        if self._committing is not None and self._committing.done():
            return f"{self.group}: offsets are no longer committed"
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
            item = self._reading.item(record)
            if isinstance(item.error, UnknownVersion):
                halted.add(partition)
                self._halt(consumer, partition, record.offset, item.error)
                continue
            ends[partition] = record.offset + 1
            if item.concerns_us:
                items.append(item)
            elif item.decision is not None:
                decisions.append(item.decision)
        items.sort(key=self._reading.rank)
        self._busy_since = time.monotonic()
        applied = await self._until_done(partial(self.applier.apply, items)) if items else set[str]()
        for decision in decisions:
            await self._until_done(partial(self.applier.decide, decision))
        self._positions.update(ends)
        self._uncommitted.update(ends)
        self._applied.set()
        self._busy_since = self._lagging_since = None
        if applied and self.applier.any_parked:
            await self._until_done(partial(self.applier.take_up, {"waiting_for": {"$in": sorted(applied)}}))

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
                if self.applier.stopping:
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

    async def _commit_applied(self) -> None:
        while True:
            await self._applied.wait()
            await asyncio.sleep(COMMIT_SECONDS)
            await self._settled.wait()
            async with self._commits:
                consumer = self.client()
                if consumer is None or not self._settled.is_set():
                    continue
                self._applied.clear()
                committed = await self._commit(consumer)
            if not committed:
                await asyncio.sleep(1)
                self._applied.set()

    async def _commit_last(self, consumer: AIOKafkaConsumer) -> None:
        """Commits what can be committed in a short time; what is left comes again, and the inbox knows it."""
        try:
            async with asyncio.timeout(LAST_COMMIT_SECONDS), self._commits:
                await self._commit(consumer)
        except TimeoutError:
            log.info("commit-given-up", group=self.group)

    async def _commit(self, consumer: AIOKafkaConsumer) -> bool:
        """Commits the offsets of what was applied; returns whether the broker took them."""
        assigned = consumer.assignment()
        ends = {partition: end for partition, end in self._uncommitted.items() if partition in assigned}
        try:
            if ends:
                await consumer.commit(ends)
        except (KafkaError, ValueError) as error:
            # Lost to a rebalance or to an outage.
            log.info("commit-skipped", group=self.group, error=repr(error))
            return False
        self._uncommitted = {
            partition: end for partition, end in self._uncommitted.items() if ends.get(partition) != end
        }
        return True

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(MONITOR_SECONDS)
            # The one does not wait for the other: the broker may be away, or the database.
            measured, counted = await self._tried(self._measure), await self._tried(self._count_waiting)
            if measured and counted:
                MEASURED.labels(self.group).set_to_current_time()
            if counted and self.applier.any_parked:
                await self._tried(self._take_up_waiting)

    async def _tried(self, work: Callable[[], Awaitable[None]]) -> bool:
        try:
            await work()
        except (PyMongoError, KafkaError, OSError, ValueError) as error:
            log.info("monitor-skipped", group=self.group, error=repr(error))
            return False
        return True

    async def _count_waiting(self) -> None:
        PARKED.set(await self.applier.count_parked())
        OPEN.set(await self._store.count(LETTERS, {"open": True}))

    async def _take_up_waiting(self) -> None:
        free = {"waiting": {"$gt": 0}, "blocked_by": None}
        await self.applier.take_up({"state": {"$in": await self._store.raw(STATES).distinct("_id", free)}})

    async def _measure(self) -> None:
        consumer = self.client()
        if consumer is None:
            return
        assigned = consumer.assignment()
        self.stopped = {partition: why for partition, why in self.stopped.items() if partition in assigned}
        STOPPED.labels(self.group).set(len(self.stopped))
        self._positions = {partition: end for partition, end in self._positions.items() if partition in assigned}
        # A topic whose partitions went to another instance has no lag here.
        lags = dict.fromkeys(self._lags or self._reading.topics, 0)
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
