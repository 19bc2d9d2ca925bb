"""New messages, seen the moment they are committed by any instance: wakes the mail sender and the open streams."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import structlog
from pymongo.errors import PyMongoError

from services.notification.store import MESSAGES
from shared.shutdown import before_shutdown
from shared.store import Row, Store

RECONNECT_SECONDS: Final = 1.0
NEW_MESSAGES: Final[list[Row]] = [
    {"$match": {"operationType": "insert"}},
    {"$project": {"fullDocument.reader": 1, "fullDocument.portal": 1, "fullDocument.mail.state": 1}},
]

log = structlog.get_logger()


class Feed:
    """One change stream for the whole process. It says who should look again, not what there is."""

    def __init__(self, wake_sender: asyncio.Event) -> None:
        self._wake_sender = wake_sender
        self._listeners: dict[str, set[asyncio.Event]] = defaultdict(set)
        self._task: asyncio.Task[None] | None = None
        self.closing = False

    def start(self, store: Store) -> None:
        """Begins to watch, once."""
        if self._task is None:
            self._task = asyncio.create_task(self._watch(store), name="message-feed")
            before_shutdown(self.close)

    async def stop(self) -> None:
        """Stops watching and ends the streams."""
        self.close()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def close(self) -> None:
        """Has the streams end."""
        self.closing = True
        self._look_all()

    @contextmanager
    def listening(self, reader: str) -> Iterator[asyncio.Event]:
        """An event that is set whenever the reader may have a new inbox entry, and when streams have to end."""
        event = asyncio.Event()
        self._listeners[reader].add(event)
        try:
            yield event
        finally:
            self._listeners[reader].discard(event)
            if not self._listeners[reader]:
                del self._listeners[reader]

    def _look_all(self) -> None:
        for events in self._listeners.values():
            for event in events:
                event.set()

    async def _watch(self, store: Store) -> None:
        while True:
            try:
                async with store.watch(MESSAGES.name, NEW_MESSAGES) as changes:
                    # What came in before the stream was open is looked for by whoever waits.
                    self._wake_sender.set()
                    self._look_all()
                    async for change in changes:
                        message = change["fullDocument"]
                        if message.get("mail"):
                            self._wake_sender.set()
                        if message["portal"]:
                            for event in self._listeners.get(message["reader"], ()):
                                event.set()
            except PyMongoError as error:
                log.warning("message-feed-lost", error=repr(error))
                await asyncio.sleep(RECONNECT_SECONDS)
