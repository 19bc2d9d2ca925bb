"""Events as an iCalendar object, by the `icalendar` library."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from importlib.metadata import version
from typing import Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from icalendar import STATUS, Calendar, Event, vDDDLists, vGeo, vRecur, vText

from contracts.common import LocalisedText, PlannedMoment, best_text
from contracts.events_calendar import EventStatus, PublicEvent
from services.events_calendar.domain import moments
from services.events_calendar.store import CalendarEvent
from services.events_calendar.usecases.platform_events import identity

REFRESH: Final = timedelta(hours=1)
VERSION: Final = f"{version('icalendar')} {version('tzdata')}"
"""What the bytes of a feed depend on beside its events."""
NAME: Final = "Cities Mission calendar"
STATUSES: Final = {
    EventStatus.SCHEDULED: STATUS.CONFIRMED,
    EventStatus.TENTATIVE: STATUS.TENTATIVE,
    EventStatus.POSTPONED: STATUS.TENTATIVE,
    EventStatus.CANCELLED: STATUS.CANCELLED,
}


def calendar(rows: Sequence[CalendarEvent], languages: Sequence[str], public_url: str) -> bytes:
    """The feed with these events, each in the first of the languages that it has."""
    host = urlsplit(public_url).hostname or "localhost"
    feed = Calendar.new(
        prodid="-//Cities Mission Platform//Calendar 1//EN",
        name=NAME,
        uid=f"calendar@{host}",
        refresh_interval=REFRESH,
    )
    feed.add("x-published-ttl", "PT1H")
    for row in rows:
        if row.event is not None:
            feed.add_component(_event(row, row.event, languages, host))
    timed = [row.starts_at for row in rows if row.event and row.event.span and row.starts_at]
    if timed:
        last = max(row.ends_at for row in rows if row.ends_at)
        feed.add_missing_timezones(min(timed).date() - timedelta(days=366), last.date() + timedelta(days=366))
    content: bytes = feed.to_ical()
    return content


def _event(row: CalendarEvent, event: PublicEvent, languages: Sequence[str], host: str) -> Event:
    cancelled = row.standing == "cancelled"
    component = Event.new(
        uid=f"{_series(row)}@{host}",
        sequence=row.version - 1,
        stamp=row.changed_at,
        last_modified=row.changed_at,
        summary=_said(event.title, languages),
        description=_description(row, event, languages),
        location=_place(event),
        url=event.url,
        status=STATUS.CANCELLED if cancelled else STATUSES[event.status],
        categories=[row.kind, *event.themes],
    )
    if event.span is not None:
        component.start, component.end = _at(event.span.starts), _at(event.span.ends)
    elif event.days is not None:
        component.start, component.end = event.days.first, event.days.last + timedelta(days=1)
    place = event.location
    if place and place.latitude is not None and place.longitude is not None:
        component.add("geo", vGeo((place.latitude, place.longitude)))
    _add_recurrence(component, row, event)
    if event.online_url:
        component.add("conference", event.online_url, parameters={"VALUE": "URI"})
    return component


def _series(row: CalendarEvent) -> str:
    """The id of the series: a changed instance has the UID of its series (RFC 5545, 3.8.4.4)."""
    return row.id if row.recurrence_id is None or row.platform is None else identity(row.platform, row.uid, None)


def _at(moment: PlannedMoment) -> datetime:
    """Wall-clock time in its zone; the reader's program knows the zone's rules by the VTIMEZONE."""
    return moment.local.replace(tzinfo=ZoneInfo(moment.zone), fold=moment.fold)


def _add_recurrence(component: Event, row: CalendarEvent, event: PublicEvent) -> None:
    tz = moments.zone(event.time_zone) or ZoneInfo("UTC")
    if row.recurrence_id is not None:
        component.add("recurrence-id", _beginning(row.recurrence_id, tz))
    if event.recurrence is None:
        return
    if event.recurrence.rrule:
        component.add("rrule", vRecur.from_ical(event.recurrence.rrule.upper().removeprefix("RRULE:")))
    if event.recurrence.exdates:
        component.add("exdate", vDDDLists([_beginning(text, tz) for text in event.recurrence.exdates]))


def _beginning(text: str, tz: ZoneInfo) -> date:
    """A beginning as it is kept: a date, or an instant that is written in the zone of the event."""
    if len(text) == len("2026-03-05"):
        return date.fromisoformat(text)
    return datetime.fromisoformat(text).astimezone(UTC).astimezone(tz)


def _said(texts: LocalisedText, languages: Sequence[str]) -> vText:
    tag, text = best_text(texts, languages)
    return vText(text.text, params={"LANGUAGE": tag})


def _description(row: CalendarEvent, event: PublicEvent, languages: Sequence[str]) -> str:
    parts = [
        best_text(row.reason, languages)[1].text if row.reason else "",
        best_text(event.description, languages)[1].text if event.description else "",
        event.organiser.name if event.organiser and event.organiser.name else "",
        event.registration_url or event.url or "",
    ]
    return "\n\n".join(part for part in parts if part)


def _place(event: PublicEvent) -> str | None:
    place = event.location
    if place is None:
        return None
    return ", ".join(part for part in (place.name, place.address, place.city, place.country) if part) or None
