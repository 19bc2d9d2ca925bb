"""Moments as platforms write them, held against the rules of the zone that they name.

Wall-clock time in the zone is what counts; ``Z`` means the instant, shown in the zone. An offset that the zone does
not have at that time is a mistake for past and near events and a doubt for distant ones, because zone rules change.
"""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from contracts.common import PlannedMoment
from services.events_calendar.domain.notes import Notes

DISTANT = timedelta(days=180)
"""Beyond this, an offset that does not fit the zone is only warned about."""

YEARS = range(1970, 2200)
"""What a calendar of events can mean. Other years are mistakes; near 1 and 9999 they cannot even be computed with."""


@lru_cache(maxsize=1000)
def zone(name: str) -> ZoneInfo | None:
    """The zone with this IANA name, None when there is none."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None


def instant(text: str) -> datetime:
    """A well-formed RFC 3339 date-time, aware, to the millisecond (the store's resolution).

    Raises :class:`ValueError` for one that does not exist.
    """
    aware = datetime.fromisoformat(text.upper())
    return aware.replace(microsecond=aware.microsecond // 1000 * 1000)


def legible_year(moment: date, text: str, where: str, notes: Notes) -> bool:
    """Whether a date lies in the years that a calendar can mean; otherwise it is refused."""
    if moment.year in YEARS:
        return True
    notes.refuse("out-of-range", where, f"{where}: the year must be from {YEARS.start} to {YEARS.stop - 1}.", text)
    return False


def planned(text: str, tz: ZoneInfo, where: str, now: datetime, notes: Notes) -> PlannedMoment | None:
    """The moment that a well-formed date-time means in a zone, None when it is refused. ``where`` is its field."""
    given = instant(text)
    if not legible_year(given, text, where, notes):
        return None
    if text[-1] in "Zz":
        return _at(given, tz)
    wall = given.replace(tzinfo=None)
    readings = [reading for reading in (wall, wall.replace(fold=1)) if _exists(reading, tz)]
    for reading in readings:
        if reading.replace(tzinfo=tz).utcoffset() == given.utcoffset():
            return PlannedMoment.of(reading, tz.key)
    note = notes.warn if given - now > DISTANT else notes.refuse
    if not readings:
        code = "no-such-time" if note == notes.refuse else "offset-misfit"
        note(code, where, f"{where}: this time does not exist in {tz.key}, clocks go forward there.", text)
        return _at(given, tz) if note == notes.warn else None
    has = readings[0].replace(tzinfo=tz).isoformat()[len("2026-03-05T14:00:00") :]
    note("offset-misfit", where, f"{where}: the offset does not fit {tz.key}, which has {has} at that time.", text)
    return PlannedMoment.of(readings[0], tz.key) if note == notes.warn else None


def end_of_day(day: date, tz: ZoneInfo) -> datetime:
    """The first instant after a day in a zone, in UTC."""
    return start_of_day(day + timedelta(days=1), tz)


def start_of_day(day: date, tz: ZoneInfo) -> datetime:
    """The first instant of a day in a zone, in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=tz).astimezone(UTC)


def _at(given: datetime, tz: ZoneInfo) -> PlannedMoment:
    return PlannedMoment.of(given.astimezone(tz).replace(tzinfo=None), tz.key)


def _exists(wall: datetime, tz: ZoneInfo) -> bool:
    back = wall.replace(tzinfo=tz).astimezone(UTC).astimezone(tz)
    return back.replace(tzinfo=None, fold=0) == wall.replace(fold=0)
