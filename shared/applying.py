"""Applies records to a service's store: each event's effect once, in order per aggregate, none lost.

One transaction reads which events are known, applies the others and writes down, per (topic, aggregate), the last
applied version and ordinal. What cannot be applied is set aside alone:

- an event refers to something unknown here: it is parked, and so are the later events of its aggregate;
- an event is bad: the batch is halved until it stands alone, it becomes a dead letter, and the later events of its
  aggregate are parked behind it until an operator replays it.
"""

import asyncio
import collections
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any, TypeVar

import structlog
from prometheus_client import Counter
from pymongo import ASCENDING, DeleteOne, ReplaceOne, UpdateOne

from shared import context, dead_letters
from shared.collisions import is_collision
from shared.dead_letters import LETTERS, Action, Decision, Letter, Outcome
from shared.generations import Gate, Paused
from shared.inbox import RawRecord
from shared.items import Item, Reading
from shared.leases import Lease
from shared.problems import NotYetKnown
from shared.states import STATES, WAITING, Parked, State, States
from shared.store import TRANSACTION_SECONDS, Store, Transaction, is_duplicate, is_outage
from shared.telemetry import span_of_event

MAX_RECORDS = 500
ALONE_SECONDS, CROWD_SECONDS = 0.2, 1.0
"""How long a batch is tried again that collides with other writers: before it waits for its turn among the service's
instances, and then, with its turn, before it is made smaller.
"""

CROWDED_SECONDS = 10.0
"""For how long after a collision every batch waits for its turn. Large ones that write to the same rows, as after an
outage, would undo each other's work again and again.
"""

TURN_SECONDS = 3.0
"""After this long another instance takes its turn although this one has not ended."""

R = TypeVar("R")

APPLIED = Counter("mission_events_applied_total", "Events whose effect was committed", ["topic"])
REPEATED = Counter("mission_events_repeated_total", "Events that were known already", ["topic"])
DEAD = Counter("mission_dead_letters_total", "Records that could not be applied", ["topic", "reason"])

log = structlog.get_logger()


class Applier:
    """Applies what ``reading`` makes of records, for one consumer."""

    def __init__(self, reading: Reading, store: Store, service: str, gate: Gate) -> None:
        self._reading = reading
        self._store = store
        self._service = service
        self._gate = gate
        self._turn = asyncio.Lock()
        self._among_instances = Lease(store, "applying", gate.id, TURN_SECONDS)
        self._crowded_until = 0.0
        self.stopping = False
        self.any_parked = True
        self._at_once = MAX_RECORDS

    async def apply(self, items: Sequence[Item], attempt: int = 0) -> set[str]:
        """Applies items in one transaction, or in halves when one of them is bad; returns the aggregates applied.

        Many at once that collide with other writers again and again may never end, where few do: then it goes on in
        turn with the other instances, with as few as it needs, and with more again when that goes well. Raises only
        what trying again can heal.
        """
        if len(items) > self._at_once:
            done: set[str] = set()
            while items:
                some, items = items[: self._at_once], items[self._at_once :]
                done |= await self.apply(some)
            return done
        crowded = self._crowded
        try:
            seconds = TRANSACTION_SECONDS if len(items) == 1 else CROWD_SECONDS if crowded else ALONE_SECONDS
            applied = await self._commit(items, seconds)
            if len(items) == self._at_once:
                self._at_once = min(2 * self._at_once, MAX_RECORDS)
            return applied
        except Exception as error:
            if len(items) > 1 and is_collision(error) and not self.stopping:
                if crowded:
                    self._at_once = len(items) // 2
                self._crowded_until = time.monotonic() + CROWDED_SECONDS
                return await self.apply(items)
            if self.stopping or is_outage(error) or isinstance(error, OSError):
                raise
            if is_duplicate(error) and attempt < 5:
                # Another consumer works on the same events: start again, reading what it has written.
                await asyncio.sleep(random.uniform(0, 0.05))
                return await self.apply(items, attempt + 1)
            if len(items) > 1:
                middle = len(items) // 2
                return await self.apply(items[:middle]) | await self.apply(items[middle:])
            items[0].error = error
            return await self._commit(items)

    async def _commit(self, items: Sequence[Item], seconds: float = TRANSACTION_SECONDS) -> set[str]:
        applied = await self._transaction(partial(self._apply_in, items), seconds)
        for topic, count in collections.Counter(item.origin.topic for item in applied).items():
            APPLIED.labels(topic).inc(count)
        return {item.aggregate for item in applied}

    @property
    def _crowded(self) -> bool:
        return time.monotonic() < self._crowded_until

    async def _transaction(
        self, work: Callable[[Transaction], Awaitable[R]], seconds: float = TRANSACTION_SECONDS
    ) -> R:
        """Runs a transaction on the present generation of projections; waits while a new one takes over."""
        # Two at once would collide, because each writes the gate's row.
        async with self._turn, self._among_instances.held() if self._crowded else nullcontext():
            await self._gate.open()
            while True:
                try:
                    return await self._store.transaction(work, seconds=seconds)
                except Paused as pause:
                    await self._gate.wait(pause, lambda: self.stopping)

    async def _states(self, tx: Transaction, ids: set[str]) -> States:
        """The states with these ids that there are; to be called before anything else is read or written."""
        rows = await tx.find(STATES, {"_id": {"$in": [self._gate.id, *ids]}})
        found = States((state.id, state) for state in rows)
        self._gate.enter(tx, found.pop(self._gate.id))
        return found

    async def _apply_in(self, items: Sequence[Item], tx: Transaction) -> list[Item]:
        """Returns those that were applied."""
        states = await self._states(tx, {item.state for item in items})
        fronts = await self._fronts(tx, {item.state for item in items if item.waited})
        parked: set[str] = set()
        if any(state.held for state in states.values()):
            ids = {"_id": {"$in": [item.parked_id for item in items]}}
            parked = {row.id for row in await tx.find(WAITING, ids)}
        changed: dict[str, State] = {}
        applied: list[Item] = []
        for item in items:
            state = states[item.state]
            outcome: Outcome | None
            if item.waited:
                outcome = await self._take_up(tx, item, state, parked, fronts)
            elif item.decision is not None:
                outcome = await self._settle(tx, item, state, item.decision)
            elif self._is_known(item, state) or (parked and item.parked_id in parked):
                REPEATED.labels(item.origin.topic).inc()
                outcome = None
            elif state.held:
                outcome = self._park(tx, item, state, None)
            else:
                outcome = await self._try(tx, item, state)
            if outcome is None:
                continue
            if outcome is Outcome.APPLIED:
                applied.append(item)
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
        state.reach(item.place)
        return Outcome.APPLIED

    @staticmethod
    async def _fronts(tx: Transaction, states: set[str]) -> dict[str, str]:
        """The first parked event of each of these aggregates."""
        if not states:
            return {}
        first: list[dict[str, Any]] = [
            {"$match": {"state": {"$in": sorted(states)}}},
            {"$sort": {"state": 1, "_id": 1}},
            {"$group": {"_id": "$state", "first": {"$first": "$_id"}}},
        ]
        return {row["_id"]: row["first"] async for row in tx.raw(WAITING).aggregate(first, session=tx.session)}

    async def _take_up(
        self, tx: Transaction, item: Item, state: State, parked: set[str], fronts: dict[str, str]
    ) -> Outcome | None:
        """Tries an event that was parked; None when it waits no more, or others of its aggregate wait before it."""
        if item.parked_id not in parked or state.blocked_by or fronts.get(state.id, item.parked_id) != item.parked_id:
            return None
        tx.defer(WAITING, DeleteOne({"_id": item.parked_id}))
        state.waiting -= 1
        outcome = Outcome.APPLIED if self._is_known(item, state) else await self._try(tx, item, state)
        if outcome is Outcome.APPLIED:
            # The next one may follow.
            fronts.pop(state.id, None)
        else:
            fronts[state.id] = item.parked_id
        return outcome

    async def _settle(self, tx: Transaction, item: Item, state: State, decision: Decision) -> Outcome | None:
        """Does with a dead letter what an operator decided, and notes it; its aggregate's parked events may go on.

        None when the letter no longer waits for this decision.
        """
        if not await dead_letters.awaiting(tx, decision):
            return None
        if state.blocked_by == decision.letter:
            state.blocked_by = None
        # The record itself may have come once more and wait behind its letter.
        state.waiting -= await tx.delete(WAITING, {"_id": item.parked_id})
        if decision.action is Action.DROP:
            outcome = Outcome.DROPPED
            state.reach(item.place)
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
        return item.place <= state.reached or state.blocked_by == str(item.origin)

    async def _handle(self, tx: Transaction, item: Item) -> None:
        if item.raw_handler is not None:
            origin = item.origin
            key, headers = item.key.encode(), tuple(item.headers)
            raw = RawRecord(origin.topic, origin.partition, origin.offset, key, item.value, headers, item.timestamp_ms)
            with span_of_event(f"{origin.topic} process", None), context.within(context.Context(origin.topic)):
                await item.raw_handler(tx, raw)
        elif item.handlers:
            assert item.envelope is not None
            attributes = item.envelope.attributes
            cause = context.Context(
                attributes.actor, attributes.onbehalfof, attributes.correlationid or attributes.id, attributes.id
            )
            with span_of_event(f"{attributes.type} process", attributes.traceparent), context.within(cause):
                for handler in item.handlers:
                    await handler(tx, item.envelope.event, item.envelope)

    def _park(self, tx: Transaction, item: Item, state: State, waiting_for: str | None) -> Outcome:
        row = Parked(id=item.parked_id, state=item.state, waiting_for=waiting_for, **item.kept())
        tx.defer(WAITING, ReplaceOne({"_id": row.id}, row.model_dump(by_alias=True), upsert=True))
        state.waiting += 1
        self.any_parked = True
        return Outcome.WAITS

    async def _bury(self, tx: Transaction, item: Item, state: State, error: Exception) -> Outcome:
        letter = dead_letters.letter(
            item.kept(),
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
        item = self._reading.again(letter)
        item.decision = decision
        await self.apply([item])
        await self.take_up({"$or": [{"state": item.state}, {"waiting_for": item.aggregate}]})
        return await self._store.get(LETTERS, letter.id)

    async def count_parked(self) -> int:
        """How many events are parked, of all consumers of this service."""
        # Not while a transaction goes on, whose parked events are not counted before they are committed.
        async with self._turn:
            parked = await self._store.count(WAITING, {})
            self.any_parked = parked > 0
        return parked

    async def take_up(self, which: dict[str, Any]) -> None:
        """Tries parked events again, those that fit the filter and then the ones behind them and those that wait for
        them, in order.

        Raises what trying again can heal.
        """
        while states := await self._store.raw(WAITING).distinct("state", which):
            applied: set[str] = set()
            last = ""
            while True:
                page = {"state": {"$in": states}, "_id": {"$gt": last}}
                rows = await self._store.find(WAITING, page, sort=[("_id", ASCENDING)], limit=MAX_RECORDS)
                if not rows:
                    break
                items = [self._reading.again(row) for row in rows]
                for item in items:
                    item.waited = True
                done = await self.apply(items)
                applied |= done
                # Of what still waits, no more need to be read: they wait behind it.
                stuck = {item.state for item in items if item.aggregate not in done}
                states = [state for state in states if state not in stuck]
                last = rows[-1].id
            which = {"waiting_for": {"$in": sorted(applied)}}
