"""Makes of a record what a service has to do with it: which event it is, which aggregate's, and who handles it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import ConsumerRecord

from contracts import registry
from contracts.envelope import EVENT_TYPES, Attributes, Envelope, Event, UnknownVersion, decode, name_and_version
from shared.dead_letters import Decision
from shared.inbox import Handler, Inbox, RawHandler
from shared.records import KeptRecord, Origin


@dataclass(slots=True)
class Item:
    """A record as this service sees it. Neither handlers nor error: it is none of its business.

    ``waited`` says that it was parked and is tried again.
    """

    origin: Origin
    key: str
    value: bytes | None
    headers: list[tuple[str, bytes | None]]
    timestamp_ms: int
    aggregate: str = ""
    version: int = 0
    ordinal: int = 0
    envelope: Envelope | None = None
    handlers: Sequence[Handler] = ()
    raw_handler: RawHandler | None = None
    error: Exception | None = None
    decision: Decision | None = None
    waited: bool = False

    @property
    def state(self) -> str:
        """Id of the :class:`State` that tells whether this record is known."""
        return f"{self.origin.topic} {self.aggregate}"

    @property
    def by_place(self) -> bool:
        """Whether the record is known by its offset alone: outside data, or attributes that cannot be read."""
        return self.raw_handler is not None or (self.envelope is None and self.aggregate.startswith("unreadable/"))

    @property
    def place(self) -> tuple[int, int]:
        """Where the event stands among its aggregate's: version and ordinal."""
        return self.version, self.ordinal

    @property
    def parked_id(self) -> str:
        """Id of the record while it is parked; sorts by version within its aggregate."""
        return f"{self.state} {self.version:012d} {self.ordinal:04d}"

    @property
    def concerns_us(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.handlers) or self.raw_handler is not None or self.error is not None

    def kept(self) -> dict[str, Any]:
        """The fields of a :class:`KeptRecord` that keeps the record whole."""
        return {
            "topic": self.origin.topic,
            "partition": self.origin.partition,
            "offset": self.origin.offset,
            "key": self.key,
            "value": self.value,
            "headers": self.headers,
            "timestamp_ms": self.timestamp_ms,
        }


class Reading:
    """How a service reads the records of these topics, by its handlers and the registry."""

    def __init__(self, inbox: Inbox, topics: Sequence[registry.Topic]) -> None:
        self._inbox = inbox
        self._service = inbox.service
        self.topics = [topic.name for topic in topics]
        self._reads = {
            topic.name: {name_and_version(e.type)[0] for e in topic.readers[inbox.service] if e in inbox.handlers}
            for topic in topics
        }
        self._ranks = {name: rank for rank, name in enumerate(self.topics)}
        self._raw = [(regex(name), handler) for name, handler in inbox.raw.items()]

    def item(self, record: ConsumerRecord[Any, Any]) -> Item:
        """What there is to do with a record from the broker."""
        # Only an outsider's key can be no text; it is kept with its odd bytes escaped, as header names are.
        key = (record.key or b"").decode("utf-8", "backslashreplace")
        origin = Origin(record.topic, record.partition, record.offset)
        return self._read(Item(origin, key, record.value, list(record.headers), record.timestamp))

    def rank(self, item: Item) -> int:
        """Where a record's topic stands in the registry: what comes later may refer to what comes before."""
        return self._ranks.get(item.origin.topic, 0)

    def again(self, kept: KeptRecord) -> Item:
        """What there is to do with a record that was kept."""
        return self._read(Item(kept.origin, kept.key, kept.value, list(kept.headers), kept.timestamp_ms))

    def _read(self, item: Item) -> Item:
        if item.origin.topic == registry.replays(self._service):
            item.aggregate, item.version = f"unreadable/{item.origin.partition}", item.origin.offset + 1
            try:
                item.decision = Decision.model_validate_json(item.value or b"")
            except ValueError as error:
                item.error = error
            return item
        for pattern, raw_handler in self._raw:
            if pattern.fullmatch(item.origin.topic):
                item.aggregate = f"{item.origin.topic}/{item.origin.partition}"
                item.version, item.raw_handler = item.origin.offset + 1, raw_handler
                return item
        try:
            attributes = Attributes.from_headers(item.headers)
        except ValueError as error:
            # Without version it is known by its place; its aggregate is the key.
            item.aggregate, item.version = f"unreadable/{item.origin.partition}", item.origin.offset + 1
            item.error = error
            return item
        item.aggregate, item.version, item.ordinal = attributes.subject, attributes.aggregateversion, attributes.ordinal
        try:
            item.handlers, event = self._resolve(item.origin.topic, attributes.type, item.value)
        except (ValueError, UnknownVersion) as error:
            item.error = error
        else:
            item.envelope = Envelope(attributes, event)
        return item

    def _resolve(self, topic: str, event_type: str, value: bytes | None) -> tuple[Sequence[Handler], Event | None]:
        """The handlers and the event for a type, no handlers for what this service does not read."""
        if name_and_version(event_type)[0] not in self._reads.get(topic, ()):
            return (), None
        if value is None:
            return self._inbox.tombstones.get(EVENT_TYPES[event_type], ()), None
        event = decode(event_type, value)
        return self._inbox.handlers[type(event)], event


def regex(name: str) -> re.Pattern[str]:
    """What the names of topics look like that a registry entry stands for."""
    return re.compile(re.escape(name).replace(r"\{platform\}", "[a-z0-9-]+"))
