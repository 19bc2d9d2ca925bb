"""What several routes share: filters, the desk, texts and times in requests."""

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from fastapi import Depends, Path, Query, Request
from pydantic import AfterValidator, BeforeValidator, Field, NaiveDatetime, StringConstraints

from contracts.common import (
    AttendanceMode,
    Audience,
    CountryCode,
    LanguageTag,
    PlannedMoment,
    PlatformId,
    Slug,
    Text,
    TimeZoneName,
)
from services.events_calendar.domain import moments
from services.events_calendar.usecases.desk import Desk
from services.events_calendar.usecases.listing import Wanted
from shared.bodies import Body
from shared.identity import arrival

SessionPath = Annotated[str, Path(pattern=r"^ses_[0-9a-f]{32}$")]
BookingPath = Annotated[str, Path(pattern=r"^bkg_[0-9a-f]{32}$")]
EventPath = Annotated[str, Path(pattern=r"^evt_[0-9a-f]{32}$")]


async def _arrived(request: Request) -> datetime:
    return arrival(request)


Arrived = Annotated[datetime, Depends(_arrived)]

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def _legible(text: str) -> str:
    if _CONTROL.search(text):
        raise ValueError("control characters are not allowed")
    return text


def _existing_zone(name: str) -> str:
    if moments.zone(name) is None:
        raise ValueError("this is not a time zone; write it as Europe/Lisbon")
    return name


Line = Annotated[str, StringConstraints(min_length=1, max_length=300), AfterValidator(_legible)]
Prose = Annotated[str, StringConstraints(min_length=1, max_length=10_000), AfterValidator(_legible)]
Zone = Annotated[TimeZoneName, AfterValidator(_existing_zone)]
Titles = Annotated[dict[LanguageTag, Line], Field(min_length=1, max_length=60)]
Proses = Annotated[dict[LanguageTag, Prose], Field(max_length=60)]


def texts(by_language: dict[str, str] | None) -> dict[str, Text] | None:
    """Texts that people wrote, None when there are none."""
    return {tag: Text(text=text) for tag, text in by_language.items()} if by_language else None


class LocalMoment(Body):
    """A moment as people agree on it: wall-clock time in a zone. ``fold`` 1 is the second of two equal times."""

    local: NaiveDatetime
    zone: Zone
    fold: Annotated[int, Field(ge=0, le=1)] = 0

    def planned(self) -> PlannedMoment:
        """The planned moment. Raises :class:`ValueError` for a time that the clocks skip, or centuries away."""
        if self.local.year not in moments.YEARS:
            raise ValueError(f"the year must be from {moments.YEARS.start} to {moments.YEARS.stop - 1}")
        return PlannedMoment.of(self.local.replace(microsecond=0, fold=self.fold), self.zone)


async def _desk(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk


DeskDep = Annotated[Desk, Depends(_desk)]


def _day_or_moment(value: object) -> object:
    """A text of ten characters is a day, never midnight."""
    return date.fromisoformat(value) if isinstance(value, str) and len(value) == len("2026-03-05") else value


def _within_reason(value: date | None) -> date | None:
    if value is not None and value.year not in moments.YEARS:
        raise ValueError(f"the year must be from {moments.YEARS.start} to {moments.YEARS.stop - 1}")
    return value


Moment = Annotated[
    datetime | date | None,
    BeforeValidator(_day_or_moment),
    AfterValidator(_within_reason),
    Query(description="An instant (2026-03-05T14:00:00Z), or a day in the zone of `time_zone`"),
]


def _instant(value: datetime | date | None, tz: ZoneInfo, *, end: bool = False) -> datetime | None:
    if value is None:
        return None
    if not isinstance(value, datetime):
        value = datetime.combine(value, time(), tz) + timedelta(days=1 if end else 0)
    return (value if value.tzinfo else value.replace(tzinfo=tz)).astimezone(UTC)


async def filters(
    country: Annotated[list[CountryCode] | None, Query(max_length=60)] = None,
    language: Annotated[list[LanguageTag] | None, Query(max_length=60, description="Languages spoken")] = None,
    theme: Annotated[list[Slug] | None, Query(max_length=60)] = None,
    kind: Annotated[list[Slug] | None, Query(max_length=20, description="`national-event`, `orientation`, …")] = None,
    audience: Annotated[list[Audience] | None, Query(max_length=4)] = None,
    platform: Annotated[PlatformId | None, Query()] = None,
    source: Annotated[Literal["national-platform", "own"] | None, Query()] = None,
    mode: Annotated[AttendanceMode | None, Query()] = None,
    q: Annotated[str | None, Query(max_length=200, description="Words, in any case and without accents too")] = None,
    begin: Moment = None,
    end: Moment = None,
    time_zone: Annotated[Zone, Query(description="The zone of days and of times without offset")] = "UTC",
) -> Wanted:
    """What lists and feeds can be filtered by."""
    tz = ZoneInfo(time_zone)
    return Wanted(
        countries=country or (),
        languages=language or (),
        themes=theme or (),
        kinds=kind or (),
        audiences=audience or (),
        platform=platform,
        source=source,
        mode=mode,
        text=q,
        begin=_instant(begin, tz),
        end=_instant(end, tz, end=True),
    )


Filters = Annotated[Wanted, Depends(filters)]
