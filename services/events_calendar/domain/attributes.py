"""Reading a platform's record as a CloudEvent 1.0, in binary or in structured mode; nothing in it is trusted.

Sources: CloudEvents 1.0.2, its Kafka protocol binding (sections 3.2 and 3.3) and its JSON format.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pydantic_core import from_json

from contracts.national_platforms import MAX_MESSAGE_BYTES, shown
from services.events_calendar.domain import moments
from services.events_calendar.domain.notes import Notes

AHEAD = timedelta(minutes=5)
"""How far a message's own time may lie after the broker's."""

STRUCTURED: Final = "application/cloudevents"
LIMITS: Final = {"id": 500, "source": 500, "type": 200, "subject": 255}
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_JSON = re.compile(r"application/(?:[a-z0-9.+-]+\+)?json")


@dataclass(slots=True)
class Message:
    """What could be read of a record. ``time`` is the message's own or, without a usable one, the broker's."""

    time: datetime
    id: str | None = None
    source: str | None = None
    type: str | None = None
    subject: str | None = None
    data: object = None


def read_record(
    value: bytes | None, headers: Iterable[tuple[str, bytes | None]], broker_time: datetime, notes: Notes
) -> Message:
    """Reads attributes and data. Never raises for what a platform may send: what is wrong is noted."""
    headers = list(headers)
    size = len(value or b"") + sum(len(name) + len(raw or b"") for name, raw in headers)
    if size > MAX_MESSAGE_BYTES:
        text = f"A message has at most {MAX_MESSAGE_BYTES} bytes, attributes included."
        notes.refuse("too-large", "data", text, f"{size} bytes")
        return Message(broker_time)
    fields = _read_headers(headers, notes)
    kind = _media_type(fields.pop("content-type", None))
    content = _parsed(value, notes)
    if kind.startswith(STRUCTURED):
        if kind not in (STRUCTURED, f"{STRUCTURED}+json"):
            text = "Send one event per record, as application/cloudevents+json."
            notes.refuse("wrong-content-type", "content-type", text, kind)
        if not isinstance(content, Mapping):
            if not notes.problems:
                notes.refuse("not-an-object", "data", "A structured message is a JSON object.", content)
            return Message(broker_time)
        fields, content = {str(name): member for name, member in content.items()}, content.get("data")
        kind = _media_type(fields.get("datacontenttype"))
    if not _JSON.fullmatch(kind):
        notes.refuse("wrong-content-type", "datacontenttype", "The data must be application/json.", kind)
    return _take(fields, content, broker_time, notes)


def _read_headers(headers: Iterable[tuple[str, bytes | None]], notes: Notes) -> dict[str, Any]:
    """Binary mode's attributes by name, and the content type."""
    found: dict[str, Any] = {}
    for name, raw in headers:
        key = name.lower()
        if raw is None or not (key.startswith("ce_") or key == "content-type"):
            continue
        key = key.removeprefix("ce_")
        try:
            found[key] = raw.decode()
        except UnicodeDecodeError:
            notes.refuse("not-legible", key, f"The header {shown(name)} is not UTF-8.", raw)
    return found


def _media_type(value: object) -> str:
    """The media type without parameters; JSON when none is given."""
    return value.partition(";")[0].strip().lower() if isinstance(value, str) else "application/json"


def _parsed(value: bytes | None, notes: Notes) -> object:
    if value is None:
        notes.refuse("no-value", "data", "The record has no value.")
        return None
    try:
        return from_json(value, allow_inf_nan=False)
    except ValueError as error:
        notes.refuse("not-legible", "data", f"The value is not legible as JSON: {shown(str(error))}.")
        return None


def _take(fields: Mapping[str, Any], data: object, broker_time: datetime, notes: Notes) -> Message:
    message = Message(broker_time, data=data)
    if "specversion" not in fields:
        notes.refuse("missing", "specversion", "specversion: attribute required.")
    elif fields["specversion"] != "1.0":
        notes.refuse("not-one-of", "specversion", "specversion must be 1.0.", fields["specversion"])
    for name, limit in LIMITS.items():
        value = fields.get(name)
        if value is None:
            if not notes.about(name):
                notes.refuse("missing", name, f"{name}: attribute required.")
        elif not isinstance(value, str):
            notes.refuse("wrong-type", name, f"{name} must be a string.", value)
        elif not 1 <= len(value) <= limit:
            notes.refuse("too-long" if value else "too-short", name, f"{name} has 1 to {limit} characters.", value)
        elif _CONTROL.search(value):
            notes.refuse("wrong-form", name, f"{name} must not hold control characters.", value)
        else:
            setattr(message, name, value)
    message.time = _time(fields.get("time"), broker_time, notes)
    return message


def _time(value: object, broker_time: datetime, notes: Notes) -> datetime:
    if value is None:
        return broker_time
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        notes.refuse("wrong-form", "time", "time must be as RFC 3339 has it: 2026-03-05T14:00:00Z.", value)
        return broker_time
    try:
        said = moments.instant(value).astimezone(UTC)
    except (ValueError, OverflowError):
        notes.refuse("no-such-time", "time", "time does not exist.", value)
        return broker_time
    if said - broker_time > AHEAD:
        text = "time lies more than 5 minutes after the broker's; the broker's was taken."
        notes.warn("time-ahead", "time", text, value)
        return broker_time
    return said
