"""Which generation of a service's projections is the present one, and how the next one takes over.

A generation is built beside the present one (:mod:`shared.rebuilding`) and takes over at once, in one transaction. No
event may be kept in a generation that is no longer the present one, however late a consumer's transaction commits. So
each consumer has a row of its own among the inbox's states, which every one of its transactions reads (for the number
of the generation) and writes; who takes over writes all of these rows, and the database lets only one of two that
write the same row come through.
"""

import asyncio
import time
from collections.abc import Callable
from functools import partial

import structlog
from pymongo import UpdateOne
from pymongo.errors import PyMongoError

from shared.states import STATES, State
from shared.store import GENERATIONS, PRESENT, Collection, Document, Store, Transaction

LOOK_SECONDS = 2.0
"""How often a process looks which generation its readers get; transactions look for themselves."""

PAUSE_SECONDS = 10.0
"""How long a consumer waits at most for a generation to take over; who builds it may have died."""

GATES = "~"
"""With this the ids of consumers' own rows begin, which no topic's name does."""

log = structlog.get_logger()


class Present(Document):
    """The present generation; ``paused_by`` names who holds all consumers at this moment."""

    generation: int = 1
    paused_by: str | None = None


POINTER = Collection(GENERATIONS, Present)
FIRST = {"generation": 1, "paused_by": None}
"""What the pointer says before any generation was built."""


class Paused(Exception):
    """A new generation is about to take over; ``by`` says who does that."""

    def __init__(self, by: str) -> None:
        super().__init__(by)
        self.by = by


class Gate:
    """Lets one consumer's transactions through to the present generation."""

    def __init__(self, store: Store, consumer: str) -> None:
        self._store = store
        self._opened = False
        self.id = f"{GATES}{consumer}"

    async def open(self) -> None:
        """Makes the consumer's row, once."""
        if not self._opened:
            await self._store.transaction(self._open)
            self._opened = True

    async def _open(self, tx: Transaction) -> None:
        # Writes the pointer, so that a generation that takes over at this moment does not overlook the new row.
        change = {"$inc": {"opened": 1}, "$setOnInsert": FIRST}
        await tx.update(POINTER, {"_id": PRESENT}, change, upsert=True)
        present = await tx.require(POINTER, PRESENT)
        row = {"version": present.generation, "blocked_by": present.paused_by}
        await tx.update(STATES, {"_id": self.id}, {"$set": row, "$inc": {"ordinal": 1}}, upsert=True)

    def enter(self, tx: Transaction, row: State) -> None:
        """Chooses the generation for a transaction. Raises :class:`Paused`."""
        if row.blocked_by is not None:
            raise Paused(row.blocked_by)
        tx.settle(row.version)
        self._store.present = row.version
        tx.defer(STATES, UpdateOne({"_id": self.id}, {"$inc": {"ordinal": 1}}))

    async def wait(self, pause: Paused, stopping: Callable[[], bool]) -> None:
        """Returns when the pause is over, at the latest when it has taken too long."""
        deadline = time.monotonic() + PAUSE_SECONDS
        while await self._store.count(STATES, {"_id": self.id, "blocked_by": pause.by}):
            if stopping():
                raise pause
            if time.monotonic() > deadline:
                log.warning("pause-ended", by=pause.by)
                await self._store.transaction(partial(release, pause.by))
                return
            await asyncio.sleep(0.02)


async def pause(by: str, tx: Transaction) -> None:
    """Holds all consumers. What they have committed until now is all that they commit until they are released."""
    await tx.update(POINTER, {"_id": PRESENT}, {"$set": {"paused_by": by}})
    await tx.update(STATES, {"_id": {"$regex": f"^{GATES}"}}, {"$set": {"blocked_by": by}})


async def release(by: str, tx: Transaction) -> None:
    """Lets the consumers go on that this one holds."""
    await tx.update(POINTER, {"_id": PRESENT, "paused_by": by}, {"$set": {"paused_by": None}})
    await tx.update(STATES, {"_id": {"$regex": f"^{GATES}"}, "blocked_by": by}, {"$set": {"blocked_by": None}})


async def take_over(by: str, generation: int, tx: Transaction) -> bool:
    """Makes a generation the present one and lets the consumers go on, unless they were released meanwhile."""
    change = {"$set": {"generation": generation, "paused_by": None}}
    if not await tx.update(POINTER, {"_id": PRESENT, "paused_by": by}, change):
        return False
    gates = {"$set": {"version": generation, "blocked_by": None}}
    await tx.update(STATES, {"_id": {"$regex": f"^{GATES}"}}, gates)
    return True


async def follow(store: Store) -> None:
    """Keeps the store's readers on the present generation."""
    while True:
        try:
            await store.look_up()
        except PyMongoError as error:
            log.info("generation-not-looked-up", error=repr(error))
        await asyncio.sleep(LOOK_SECONDS)
