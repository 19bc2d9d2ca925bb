"""Finding events: one list of everything public, filtered, upcoming first."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from contracts.common import AttendanceMode, Audience
from services.events_calendar.domain import finding
from services.events_calendar.store import EVENTS, CalendarEvent
from services.events_calendar.usecases.views import EventView, event_view
from shared.problems import not_found
from shared.store import Reader

FEED_LIMIT = 5000
FEED_PAST = timedelta(days=30)
"""So long an event stays in feeds after it has ended, cancelled ones included."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a reader asks for; None and empty do not matter. An event fits when it has one of each that is asked for.

    ``begin`` and ``end`` are instants: an event fits when any of it lies between them.
    """

    countries: Sequence[str] = ()
    languages: Sequence[str] = ()
    themes: Sequence[str] = ()
    kinds: Sequence[str] = ()
    audiences: Sequence[Audience] = ()
    platform: str | None = None
    source: Literal["national-platform", "own"] | None = None
    mode: AttendanceMode | None = None
    text: str | None = None
    begin: datetime | None = None
    end: datetime | None = None

    def query(self) -> dict[str, Any]:
        """The store's filter. Words are found by their beginning, whatever their accents."""
        query: dict[str, Any] = {"shown": True}
        for field, values in (
            ("event.country", self.countries),
            ("event.themes", self.themes),
            ("kind", self.kinds),
            ("event.audiences", self.audiences),
        ):
            if values:
                query[field] = {"$in": list(values)}
        ands: list[dict[str, Any]] = []
        if self.languages:
            # "en" fits "en-GB" too.
            ands.append({"$or": [{"event.languages": {"$regex": f"^{tag}(-|$)"}} for tag in self.languages]})
        ands += [{"words": {"$regex": f"^{word}"}} for word in finding.words(self.text)[:20]]
        if self.platform:
            query["platform"] = self.platform
        elif self.source:
            query["platform"] = None if self.source == "own" else {"$ne": None}
        if self.mode:
            query["event.attendance_mode"] = self.mode.value
        if self.begin:
            query["ends_at"] = {"$gt": self.begin}
        if self.end:
            ands.append({"starts_at": {"$lt": self.end}})
        return query | ({"$and": ands} if ands else {})


async def events(
    reader: Reader, wanted: Wanted, after: Sequence[Any] | None, limit: int
) -> tuple[list[EventView], list[Any] | None]:
    """The events that fit, by their beginning, and where to go on; stable while events come in."""
    query = wanted.query()
    if after:
        moment, id = datetime.fromisoformat(after[0]), after[1]
        behind = {"$or": [{"starts_at": {"$gt": moment}}, {"starts_at": moment, "_id": {"$gt": id}}]}
        query = {"$and": [query, behind]}
    rows = await reader.find(EVENTS, query, sort=[("starts_at", 1), ("_id", 1)], limit=limit + 1)
    more = len(rows) > limit
    rows = rows[:limit]
    next_ = [rows[-1].starts_at.isoformat(), rows[-1].id] if more and rows[-1].starts_at else None
    return [event_view(row) for row in rows], next_


async def event(reader: Reader, event_id: str) -> EventView:
    """One event. Raises a 404 problem for an unknown and for a withdrawn one."""
    row = await reader.get(EVENTS, event_id)
    if row is None or not row.shown:
        raise not_found("event", event_id)
    return event_view(row)


async def fingerprint(reader: Reader, wanted: Wanted, *more: str) -> str:
    """Changes when anything in the feed of this filter does."""
    digest = hashlib.sha256("\n".join(more).encode())
    fields = {"version": 1}
    cursor = reader.raw(EVENTS).find(wanted.query(), fields, sort=[("starts_at", 1), ("_id", 1)], limit=FEED_LIMIT)
    async for row in cursor:
        digest.update(f"{row['_id']} {row['version']}\n".encode())
    return digest.hexdigest()[:32]


async def feed(reader: Reader, wanted: Wanted) -> list[CalendarEvent]:
    """The events of the feed of this filter, at most 5,000, by their beginning."""
    return await reader.find(EVENTS, wanted.query(), sort=[("starts_at", 1), ("_id", 1)], limit=FEED_LIMIT)
