"""The relay: brings what waits in the outbox to its topics, in order per aggregate, and marks what the broker has.

At least once: a repeat has the same id and the same bytes.
"""

import asyncio
import collections
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    InvalidTimestampError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    UnsupportedForMessageFormatError,
)
from prometheus_client import Counter, Gauge
from pymongo import ASCENDING
from pymongo.errors import PyMongoError

from shared.leases import Lease
from shared.outbox import COLLECTION, UNPUBLISHED, WRITER, Row
from shared.store import Store

BATCH = 500
"""How many rows are published at once; while they are marked as many again may be on their way."""

LEASE_SECONDS = 8
RENEW_SECONDS = 2.5
MAX_REST_SECONDS = 0.1
"""After a round the relay rests for as long as that took, at most so long. Under load more is then published at once,
which saves every consumer behind it a transaction for each event; what comes after a calm goes out at once.
"""

REFUSED = {"published": False, "parked": True}
"""Rows that the broker will never take as it is; the later ones of their aggregates wait behind them."""

PUBLISHED = Counter("mission_outbox_published_total", "Events acknowledged by the broker", ["topic"])
PARKED = Gauge("mission_outbox_parked", "Outbox rows that the broker will never take")
AGE = Gauge("mission_outbox_oldest_seconds", "Age of the oldest event that waits for the relay")

log = structlog.get_logger()

NEVER = (MessageSizeTooLargeError, RecordListTooLargeError, InvalidTimestampError, UnsupportedForMessageFormatError)


class Relay:
    """Publishes the unpublished rows, in order per aggregate, and marks them when the broker has acknowledged.

    One instance of a service works at a time, by a lease in the database. The lease keeps repeats few; it cannot
    make them none, because Kafka knows nothing of it.
    """

    def __init__(self, store: Store, producer_options: dict[str, Any], owner: str) -> None:
        self._store = store
        self._options = producer_options
        self._held = Lease(store, "relay", owner, LEASE_SECONDS)
        self._producer: AIOKafkaProducer | None = None
        self._wake = asyncio.Event()
        self._others = asyncio.Event()
        self._careful = False
        self._parked: set[str] = set()
        self._ahead: asyncio.Task[list[Row]] | None = None
        self._marking: asyncio.Task[None] | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self.stuck_since: float | None = None

    def start(self) -> None:
        """Begins to work in the background."""
        self._store.emitted = self._wake.set
        self._tasks = [
            asyncio.create_task(self._work(), name="relay"),
            asyncio.create_task(self._watch(), name="relay-watch"),
        ]

    async def stop(self) -> None:
        """Publishes what is ready, gives the lease back and stops."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        try:
            async with asyncio.timeout(3):
                self._look_back()
                await self._marked()
                if await self._lease():
                    await self._drain()
                    self._look_back()
                    await self._marked()
                    await self._held.give_back()
        except (Exception, asyncio.CancelledError) as error:
            log.warning("relay-stopped-with-rows-left", error=repr(error))
        await self._close_producer()

    def alive(self) -> bool:
        """Whether the background work goes on."""
        return bool(self._tasks) and not any(task.done() for task in self._tasks)

    async def _watch(self) -> None:
        """Is woken by what other processes write; of what this one writes :meth:`Store.transaction` tells at once.

        Not before there are others: the database reads for each stream all that is written.
        """
        await self._others.wait()
        others = {"operationType": "insert", f"fullDocument.{WRITER}": {"$ne": self._store.writer}}
        while True:
            try:
                async with self._store.watch(COLLECTION, [{"$match": others}, {"$project": {"_id": 1}}]) as changes:
                    self._wake.set()
                    async for _ in changes:
                        self._wake.set()
            except PyMongoError as error:
                log.warning("outbox-watch-lost", error=repr(error))
                await asyncio.sleep(1)

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        backoff = 0.1
        renewed = -RENEW_SECONDS
        tried_refused = False
        while True:
            try:
                if loop.time() - renewed >= RENEW_SECONDS:
                    if not await self._lease():
                        self._look_back()
                        # Whoever has the lease measures.
                        AGE.set(0)
                        PARKED.set(0)
                        await asyncio.sleep(RENEW_SECONDS)
                        continue
                    renewed = loop.time()
                if not tried_refused:
                    await self._try_refused()
                    tried_refused = True
                self._wake.clear()
                begun = loop.time()
                more = await self._drain()
                self.stuck_since, backoff = None, 0.1
                if more:
                    continue
                await asyncio.sleep(min(loop.time() - begun, MAX_REST_SECONDS))
            except Exception as error:
                self.stuck_since = self.stuck_since or loop.time()
                log.warning("relay-retries", error=repr(error), backoff=backoff)
                self._look_back()
                await self._close_producer()
                await asyncio.sleep(backoff)
                backoff = min(backoff * 2, 2.0)
                continue
            try:
                async with asyncio.timeout(RENEW_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                pass

    async def _try_refused(self) -> None:
        """Takes up, once after each start, what the broker refused before: a limit may have been put right."""
        again = {"$unset": {"parked": "", "reason": ""}}
        await self._store.raw(COLLECTION).update_many(REFUSED, again, hint=UNPUBLISHED)
        self._parked.clear()

    async def _lease(self) -> bool:
        """Takes or renews the lease; returns whether it is ours, and learns what waits behind refusals."""
        if not await self._held.take():
            return False
        if self._held.contended:
            self._others.set()
        # Only the holder of the lease adds to them, so that this need not be asked before every batch.
        refused = self._store.raw(COLLECTION).find(REFUSED, {"aggregate": 1}, hint=UNPUBLISHED)
        self._parked = {row["aggregate"] async for row in refused}
        return True

    async def _drain(self) -> bool:
        """Publishes up to one batch; returns whether there may be more.

        While a full batch is published the next one is read behind it, and while that is published the first is marked.
        Raises whatever made a row fail that may succeed later, or what kept rows from being marked; the rows that were
        acknowledged are marked first.
        """
        ahead, self._ahead = self._ahead, None
        rows = await (ahead or self._waiting())
        if len(rows) == BATCH and not self._careful:
            self._ahead = asyncio.create_task(self._waiting(behind=rows[-1]), name="relay-read")
        PARKED.set(len(self._parked))
        created = [row["created"] for row in rows if "created" in row]
        AGE.set((self._store.clock.now() - min(created)).total_seconds() if created else 0)
        # Connected before there is anything to send, so that the first event after a start is not late.
        producer = await self._connected()
        if self._careful:
            await self._one_by_one(producer, rows)
            self._careful = False
            return len(rows) == BATCH
        sent = [await producer.send(**_arguments(row)) for row in rows]
        results = await asyncio.gather(*sent, return_exceptions=True)
        await self._marked()
        done = [row for row, result in zip(rows, results, strict=True) if not isinstance(result, BaseException)]
        errors = [result for result in results if isinstance(result, BaseException)]
        if errors:
            await self._mark(done)
            self._careful = True
            raise errors[0]
        if self._ahead is not None:
            self._marking = asyncio.create_task(self._mark(done), name="relay-mark")
            return True
        await self._mark(done)
        AGE.set(0)
        # What came in before the place that was read from has not been seen yet.
        return ahead is not None

    def _look_back(self) -> None:
        """Forgets what was read ahead; the next batch is read from the beginning."""
        if self._ahead is not None:
            self._ahead.cancel()
            self._ahead = None

    async def _waiting(self, behind: Row | None = None) -> list[Row]:
        """The next batch: from the beginning, or behind the row that ends the batch before."""
        waiting: dict[str, Any] = {"published": False}
        if self._parked:
            waiting["aggregate"] = {"$nin": sorted(self._parked)}
        order = ("aggregate", "version", "ordinal")
        found = self._store.snapshot(COLLECTION).find(waiting, hint=UNPUBLISHED)
        found = found.sort([(field, ASCENDING) for field in order])
        if behind is None:
            # Or it would be published once more.
            await self._marked()
            return await found.limit(BATCH).to_list(None)
        # The place itself comes too, unless it is marked by now.
        rows = await found.min([(field, behind[field]) for field in order]).limit(BATCH + 1).to_list(None)
        return [row for row in rows if row["_id"] != behind["_id"]][:BATCH]

    async def _marked(self) -> None:
        """Waits until the batch before is marked."""
        if self._marking is not None:
            task = self._marking
            try:
                await asyncio.shield(task)
            finally:
                if task.done():
                    self._marking = None

    async def _one_by_one(self, producer: AIOKafkaProducer, rows: list[Row]) -> None:
        """After a failure: finds the record that the broker will never take and parks its aggregate alone."""
        for row in rows:
            if row["aggregate"] in self._parked:
                continue
            try:
                await producer.send_and_wait(**_arguments(row))
            except NEVER as error:
                log.error("outbox-row-parked", id=row["_id"], topic=row["topic"], error=repr(error))
                reason = {"parked": True, "reason": repr(error)}
                await self._store.raw(COLLECTION).update_one({"_id": row["_id"]}, {"$set": reason})
                self._parked.add(row["aggregate"])
                await self._close_producer()
                producer = await self._connected()
            else:
                await self._mark([row])

    async def _mark(self, rows: list[Row]) -> None:
        if rows:
            ids = [row["_id"] for row in rows]
            mark = {"$set": {"published": True}, "$currentDate": {"published_at": True}}
            await self._store.raw(COLLECTION).update_many({"_id": {"$in": ids}}, mark)
            for topic, count in collections.Counter(row["topic"] for row in rows).items():
                PUBLISHED.labels(topic).inc(count)

    async def _connected(self) -> AIOKafkaProducer:
        if self._producer is None:
            producer = AIOKafkaProducer(**self._options)
            try:
                await producer.start()
            except BaseException:
                await producer.stop()
                raise
            self._producer = producer
        return self._producer

    async def _close_producer(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            try:
                async with asyncio.timeout(2):
                    await producer.stop()
            except Exception as error:
                log.warning("producer-did-not-stop", error=repr(error))


def _arguments(row: Row) -> dict[str, Any]:
    return {
        "topic": row["topic"],
        "key": row["key"].encode(),
        "value": row["value"],
        "headers": [(name, raw) for name, raw in row["headers"]],
    }
