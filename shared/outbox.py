"""The outbox: events commit with the documents that they tell of; :mod:`shared.relay` brings them to their topics."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pymongo import ASCENDING, IndexModel

from contracts.envelope import Attributes, Event, event_id
from contracts.registry import topic_of
from shared import context
from shared.problems import Problem
from shared.telemetry import traceparent

COLLECTION = "outbox"
KEPT_SECONDS = 24 * 3600
Row = dict[str, Any]
Headers = Sequence[tuple[str, bytes | None]]

UNPUBLISHED = "unpublished"
"""The index of what waits. Queries without its fields must name it, or they read the published rows of a day too."""

INDEXES = (
    IndexModel(
        [("aggregate", ASCENDING), ("version", ASCENDING), ("ordinal", ASCENDING)],
        name=UNPUBLISHED,
        partialFilterExpression={"published": False},
    ),
    IndexModel([("published_at", ASCENDING)], name="expiry", expireAfterSeconds=KEPT_SECONDS),
)

WRITER = "by"
"""The field of a row that names the process that wrote it."""


@dataclass(frozen=True, slots=True)
class Tombstone:
    """Erases the aggregate's value on the compacted topic of an event type."""

    of: type[Event]


def record(
    topic: str, key: str, value: bytes | None, headers: Headers, *, aggregate: str, version: int, ordinal: int = 0
) -> Row:
    """An outbox row for a record that is ready as bytes. (aggregate, version, ordinal) is unique for all time."""
    return {
        "_id": str(event_id(aggregate, version, ordinal)),
        "aggregate": aggregate,
        "version": version,
        "ordinal": ordinal,
        "topic": topic,
        "key": key,
        "value": value,
        "headers": [list(header) for header in headers],
        "published": False,
    }


def row_of(event: Event | Tombstone, aggregate: str, version: int, ordinal: int, service: str, now: datetime) -> Row:
    """The outbox row of an event, with the present context as its attributes.

    Raises a 413 :class:`Problem` when it is larger than its topic takes: the broker would refuse every record that
    is batched with it.
    """
    model = event.of if isinstance(event, Tombstone) else type(event)
    topic = topic_of(model)
    cause = context.current()
    id = str(event_id(aggregate, version, ordinal))
    attributes = Attributes(
        id=id,
        source=f"/services/{service}",
        type=model.type,
        subject=aggregate,
        time=now,
        aggregateversion=version,
        ordinal=ordinal,
        actor=cause.actor or service,
        onbehalfof=cause.on_behalf_of,
        city=aggregate if aggregate.startswith("city_") else _city(event),
        correlationid=cause.correlation or id,
        causationid=cause.causation,
        traceparent=traceparent(),
    )
    value = None if isinstance(event, Tombstone) else event.model_dump_json().encode()
    headers = attributes.headers()
    size = len(value or b"") + sum(len(name) + len(raw) for name, raw in headers) + len(aggregate) + 200
    if size > topic.max_message_bytes:
        raise Problem(
            413,
            "event-too-large",
            f"This change makes an event of {size} bytes; {topic.max_message_bytes} can be published.",
            params={"size": size, "limit": topic.max_message_bytes},
        )
    return record(topic.name, aggregate, value, headers, aggregate=aggregate, version=version, ordinal=ordinal) | {
        "created": now
    }


def _city(event: Event | Tombstone) -> str | None:
    """The city that an event names. To find out that a field is not there takes pydantic longer than to dump all."""
    fields = {} if isinstance(event, Tombstone) else type(event).model_fields
    return event.city_id if "city_id" in fields else None  # type: ignore[union-attr]  # it is a field
