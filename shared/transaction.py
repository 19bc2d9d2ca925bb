"""Typed reads, and transactions that commit documents and their events together."""

from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from pymongo import UpdateOne

from contracts.envelope import Event
from shared import context, outbox
from shared.clock import Clock
from shared.collections import Collection, Document, Row
from shared.driver import Cursor, RawCollection, Session
from shared.problems import conflict, not_found

if TYPE_CHECKING:
    from shared.store import Store

D = TypeVar("D", bound=Document)
T = TypeVar("T")
Filter = Mapping[str, Any]
Sort = Sequence[tuple[str, int]]


class Switched(Exception):
    """Projections were read of a generation that is not the present one any more."""


class Reader:
    """Typed reads; a transaction reads its own snapshot, the store the majority's latest."""

    def __init__(self, store: "Store", session: Session | None) -> None:
        self._store = store
        self._session = session

    def raw(self, collection: Collection[Any] | str) -> RawCollection:
        """The driver's collection, for queries that the typed calls do not cover; pass ``session=self.session``.

        What a transaction has deferred is not seen by them.
        """
        name = collection if isinstance(collection, str) else collection.stored_as(self.generation)
        return self._store.named(name)

    @property
    def generation(self) -> int:
        """The generation of projections that is read."""
        return self._store.present

    @property
    def session(self) -> Session | None:
        """The driver's session of the present transaction, None outside one."""
        return self._session

    async def _see(self, collection: Collection[Any]) -> None:
        """What has to be done before a collection is read."""

    async def get(self, collection: Collection[D], id: str) -> D | None:
        """The document with this id, or None."""
        return await self.one(collection, {"_id": id})

    async def require(self, collection: Collection[D], id: str) -> D:
        """The document with this id. Raises a 404 problem when there is none."""
        document = await self.get(collection, id)
        if document is None:
            raise not_found(collection.model.__name__.lower(), id)
        return document

    async def one(self, collection: Collection[D], filter: Filter) -> D | None:
        """One document that fits the filter, or None."""
        await self._see(collection)
        row = await self.raw(collection).find_one(filter, session=self._session)
        return None if row is None else collection.model.model_validate(row)

    async def find(self, collection: Collection[D], filter: Filter, *, sort: Sort = (), limit: int = 0) -> list[D]:
        """The documents that fit the filter; ``limit`` 0 means all."""
        rows = await (await self._cursor(collection, filter, sort, limit)).to_list(None)
        return [collection.model.model_validate(row) for row in rows]

    async def each(
        self, collection: Collection[D], filter: Filter, *, sort: Sort = (), limit: int = 0
    ) -> AsyncIterator[D]:
        """Like :meth:`find`, one document at a time."""
        async for row in await self._cursor(collection, filter, sort, limit):
            yield collection.model.model_validate(row)

    async def _cursor(self, collection: Collection[Any], filter: Filter, sort: Sort, limit: int) -> Cursor:
        await self._see(collection)
        cursor = self.raw(collection).find(filter, session=self._session, limit=limit)
        return cursor.sort(list(sort)) if sort else cursor

    async def values(self, collection: Collection[Any], filter: Filter, field: str = "_id") -> list[Any]:
        """One field of each document that fits the filter, which all of them have."""
        await self._see(collection)
        rows = await self.raw(collection).find(filter, {field: 1}, session=self._session).to_list(None)
        return [row[field] for row in rows]

    async def count(self, collection: Collection[Any], filter: Filter) -> int:
        """How many documents fit the filter."""
        await self._see(collection)
        return int(await self.raw(collection).count_documents(filter, session=self._session))


class Transaction(Reader):
    """One commit: documents guarded by their versions, the events of their changes, and inbox marks."""

    _session: Session

    def __init__(self, store: "Store", session: Session) -> None:
        super().__init__(store, session)
        self._rows: list[outbox.Row] = []
        self._deferred: dict[str, list[Any]] = defaultdict(list)
        self._gathered: dict[Callable[[Transaction, list[Any]], Awaitable[None]], list[Any]] = defaultdict(list)
        self._answers: dict[str, outbox.Row] = {}
        self._generation = store.present
        self._settled = False
        self._got: dict[str, dict[str, Row | None]] = defaultdict(dict)
        self.projecting = False
        """While it is true only projections can be written and nothing can be told; else no projection can."""

        self._projections = False
        self.writes = 0
        self.saving: str | None = None

    @property
    def generation(self) -> int:
        """The generation of projections that is read and written."""
        return self._generation

    async def get(self, collection: Collection[D], id: str) -> D | None:
        """As :meth:`Reader.get`. Of a collection that is not written to meanwhile, each document is read once."""
        await self._see(collection)
        found = self._got[collection.stored_as(self.generation)]
        if id not in found:
            found[id] = await self.raw(collection).find_one({"_id": id}, session=self._session)
        row = found[id]
        return None if row is None else collection.model.model_validate(row)

    def settle(self, generation: int) -> None:
        """Chooses the generation, before anything is read; otherwise it is looked up before the commit."""
        self._generation, self._settled = generation, True

    def raw(self, collection: Collection[Any] | str) -> RawCollection:
        """As :meth:`Reader.raw`."""
        self._projections |= isinstance(collection, Collection) and collection.projected
        return super().raw(collection)

    def _write(self, collection: Collection[Any]) -> None:
        if collection.projected is not self.projecting:
            raise TypeError(f"{collection.name}: projections are written by handlers that project, truth by all others")
        self.writes += 1
        self._got.pop(collection.stored_as(self.generation), None)

    @property
    def emits(self) -> bool:
        """Whether events or records go out with this commit."""
        return bool(self._rows)

    @property
    def clock(self) -> Clock:
        """The platform's clock."""
        return self._store.clock

    async def save(self, collection: Collection[D], document: D, *events: Event | outbox.Tombstone) -> D:
        """Stores the next version of an aggregate together with the events that tell of it.

        Returns the document with its new version. Raises a 409 problem when somebody else has stored that version
        in the meantime (the document was read outside this transaction).
        """
        await self._before_write(collection)
        self.saving = f"{collection.name}/{document.id}"
        saved = document.model_copy(update={"version": document.version + 1})
        row = saved.model_dump(by_alias=True)
        if document.version == 0:
            await self.raw(collection).insert_one(row, session=self._session)
        else:
            known = {"_id": document.id, "version": document.version}
            result = await self.raw(collection).replace_one(known, row, session=self._session)
            if result.matched_count == 0:
                raise conflict("changed-meanwhile", "Somebody else changed this in the meantime; load it again.")
        self.saving = None
        for ordinal, event in enumerate(events):
            if isinstance(event, Event) and event.aggregate_id != saved.id:
                raise ValueError(f"{event.type} tells of {event.aggregate_id}, not of {saved.id}")
            self.emit(event, saved.id, saved.version, ordinal)
        return saved

    def emit(self, event: Event | outbox.Tombstone, aggregate: str, version: int, ordinal: int = 0) -> None:
        """Puts an event into the outbox of this commit.

        (aggregate, version, ordinal) must be unique for all time: it makes the event's id. Raises a 413 problem for
        an event that is larger than its topic takes.
        """
        if self.projecting:
            raise TypeError(f"{event}: what projects tells nothing, for it is done again when a generation is built")
        now = self._store.clock.now()
        self.emit_record(outbox.row_of(event, aggregate, version, ordinal, self._store.service, now))

    def emit_record(self, row: outbox.Row) -> None:
        """Puts a ready record (a receipt, a dead letter) into the outbox of this commit."""
        self._rows.append(row | {outbox.WRITER: self._store.writer})

    def defer(self, collection: Collection[Any], write: Any) -> None:
        """Gathers a driver's write operation (``UpdateOne`` …) for one bulk write per collection.

        It is carried out before this transaction reads or writes the collection otherwise, or at the commit.
        """
        self._write(collection)
        self._deferred[collection.stored_as(self.generation)].append(write)

    def project(self, collection: Collection[Any], id: str, fields: Mapping[str, Any]) -> None:
        """Sets fields of one document of a projection, which is made when it is not there."""
        self.defer(collection, UpdateOne({"_id": id}, {"$set": dict(fields)}, upsert=True))

    def gather(self, work: Callable[["Transaction", list[T]], Awaitable[None]], item: T) -> None:
        """Keeps an item for ``work``, which writes what comes of all of them together, so that it reads once for many.

        It is done before this transaction updates or deletes anything, or at the commit; reads do not wait for it.
        """
        if self.projecting:
            raise TypeError(f"{work.__name__}: what projects writes nothing else")
        self.writes += 1
        self._gathered[work].append(item)

    async def _see(self, collection: Collection[Any]) -> None:
        await self._carry_out(collection.stored_as(self.generation))

    async def _carry_out(self, name: str) -> None:
        if writes := self._deferred.pop(name, None):
            await self.raw(name).bulk_write(writes, session=self._session)

    async def _before_write(self, collection: Collection[Any]) -> None:
        await self._work_off()
        await self._see(collection)
        self._write(collection)

    async def _work_off(self) -> None:
        projecting, self.projecting = self.projecting, False
        try:
            while self._gathered:
                work, items = self._gathered.popitem()
                await work(self, items)
        finally:
            self.projecting = projecting

    async def update(
        self,
        collection: Collection[Any],
        filter: Filter,
        update: Mapping[str, Any] | list[Any],
        *,
        upsert: bool = False,
    ) -> int:
        """Updates every fitting document at once; returns how many fitted. For rows that carry no events."""
        await self._before_write(collection)
        result = await self.raw(collection).update_many(filter, update, upsert=upsert, session=self._session)
        return int(result.matched_count)

    async def delete(self, collection: Collection[Any], filter: Filter) -> int:
        """Deletes every fitting document; returns how many there were. An aggregate's id must not be used again."""
        await self._before_write(collection)
        return int((await self.raw(collection).delete_many(filter, session=self._session)).deleted_count)

    def remember(self, result: Any) -> None:
        """Keeps the answer under the present context's ``Idempotency-Key``, if there is one.

        The transaction's own result is kept without this; it is for requests that share one transaction.
        """
        key = context.current().idempotency
        if key is not None:
            answer = {"_id": key.id, "digest": key.digest, "status": key.status, "at": self._store.clock.now()}
            self._answers[key.id] = answer | {"body": key.render(result)}

    async def finish(self, result: Any) -> None:
        """Writes what was gathered: projections, outbox rows, and the answers under their ``Idempotency-Key``."""
        await self._work_off()
        for name in list(self._deferred):
            await self._carry_out(name)
        if self._projections and not self._settled and await self._store.look_up(self._session) != self._generation:
            raise Switched
        if self._rows:
            await self.raw(outbox.COLLECTION).insert_many(self._rows, session=self._session)
        self.remember(result)
        if self._answers:
            await self.raw("idempotency").insert_many(list(self._answers.values()), session=self._session)
