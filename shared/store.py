"""The service's own MongoDB: typed collections, and transactions that commit documents and their events together.

Every call of the driver is in this package's modules.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from uuid import uuid4

from pymongo import IndexModel, ReadPreference, ReturnDocument
from pymongo.errors import ConnectionFailure, DuplicateKeyError, OperationFailure, PyMongoError
from pymongo.read_concern import ReadConcern

from shared import context, outbox
from shared.clock import Clock
from shared.collections import ANY_TEXT as ANY_TEXT
from shared.collections import Collection as Collection
from shared.collections import Document as Document
from shared.collections import Row as Row
from shared.collisions import Abandoned
from shared.database_errors import OTHER_INDEX
from shared.database_errors import is_duplicate as is_duplicate
from shared.database_errors import is_outage as is_outage
from shared.driver import MAJORITY, RawCollection, Session, client_of, database_of
from shared.transaction import Filter as Filter
from shared.transaction import Reader as Reader
from shared.transaction import Sort, Switched
from shared.transaction import Transaction as Transaction

R = TypeVar("R")

TRANSACTION_SECONDS = 15.0
"""How long a transaction that collides with others is tried again."""

RECONNECT_SECONDS = 1.0
"""How long a lost connection is taken for a hiccup inside a transaction; after that it is an outage."""

GENERATIONS, PRESENT = "generations", "present"
"""The row that names the present generation of projections."""

IDEMPOTENCY_SECONDS = 24 * 3600
"""How long a repeated ``Idempotency-Key`` gives the first answer again."""


class Store(Reader):
    """A service's database."""

    def __init__(self, url: str, database: str, service: str, clock: Clock) -> None:
        super().__init__(self, None)
        self._client = client_of(url, service)
        self.db = database_of(self._client, database)
        self._named: dict[str, RawCollection] = {}
        self.service = service
        self.clock = clock
        self.writer = uuid4().hex
        """Tells what this process writes from what others do."""

        self.emitted: Callable[[], None] = lambda: None
        """Is called when events were committed here, for the relay."""

        self.present = 1
        """The present generation of projections, as far as is known here."""
        self._turns: dict[str, tuple[asyncio.Lock, list[None]]] = {}

    async def prepare(self, collections: Sequence[Collection[Any]]) -> None:
        """Makes all indexes, anew where a release declares one otherwise than the last did."""
        await self.look_up()
        for collection in collections:
            await self.index(collection.stored_as(self.present), collection.indexes)
        await self.index(outbox.COLLECTION, outbox.INDEXES)
        await self.raw("idempotency").create_index("at", expireAfterSeconds=IDEMPOTENCY_SECONDS)

    async def index(self, collection: str, indexes: Sequence[IndexModel]) -> None:
        """Makes indexes, anew where they are there with other options."""
        try:
            if indexes:
                await self.raw(collection).create_indexes(list(indexes))
        except OperationFailure as error:
            if error.code not in OTHER_INDEX:
                raise
            if len(indexes) == 1:
                await self.raw(collection).drop_index(indexes[0].document["name"])
            for index in indexes:
                await self.index(collection, [index])

    def named(self, name: str) -> RawCollection:
        """The driver's collection of this name, made once: the driver takes longer to make one than to ask it."""
        found = self._named.get(name)
        if found is None:
            found = self._named[name] = self.db[name]
        return found

    async def look_up(self, session: Session | None = None) -> int:
        """Takes note of the present generation of projections and returns it."""
        row = await self.raw(GENERATIONS).find_one({"_id": PRESENT}, session=session)
        self.present = row["generation"] if row else 1
        return self.present

    @asynccontextmanager
    async def still(self) -> AsyncIterator[Reader]:
        """Reads of one committed point in time, that of the first, for as long as the database keeps it (5 minutes)."""
        async with await self._client.start_session(snapshot=True) as session:
            yield Reader(self, session)

    async def ping(self) -> None:
        """Raises the driver's error when the database does not answer."""
        await self.db.command("ping")

    async def transaction(
        self,
        work: Callable[[Transaction], Awaitable[R]],
        *,
        turn: str | None = None,
        seconds: float = TRANSACTION_SECONDS,
    ) -> R:
        """Runs ``work`` and commits what it wrote, all or nothing; returns its result.

        ``work`` may run more than once (concurrent writes), so it must have no other effects. Those who collide over
        an aggregate queue for it within this process; ``turn`` names one that many write to at once, so that they
        queue before they collide. What collides again after ``seconds`` is given up.
        """
        loop = asyncio.get_running_loop()
        begun = loop.time()
        backoff = 0.002
        collided: str | None = None
        abandoned = Abandoned(self._client)
        async with self._turn(turn), await self._client.start_session() as session:
            while True:
                transaction = Transaction(self, session)
                try:
                    # One queue at a time: who waits for one holds no other, so nobody waits for ever.
                    async with (
                        self._turn(collided),
                        session.start_transaction(ReadConcern("snapshot"), MAJORITY, ReadPreference.PRIMARY),
                    ):
                        result = await work(transaction)
                        await transaction.finish(result)
                        await self._commit(session, begun + TRANSACTION_SECONDS)
                    if transaction.emits:
                        self.emitted()
                    context.amend(idempotency=None)
                    return result
                except Switched:
                    continue
                except PyMongoError as error:
                    away = isinstance(error, ConnectionFailure) and loop.time() > begun + RECONNECT_SECONDS
                    if away or not error.has_error_label("TransientTransactionError") or loop.time() > begun + seconds:
                        raise
                    collided = transaction.saving
                    # The driver's own retry does not wait, and writers of one document keep each other from ending.
                    await asyncio.sleep(random.uniform(0, backoff))
                    backoff = min(backoff * 2, 0.1)
                    await abandoned.end()

    @staticmethod
    async def _commit(session: Session, give_up: float) -> None:
        """Commits until the outcome is known (MongoDB's transactions specification)."""
        while True:
            try:
                await session.commit_transaction()
                return
            except PyMongoError as error:
                unknown = error.has_error_label("UnknownTransactionCommitResult")
                if not unknown or asyncio.get_running_loop().time() > give_up:
                    raise

    @asynccontextmanager
    async def _turn(self, key: str | None) -> AsyncIterator[None]:
        if key is None:
            yield
            return
        lock, waiting = self._turns.setdefault(key, (asyncio.Lock(), []))
        waiting.append(None)
        try:
            async with lock:
                yield
        finally:
            waiting.pop()
            if not waiting:
                self._turns.pop(key, None)

    async def claim(
        self, collection: str, filter: Filter, update: Any, *, upsert: bool = False, sort: Sort = ()
    ) -> Row | None:
        """Changes one fitting document and returns it as it is afterwards, None when none fits.

        The database's own clock is ``$$NOW`` in a pipeline update, so that processes whose clocks differ agree.
        """
        options: dict[str, Any] = {"sort": list(sort)} if sort else {}
        try:
            return await self.raw(collection).find_one_and_update(
                filter, update, upsert=upsert, return_document=ReturnDocument.AFTER, **options
            )
        except DuplicateKeyError:
            return None

    @asynccontextmanager
    async def watch(self, collection: str, pipeline: Sequence[Row]) -> AsyncIterator[AsyncIterator[Row]]:
        """The collection's change stream from now on; waits at the server, so an idle stream costs next to nothing."""
        async with self.raw(collection).watch(list(pipeline), max_await_time_ms=5000) as stream:
            yield stream

    def snapshot(self, collection: str) -> RawCollection:
        """A collection whose finds read one committed point in time, however long the cursor lives."""
        return self.raw(collection).with_options(read_concern=ReadConcern("snapshot"))

    def close(self) -> None:
        """Closes all connections."""
        self._client.close()
