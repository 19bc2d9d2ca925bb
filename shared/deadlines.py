"""Deadlines: rows that fall due in the service's own store, each worked off once across all instances.

For closings, offers that expire, reminders, places that are held. A deadline's effect and its removal are one commit,
so it fires exactly once, also across crashes; it fires late rather than never.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any

import structlog
from opentelemetry import trace
from prometheus_client import Counter, Gauge
from pymongo import ASCENDING, IndexModel, ReplaceOne
from pymongo.errors import PyMongoError

from shared import context
from shared.ids import new_id
from shared.store import Collection, Document, Store, Transaction, is_outage

POLL_SECONDS = 1.0
CLAIM_SECONDS = 30
RETRY_SECONDS = 60
MEASURE_SECONDS = 5.0

FIRED = Counter("mission_deadlines_total", "Deadlines by what became of them", ["kind", "outcome"])
LATE = Gauge("mission_deadlines_late_seconds", "For how long the oldest deadline that is due has waited")

log = structlog.get_logger()
tracer = trace.get_tracer("mission")


class Deadline(Document):
    """Something that must happen at ``due`` (UTC). ``kind`` chooses the handler, ``data`` is what it needs."""

    kind: str
    due: datetime
    data: dict[str, Any] = {}
    traceparent: str | None = None


DEADLINES = Collection(
    "deadlines", Deadline, indexes=[IndexModel([("due", ASCENDING)]), IndexModel([("claimed_until", ASCENDING)])]
)
Handler = Callable[[Transaction, Deadline], Awaitable[None]]


def at(tx: Transaction, kind: str, due: datetime, data: Mapping[str, Any], *, id: str | None = None) -> str:
    """Sets a deadline, or moves the one with this id; returns its id."""
    deadline = Deadline(id=id or new_id("due"), kind=kind, due=due, data=dict(data))
    tx.defer(DEADLINES, ReplaceOne({"_id": deadline.id}, deadline.model_dump(by_alias=True), upsert=True))
    return deadline.id


async def cancel(tx: Transaction, id: str) -> None:
    """Takes a deadline back; one that has fired already is no error."""
    await tx.delete(DEADLINES, {"_id": id})


class Deadlines:
    """The handlers by kind, and the loop that works off what is due."""

    def __init__(self) -> None:
        self._handlers: dict[str, Handler] = {}
        self._task: asyncio.Task[None] | None = None

    def on(self, kind: str) -> Callable[[Handler], Handler]:
        """Makes the decorated function the handler of deadlines of this kind. It runs in the removing transaction."""

        def register(handler: Handler) -> Handler:
            self._handlers[kind] = handler
            return handler

        return register

    def start(self, store: Store) -> None:
        """Begins to work in the background, once."""
        if self._task is None:
            self._task = asyncio.create_task(self._work(store), name="deadlines")

    async def stop(self) -> None:
        """Stops; a deadline that is in hand is rolled back and fires elsewhere or later."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def alive(self) -> bool:
        """Whether the loop goes on."""
        return self._task is None or not self._task.done()

    async def _work(self, store: Store) -> None:
        measured = -MEASURE_SECONDS
        while True:
            try:
                if time.monotonic() - measured >= MEASURE_SECONDS:
                    await self._measure(store)
                    measured = time.monotonic()
                fired = await self._fire_next(store)
            except (PyMongoError, OSError) as error:
                log.warning("deadlines-retry", error=repr(error))
                fired = False
            if not fired:
                await asyncio.sleep(POLL_SECONDS)

    async def _measure(self, store: Store) -> None:
        now = store.clock.now()
        due = {"due": {"$lte": now}, "kind": {"$in": list(self._handlers)}}
        oldest = await store.find(DEADLINES, due, sort=[("due", ASCENDING)], limit=1)
        LATE.set((now - oldest[0].due).total_seconds() if oldest else 0)

    async def _fire_next(self, store: Store) -> bool:
        unclaimed = {"$or": [{"claimed_until": None}, {"$expr": {"$lt": ["$claimed_until", "$$NOW"]}}]}
        due = {"due": {"$lte": store.clock.now()}, "kind": {"$in": list(self._handlers)}, **unclaimed}
        claim = [{"$set": {"claimed_until": {"$add": ["$$NOW", CLAIM_SECONDS * 1000]}}}]
        row = await store.claim(DEADLINES.name, due, claim, sort=[("due", ASCENDING)])
        if row is None:
            return False
        deadline = Deadline.model_validate(row)

        async def fire(tx: Transaction) -> None:
            if await tx.delete(DEADLINES, {"_id": deadline.id, "due": deadline.due}):
                await self._handlers[deadline.kind](tx, deadline)

        with (
            tracer.start_as_current_span(f"deadline {deadline.kind}"),
            context.within(context.Context(actor=store.service, correlation=deadline.id)),
        ):
            try:
                await store.transaction(fire)
            except Exception as error:
                if is_outage(error):
                    raise
                FIRED.labels(deadline.kind, "failed").inc()
                log.error("deadline-failed", kind=deadline.kind, id=deadline.id, error=repr(error))
                later = [{"$set": {"claimed_until": {"$add": ["$$NOW", RETRY_SECONDS * 1000]}}}]
                await store.claim(DEADLINES.name, {"_id": deadline.id}, later)
            else:
                FIRED.labels(deadline.kind, "fired").inc()
        return True
