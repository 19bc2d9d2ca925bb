"""The public catalogue in memory, kept up to date by the database's own change stream.

Every instance holds its own copy, so a publication is seen everywhere some milliseconds after its commit.
"""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from services.catalogue.domain.search import Public, Shelf
from services.catalogue.store.documents import ENTRIES, EntryRecord
from shared.store import Row, Store

RETRY_SECONDS: Final = 1.0
ONLY_IDS: Final[list[Row]] = [{"$project": {"documentKey": 1}}]

log = structlog.get_logger()


class LiveShelf:
    """The shelf that readers are answered from. ``changed`` is called after each change of it."""

    def __init__(self, changed: Callable[[], None] = lambda: None) -> None:
        self._changed = changed
        self.shelf = Shelf()
        self.gone: dict[str, str | None] = {}
        """Withdrawn entries by id and by code, with the id of what replaces them."""
        self._versions: dict[str, int] = {}
        self._task: asyncio.Task[None] | None = None
        self._loaded = asyncio.Event()

    async def start(self, store: Store) -> None:
        """Loads everything and follows the changes from then on; returns when the shelf is filled."""
        if self._task is None:
            self._task = asyncio.create_task(self._follow(store), name="live-shelf")
        await self._loaded.wait()

    async def stop(self) -> None:
        """Stops following."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _follow(self, store: Store) -> None:
        while True:
            try:
                # The stream is opened before the entries are read, so that no change falls between the two.
                async with store.watch(ENTRIES.name, ONLY_IDS) as changes:
                    async for record in store.each(ENTRIES, {}):
                        self.take(record)
                    self._loaded.set()
                    async for change in changes:
                        changed = await store.get(ENTRIES, change["documentKey"]["_id"])
                        if changed is not None:
                            self.take(changed)
            except Exception as error:
                # Whatever it is, readers are better served by what is here than by nothing.
                log.warning("live-shelf-retries", error=repr(error))
                await asyncio.sleep(RETRY_SECONDS)

    def take(self, record: EntryRecord) -> None:
        """Takes over a stored entry, unless a newer version is here already."""
        if self._versions.get(record.id, 0) >= record.version:
            return
        self._versions[record.id] = record.version
        self._show(record)
        self._changed()

    def _show(self, record: EntryRecord) -> None:
        for name in (record.id, record.content.code):
            self.gone.pop(name, None)
        if record.public is not None and record.published_at is not None:
            self.shelf.put(Public(record.id, record.public, record.revision, record.published_at))
            return
        self.shelf.drop(record.id)
        if record.revision:
            for name in (record.id, record.content.code):
                self.gone[name] = record.replaced_by
