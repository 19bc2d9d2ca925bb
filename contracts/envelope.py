"""The envelope of every event: CloudEvents 1.0 in Kafka's binary mode.

The record's value is the event's data as JSON, the attributes are ``ce_*`` headers (CloudEvents Kafka
Protocol Binding 1.0.2, section 3.2), so that any CloudEvents SDK and ``kcat -H`` can read and write them.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Any, ClassVar, Self
from uuid import NAMESPACE_URL, UUID, uuid5

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict

TYPE_PATTERN = re.compile(r"^eu\.mission\.(?P<domain>[a-z-]+)(?:\.[a-z-]+)+\.v(?P<version>[1-9][0-9]*)$")
ID_NAMESPACE: UUID = uuid5(NAMESPACE_URL, "https://mission.eu/events")

UtcDatetime = Annotated[AwareDatetime, AfterValidator(lambda value: value.astimezone(UTC))]
"""A past instant, always with its zone, kept as UTC."""


class Model(BaseModel):
    """Base of every value that crosses a wall: immutable, and blind to fields that a newer writer added."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Event(Model):
    """A fact that has happened, named in the past tense.

    A subclass names its CloudEvents type: ``class CityRegistered(Event, type="eu.mission.….v1")``. A superseded
    version stays as a class of its own and overrides :meth:`upcast`; only the newest version is published.
    ``aggregate`` names the field that holds the aggregate's id, which is the event's subject and its record's key.
    """

    type: ClassVar[str] = ""
    aggregate_field: ClassVar[str] = ""

    def __init_subclass__(cls, *, type: str = "", aggregate: str = "", **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if aggregate:
            cls.aggregate_field = aggregate
        if not type:
            return
        if not TYPE_PATTERN.match(type):
            raise ValueError(f"{type!r} is not eu.mission.<domain>.<subject>.<fact>.v<n>")
        if type in EVENT_TYPES:
            raise ValueError(f"event type {type!r} is declared twice")
        cls.type = type
        EVENT_TYPES[type] = cls

    @property
    def aggregate_id(self) -> str:
        """The id of the aggregate that the event tells of."""
        return str(getattr(self, self.aggregate_field))

    def upcast(self) -> "Event":
        """The same fact in the newest version of its type; the newest version returns itself."""
        return self


EVENT_TYPES: dict[str, type[Event]] = {}
"""Every declared event type by its CloudEvents ``type``, superseded versions included."""


@lru_cache(maxsize=1024)
def name_and_version(event_type: str) -> tuple[str, int]:
    """Splits ``eu.mission.a.b.v2`` into its name without version and the version.

    Raises :class:`ValueError` for a type that does not follow the naming rule.
    """
    match = TYPE_PATTERN.match(event_type)
    if match is None:
        raise ValueError(f"{event_type!r} is not eu.mission.<domain>.<subject>.<fact>.v<n>")
    return event_type.rpartition(".v")[0], int(match["version"])


def event_id(aggregate: str, version: int, ordinal: int) -> UUID:
    """The event's id: UUIDv5 of aggregate, version and ordinal, so that a repeat is recognisable by its id."""
    return uuid5(ID_NAMESPACE, f"{aggregate}/{version}/{ordinal}")


@dataclass(frozen=True, slots=True)
class Attributes:
    """CloudEvents context attributes and our extension attributes of one event.

    ``subject`` is the aggregate's id and the record's key. ``aggregateversion`` and ``ordinal`` order the events of
    one aggregate: the version of the write that made the event, and its place within that write. ``city`` is the city
    that the event concerns, ``actor`` the person, service or platform that caused it, ``onbehalfof`` the person that
    an agent acted for. Timelines and audit live on them.
    """

    id: str
    source: str
    type: str
    subject: str
    time: datetime
    aggregateversion: int = 0
    ordinal: int = 0
    actor: str | None = None
    onbehalfof: str | None = None
    city: str | None = None
    correlationid: str | None = None
    causationid: str | None = None
    traceparent: str | None = None

    def headers(self) -> list[tuple[str, bytes]]:
        """The attributes as Kafka headers, in a fixed order, absent ones left out."""
        values = {name: getattr(self, name) for name in self.__slots__}
        values["time"] = self.time.astimezone(UTC).isoformat().replace("+00:00", "Z")
        return [
            ("ce_specversion", b"1.0"),
            *((f"ce_{name}", str(value).encode()) for name, value in values.items() if value is not None),
            ("content-type", b"application/json"),
        ]

    @classmethod
    def from_headers(cls, headers: Iterable[tuple[str, bytes | None]]) -> Self:
        """Reads the attributes from Kafka headers.

        Raises :class:`ValueError` when a required attribute is missing or not legible.
        """
        values: dict[str, Any] = {}
        for name, raw in headers:
            attribute = _ATTRIBUTE_OF.get(name)
            if attribute is not None and raw is not None:
                values[attribute] = raw.decode()
        missing = _REQUIRED - values.keys()
        if missing:
            raise ValueError(f"CloudEvents attributes are missing: {', '.join(sorted(missing))}")
        values["time"] = datetime.fromisoformat(values["time"])
        for name in ("aggregateversion", "ordinal"):
            values[name] = int(values.get(name, 0))
        return cls(**values)


_ATTRIBUTE_OF = {f"ce_{name}": name for name in Attributes.__slots__}
_REQUIRED = frozenset({"id", "source", "type", "subject", "time"})


@dataclass(frozen=True, slots=True)
class Envelope:
    """An event together with its attributes, as a handler receives it. ``event`` is None for a tombstone."""

    attributes: Attributes
    event: Event | None


class UnknownVersion(Exception):
    """A version of a known event type that is newer than this reader: its partition must stop, nothing may be lost."""


def decode(event_type: str, value: bytes) -> Event:
    """Reads an event's data and lifts it to the newest version of its type.

    Raises :class:`UnknownVersion` for a version newer than this code knows, :class:`ValueError` (pydantic's
    ``ValidationError`` included) for anything that is not a valid event.
    """
    model = EVENT_TYPES.get(event_type)
    if model is None:
        name, version = name_and_version(event_type)
        known = [v for n, v in map(name_and_version, EVENT_TYPES) if n == name]
        if known and version > max(known):
            raise UnknownVersion(f"{event_type} is newer than v{max(known)}, the newest version known here")
        raise ValueError(f"unknown event type {event_type}")
    return model.model_validate_json(value).upcast()
