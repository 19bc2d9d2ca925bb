"""The Kafka door's handlers: which function takes which event.

A service declares one :class:`Inbox` in its ``handlers.py``; :mod:`shared.consumer` brings the events to it, each
once, in order per aggregate.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from contracts import registry
from contracts.envelope import Envelope, Event
from shared.store import Transaction

Handler = Callable[[Transaction, Any, Envelope], Awaitable[None]]
"""Takes the transaction, the event and its envelope. It writes through the transaction and has no other effect.

To raise :class:`shared.problems.NotYetKnown` parks the event until the aggregate it waits for is applied; anything
else that it raises every time makes a dead letter.
"""
H = TypeVar("H", bound=Callable[..., Awaitable[None]])


@dataclass(frozen=True, slots=True)
class RawRecord:
    """A record of a topic that outsiders write to, as it came: nothing in it is trusted.

    ``broker_time`` is the broker's own (``LogAppendTime``). ``headers`` may hold anything, null values included.
    """

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    timestamp_ms: int

    @property
    def broker_time(self) -> datetime:
        """When the broker appended the record."""
        return datetime.fromtimestamp(self.timestamp_ms / 1000, UTC)


RawHandler = Callable[[Transaction, RawRecord], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Projection:
    """A handler that keeps events in projections and does nothing else."""

    handler: Handler

    async def __call__(self, tx: Transaction, event: Any, envelope: Envelope) -> None:
        tx.projecting = True
        try:
            await self.handler(tx, event, envelope)
        finally:
            tx.projecting = False


Table = dict[type[Event], list[Handler]]
"""What is done about each event, in this order."""


class Inbox:
    """The handlers of one service, held against what the registry says that it reads."""

    def __init__(self, service: str) -> None:
        self.service = service
        self.handlers: Table = {}
        self.tombstones: Table = {}
        self.raw: dict[str, RawHandler] = {}

    def on(self, *events: type[Event]) -> Callable[[H], H]:
        """Makes the decorated function the handler of these event types."""
        return self._register(self.handlers, events)

    def projects(self, *events: type[Event]) -> Callable[[H], H]:
        """Makes the decorated function the one that keeps these event types in projections.

        It may write projections and nothing else, and is called again for every event of the log when a generation
        is built; so it reads projections alone, needs no event to be there before another topic's, and does not look
        at the clock. What else follows from the event has a handler of its own (:meth:`on`). Both run in one
        transaction, the one that is declared first before the other.
        """
        return self._register(self.handlers, events, projects=True)

    def projects_tombstone(self, *events: type[Event]) -> Callable[[H], H]:
        """Like :meth:`projects`, for tombstones as :meth:`on_tombstone` has them."""
        return self._register(self.tombstones, events, projects=True)

    def on_tombstone(self, *events: type[Event]) -> Callable[[H], H]:
        """Makes the decorated function the handler of tombstones on the compacted topic of these event types.

        Its ``event`` is None; the erased aggregate's id is ``envelope.attributes.subject``.
        """
        return self._register(self.tombstones, events)

    def on_raw(self, topic: str) -> Callable[[RawHandler], RawHandler]:
        """Makes the decorated function the handler of the raw records of a topic or template of the registry."""

        def register(handler: RawHandler) -> RawHandler:
            if topic in self.raw:
                raise ValueError(f"{self.service} has two handlers for {topic}")
            self.raw[topic] = handler
            return handler

        return register

    def _register(self, table: Table, events: Iterable[type[Event]], *, projects: bool = False) -> Callable[[H], H]:
        def register(handler: H) -> H:
            for event in events:
                declared = table.setdefault(event, [])
                if any(isinstance(each, Projection) is projects for each in declared):
                    raise ValueError(f"{self.service} has two handlers for {event}")
                declared.append(Projection(handler) if projects else handler)
            return handler

        return register

    def projections(self) -> "Inbox":
        """An inbox of only what keeps events in projections."""
        only = Inbox(self.service)
        for mine, theirs in ((only.handlers, self.handlers), (only.tombstones, self.tombstones)):
            for event, declared in theirs.items():
                if kept := [each for each in declared if isinstance(each, Projection)]:
                    mine[event] = list(kept)
        return only

    def check(self) -> None:
        """Raises :class:`ValueError` when handlers and registry disagree."""
        topics = registry.consumed_by(self.service)
        declared = {event for topic in topics for event in topic.readers[self.service]}
        raw = {topic.name for topic in topics if not topic.readers[self.service]} - {registry.replays(self.service)}
        for what, here, there in (
            ("event types", {e.type for e in self.handlers}, {e.type for e in declared}),
            ("raw topics", set(self.raw), raw),
        ):
            if here != there:
                raise ValueError(
                    f"{self.service}: {what} without a handler: {sorted(there - here)};"
                    f" handled but not declared in contracts/registry.py: {sorted(here - there)}"
                )
