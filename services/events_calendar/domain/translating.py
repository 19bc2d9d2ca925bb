"""A platform's event in the calendar's words."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from contracts.common import THEMES, AttendanceMode, Audience, Days, Location, Span
from contracts.events_calendar import EventStatus, Image, Organiser, PublicEvent, Recurrence
from contracts.national_platforms import PlatformEventPublished, PlatformListed
from services.events_calendar.domain import moments
from services.events_calendar.domain.notes import Notes
from services.events_calendar.domain.texts import Texts, WithoutHtml

LastStart = Callable[[str, date, tzinfo], date]
"""When a series' last instance begins: a date for a date, wall-clock time for wall-clock time in the zone.

Raises :class:`ValueError` with the reason for a rule that is not taken.
"""


@dataclass(frozen=True, slots=True)
class Tools:
    """What the libraries know about HTML and about recurrence rules."""

    without_html: WithoutHtml
    last_start: LastStart


@dataclass(frozen=True, slots=True)
class Translation:
    """The event, and when it (a series: its last instance) ends, in UTC."""

    event: PublicEvent
    ends: datetime


@dataclass(frozen=True, slots=True)
class _Times:
    span: Span | None
    days: Days | None
    recurrence: Recurrence | None
    ends: datetime


def translate(
    event: PlatformEventPublished, platform: PlatformListed, now: datetime, tools: Tools, notes: Notes
) -> Translation | None:
    """The event in our words, None when ``notes`` has problems with it."""
    texts = Texts(tools.without_html, notes)
    title = texts.localised(event.title, "title")
    if title is None:
        notes.refuse("too-short", "title", "title: no text is left in any language.")
    location = _location(event, texts, notes)
    words = [texts.clean(word, f"themes.{index}") for index, word in enumerate(event.themes)]
    tz = moments.zone(event.timezone)
    if tz is None:
        text = f"timezone: {event.timezone} is not a time zone; write it as Europe/Lisbon."
        notes.refuse("unknown-zone", "timezone", text, event.timezone)
        return None
    closes = event.registration_closes_at
    registration_closes = moments.planned(closes, tz, "registration_closes_at", now, notes) if closes else None
    times = _times(event, tz, now, tools, notes)
    if title is None or times is None or notes.problems:
        return None
    public = PublicEvent(
        title=title,
        description=texts.localised(event.description, "description", one_line=False),
        span=times.span,
        days=times.days,
        time_zone=event.timezone,
        recurrence=times.recurrence,
        status=EventStatus(event.status),
        attendance_mode=AttendanceMode(event.attendance_mode),
        location=location,
        country=(location.country if location else None) or platform.country,
        url=event.url,
        registration_url=event.registration_url,
        registration_closes=registration_closes,
        online_url=event.online_url,
        image=_image(event, texts),
        organiser=_organiser(event, texts),
        languages=_unique(event.languages),
        audiences=tuple(Audience(word) for word in _unique(event.audience)) or (Audience.EVERYONE,),
        themes=_unique(word for word in event.themes if word in THEMES),
        tags=_unique(word for word in words if word and word not in THEMES),
        capacity=event.capacity,
    )
    return Translation(public, times.ends)


def _unique(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(words))


def _location(event: PlatformEventPublished, texts: Texts, notes: Notes) -> Location | None:
    place = event.location
    if place is None:
        return None
    location = Location(
        name=texts.clean(place.name, "location.name"),
        address=texts.clean(place.address, "location.address"),
        city=texts.clean(place.city, "location.city"),
        country=place.country,
        latitude=place.latitude,
        longitude=place.longitude,
    )
    if event.attendance_mode != "online" and not (location.name or location.city):
        notes.refuse("no-place", "location", "location: no text is left in name or city.")
    return location


def _image(event: PlatformEventPublished, texts: Texts) -> Image | None:
    image = event.image
    if image is None:
        return None
    alt = texts.localised(image.alt, "image.alt")
    return Image(url=image.url, alt=alt, licence=texts.clean(image.licence, "image.licence"))


def _organiser(event: PlatformEventPublished, texts: Texts) -> Organiser | None:
    organiser = event.organiser
    name = texts.clean(organiser.name, "organiser.name") if organiser else None
    return Organiser(name=name, url=organiser.url) if organiser and (name or organiser.url) else None


def _times(event: PlatformEventPublished, tz: ZoneInfo, now: datetime, tools: Tools, notes: Notes) -> _Times | None:
    starts: date
    if event.whole_days:
        starts, last = date.fromisoformat(event.starts_at), date.fromisoformat(event.ends_at)
        for day, where in ((starts, "starts_at"), (last, "ends_at")):
            if not moments.legible_year(day, day.isoformat(), where, notes):
                return None
        span, days = None, Days(first=starts, last=last)
        ends = moments.end_of_day(last, tz)
    else:
        begins = moments.planned(event.starts_at, tz, "starts_at", now, notes)
        finishes = moments.planned(event.ends_at, tz, "ends_at", now, notes)
        if begins is None or finishes is None:
            return None
        if finishes.utc <= begins.utc:
            notes.refuse("ends-before-start", "ends_at", "ends_at must be after starts_at.", event.ends_at)
            return None
        span, days = Span(starts=begins, ends=finishes), None
        starts, ends = begins.local, finishes.utc
    shift = timedelta()
    if event.rrule is not None:
        try:
            shift = tools.last_start(event.rrule, starts, tz) - starts
        except ValueError as error:
            notes.refuse("rule-not-taken", "rrule", f"rrule: {error}.", event.rrule)
        if event.recurrence_id is not None:
            text = "rrule: one instance (recurrence_id) has no rule of its own."
            notes.refuse("rule-not-taken", "rrule", text, event.rrule)
    return _Times(span, days, _recurrence(event, tz, now, notes), ends + shift)


def _recurrence(event: PlatformEventPublished, tz: ZoneInfo, now: datetime, notes: Notes) -> Recurrence | None:
    """The series as it is kept: dates as dates, moments as UTC instants, so that they can be compared."""
    exdates: list[str] = []
    for index, text in enumerate(event.exdates):
        if event.whole_days:
            exdates.append(text)
        elif moment := moments.planned(text, tz, f"exdates.{index}", now, notes):
            exdates.append(moment.utc.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
    if event.rrule is None and not exdates and event.series_uid is None:
        return None
    return Recurrence(rrule=event.rrule, exdates=tuple(exdates), series_uid=event.series_uid)
