"""The desk: what concerns one session's seats is gathered and settled many at a time, in one transaction each.

Requests for one session that come at once would collide in the database and try again for long; queued here, a hundred
of them cost about as much as one. Instances that collide try again by the session's version, so never is a seat given
twice.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import Context, copy_context
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from services.events_calendar.store import SESSIONS, HeldSession, session_of
from shared import context
from shared.problems import Problem
from shared.store import Store, Transaction, is_outage

R = TypeVar("R")
Step = Callable[[Transaction, HeldSession], Awaitable[tuple[HeldSession, R]]]
"""Decides, writes what belongs to it except the session, and returns the session as it leaves it, and its answer.

It may run more than once, and raises a :class:`Problem` only before it has written.
"""
AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class _Turn:
    step: Step[Any]
    answer: "asyncio.Future[Any]"
    context: Context

    @property
    def request(self) -> str | None:
        """The request's ``Idempotency-Key``."""
        key = self.context.run(context.current).idempotency
        return key.id if key else None


class Desk:
    """Queues of one process, one per session that is asked for at present."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._queues: dict[str, list[_Turn]] = {}
        self._clerks: dict[str, asyncio.Task[None]] = {}

    async def settle(self, session_id: str, step: Step[R]) -> R:
        """Runs a step in its turn, commits it, keeps its answer under the caller's ``Idempotency-Key``, returns it.

        Raises what the step raises, a 404 problem for an unknown session, and the driver's errors.
        """
        answer: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._queues.setdefault(session_id, []).append(_Turn(step, answer, copy_context()))
        if session_id not in self._clerks:
            # In a context of its own: it works for many callers.
            work = self._work(session_id)
            self._clerks[session_id] = asyncio.create_task(work, name=f"desk {session_id}", context=Context())
        return await answer

    async def _work(self, session_id: str) -> None:
        try:
            while queue := self._queues.pop(session_id, []):
                now, later = _first(queue)
                if later:
                    self._queues[session_id] = later
                await self._settle(session_id, now)
        finally:
            del self._clerks[session_id]

    async def _settle(self, session_id: str, turns: list[_Turn]) -> None:
        try:
            answers = await self._store.transaction(partial(self._apply, session_id, turns))
        except Exception as error:
            if len(turns) == 1 or is_outage(error):
                for turn in turns:
                    _resolve(turn, error)
                return
            # One of them spoils it for all (a key that another instance has used, say): each by itself.
            for turn in turns:
                await self._settle(session_id, [turn])
            return
        for turn, answer in zip(turns, answers, strict=True):
            _resolve(turn, answer)

    async def _apply(self, session_id: str, turns: list[_Turn], tx: Transaction) -> list[Any]:
        before = session = await session_of(tx, session_id)
        answers: list[Any] = []
        for turn in turns:
            written = tx.writes
            try:
                step = _carry_out(turn.step, tx, session)
                session, answer = await asyncio.create_task(step, context=turn.context)
                answers.append(answer)
            except Problem as problem:
                if tx.writes != written:
                    raise
                answers.append(problem)
        if session is not before:
            await tx.save(SESSIONS, session)
        return answers


async def _carry_out(step: Step[R], tx: Transaction, session: HeldSession) -> tuple[HeldSession, R]:
    after, answer = await step(tx, session)
    tx.remember(answer)
    return after, answer


def _first(queue: list[_Turn]) -> tuple[list[_Turn], list[_Turn]]:
    """As many as are settled at once, and the rest; of equal requests only the first, so that the others see it."""
    now: list[_Turn] = []
    later: list[_Turn] = []
    seen: set[str] = set()
    for turn in queue:
        key = turn.request
        if len(now) == AT_ONCE or key in seen:
            later.append(turn)
            continue
        now.append(turn)
        if key is not None:
            seen.add(key)
    return now, later


def _resolve(turn: _Turn, outcome: Any) -> None:
    if turn.answer.done():
        return
    if isinstance(outcome, Exception):
        turn.answer.set_exception(outcome)
    else:
        turn.answer.set_result(outcome)
