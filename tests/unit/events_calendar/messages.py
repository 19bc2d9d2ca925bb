"""A platform's messages for tests, as an ordinary client would make them."""

import json
from datetime import UTC, datetime
from typing import Any

from contracts.national_platforms import PlatformEventPublished, PlatformListed

SOURCE = "https://viablecities.example/calendar"
NOW = datetime(2026, 2, 3, 8, 15, tzinfo=UTC)
PLATFORM = PlatformListed.model_validate(
    {
        "platform": "se-viable-cities",
        "name": "Viable Cities",
        "kind": "platform",
        "country": "SE",
        "sources": [SOURCE],
        "since": "2026-01-01",
    }
)
Headers = list[tuple[str, bytes | None]]


def data(**changes: Any) -> dict[str, Any]:
    """A correct event with fields changed; None takes a field out."""
    fields: dict[str, Any] = {
        "uid": "climate-lab-7",
        "sequence": 0,
        "title": {"sv": "Klimatlabb", "en": "Climate lab"},
        "starts_at": "2026-04-14T09:00:00+02:00",
        "ends_at": "2026-04-14T16:00:00+02:00",
        "timezone": "Europe/Stockholm",
        "location": {"city": "Umeå"},
    }
    return {name: value for name, value in (fields | changes).items() if value is not None}


def attributes(**changes: Any) -> dict[str, Any]:
    """Correct CloudEvents attributes with some changed; None takes one out."""
    fields = {
        "specversion": "1.0",
        "id": "1",
        "source": SOURCE,
        "type": PlatformEventPublished.type,
        "subject": "climate-lab-7",
        "time": "2026-02-03T08:00:00Z",
    }
    return {name: value for name, value in (fields | changes).items() if value is not None}


def binary(content: object = None, **changes: Any) -> tuple[bytes, Headers]:
    """Value and headers in binary mode."""
    headers: Headers = [(f"ce_{name}", str(value).encode()) for name, value in attributes(**changes).items()]
    return json.dumps(data() if content is None else content).encode(), [
        *headers,
        ("content-type", b"application/json"),
    ]


def structured(content: object = None, **changes: Any) -> tuple[bytes, Headers]:
    """Value and headers in structured mode."""
    event = attributes(**changes) | {"data": data() if content is None else content}
    return json.dumps(event).encode(), [("content-type", b"application/cloudevents+json; charset=utf-8")]
