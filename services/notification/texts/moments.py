"""Moments as people read them: in words of their language, with the zone named, and the time at the place as well."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from babel.dates import format_date, format_time, get_timezone_location

from contracts.common import PlannedMoment, Span
from services.notification.texts.reader import Reader, zone

Patterns = Callable[[str, Mapping[str, Any]], str]
"""Fills the pattern of this name in the reader's language."""


def instant(value: PlannedMoment | datetime) -> datetime:
    """When it is; a planned moment by its zone's present rules."""
    if isinstance(value, datetime):
        return value
    try:
        return value.recomputed().utc
    except ValueError:
        return value.utc


def moment(value: PlannedMoment | datetime, reader: Reader, patterns: Patterns) -> str:
    """A moment in the reader's zone."""
    local = instant(value).astimezone(reader.zone)
    values = {"date": _date(local, reader), "time": _time(local, reader), "zone": _zone(local, reader, patterns)}
    return patterns("moment", values)


def span(value: Span, reader: Reader, patterns: Patterns, *, local: bool) -> str:
    """From one moment to another, in the reader's zone, and the time of the other zone where it differs.

    ``local`` puts the place's own time first: those who travel there need that one.
    """
    starts, ends = instant(value.starts), instant(value.ends)
    there = zone(value.starts.zone)
    own = _range(starts.astimezone(reader.zone), ends.astimezone(reader.zone), reader, patterns)
    if starts.astimezone(there).utcoffset() == starts.astimezone(reader.zone).utcoffset():
        return own
    place = _range(starts.astimezone(there), ends.astimezone(there), reader, patterns)
    if local:
        return place
    return patterns("elsewhere", {"range": own, "other": place})


def territory(code: str | None, reader: Reader) -> str | None:
    """A country's name in the reader's language."""
    return reader.locale.territories.get(code, code) if code else None


def _range(starts: datetime, ends: datetime, reader: Reader, patterns: Patterns) -> str:
    times = {
        "start": _time(starts, reader),
        "end": _time(ends, reader),
        "zone": _zone(starts, reader, patterns),
    }
    if starts.date() == ends.date():
        return patterns("range", times | {"date": _date(starts, reader)})
    return patterns("days", times | {"start_date": _date(starts, reader), "end_date": _date(ends, reader)})


def _date(local: datetime, reader: Reader) -> str:
    return str(format_date(local, "full", locale=reader.locale))


def _time(local: datetime, reader: Reader) -> str:
    return str(format_time(local, "short", tzinfo=local.tzinfo, locale=reader.locale))


def _zone(local: datetime, reader: Reader, patterns: Patterns) -> str:
    if local.tzinfo is None or str(local.tzinfo) in {"UTC", "Etc/UTC", "Etc/GMT"}:
        city = "UTC"
    else:
        city = str(get_timezone_location(local, locale=reader.locale, return_city=True))
    return patterns("zone", {"city": city, "offset": _offset(local)})


def _offset(local: datetime) -> str:
    minutes = int((local.utcoffset() or UTC.utcoffset(None)).total_seconds()) // 60
    sign, minutes = ("-" if minutes < 0 else "+"), abs(minutes)
    return f"UTC{sign}{minutes // 60}" + (f":{minutes % 60:02}" if minutes % 60 else "")
