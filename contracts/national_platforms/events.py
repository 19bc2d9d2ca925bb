"""The messages of national platforms, field by field."""

import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated, Literal, LiteralString

from pydantic import AfterValidator, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from contracts.common import CountryCode, LanguageTag, TimeZoneName, WebAddress
from contracts.envelope import Event, Model

MAX_MESSAGE_BYTES = 64 * 1024
"""Largest message, attributes and data together, that a platform may send."""

_MOMENT = re.compile(r"^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)$")
_DAY = re.compile(r"^\d{4}-\d\d-\d\d$")


def _moment(value: str) -> str:
    if not _MOMENT.match(value):
        raise PydanticCustomError("wrong-form", "must be a date-time with an offset or Z: 2026-03-05T14:00:00+01:00")
    return _existing(value, datetime.fromisoformat)


def _existing(value: str, parse: Callable[[str], object]) -> str:
    try:
        parse(value.upper())
    except ValueError as error:
        raise PydanticCustomError("no-such-time", "does not exist: {why}", {"why": str(error)}) from error
    return value


def _moment_or_day(value: str) -> str:
    if not _DAY.match(value):
        return _moment(value)
    return _existing(value, date.fromisoformat)


Moment = Annotated[str, Field(json_schema_extra={"format": "date-time"}), AfterValidator(_moment)]
MomentOrDay = Annotated[
    str,
    Field(json_schema_extra={"anyOf": [{"format": "date-time"}, {"format": "date"}]}),
    AfterValidator(_moment_or_day),
]
"""RFC 3339 date-time with offset or ``Z``, or a calendar date; kept as it was written."""
Uid = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$")]
"""1-255 characters, none of them a control character."""
Sequence = Annotated[int, Field(ge=0, le=2**31 - 1)]
Title = Annotated[str, StringConstraints(min_length=1, max_length=300)]
LongText = Annotated[str, StringConstraints(max_length=10_000)]
ShortText = Annotated[str, StringConstraints(min_length=1, max_length=300)]
Word = Annotated[str, StringConstraints(min_length=1, max_length=100)]
PlatformAudience = Literal["everyone", "mission-minded-cities", "mission-cities", "national"]


def _everyone() -> list[PlatformAudience]:
    return ["everyone"]


def _misfit(name: str, code: LiteralString, message: LiteralString) -> PydanticCustomError:
    return PydanticCustomError(code, message, {"field": name})


class PlatformLocation(Model):
    """Where it takes place."""

    name: ShortText | None = None
    address: Annotated[str, StringConstraints(max_length=500)] | None = None
    city: Annotated[str, StringConstraints(max_length=200)] | None = None
    country: CountryCode | None = None
    latitude: Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)] | None = None
    longitude: Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)] | None = None


class PlatformImage(Model):
    """A picture; ``alt`` describes it by language."""

    url: WebAddress
    alt: dict[LanguageTag, ShortText] | None = None
    licence: Annotated[str, StringConstraints(max_length=200)] | None = None


class PlatformOrganiser(Model):
    """Who organises it. The mail address stays in the calendar's store and is never in an event of ours."""

    name: ShortText | None = None
    url: WebAddress | None = None
    email: Annotated[str, StringConstraints(max_length=254, pattern=r"^[^@\s]+@[^@\s]+$")] | None = None


class PlatformEventPublished(Event, type="eu.mission.national-platform.event.published.v1", aggregate="uid"):
    """The full state of an event: creates or replaces it. Identity: (platform, ``uid``, ``recurrence_id``)."""

    uid: Uid
    sequence: Sequence
    title: Annotated[dict[LanguageTag, Title], Field(min_length=1, max_length=60)]
    description: Annotated[dict[LanguageTag, LongText], Field(max_length=60)] = Field(default_factory=dict)
    starts_at: MomentOrDay
    ends_at: MomentOrDay
    timezone: TimeZoneName
    rrule: Annotated[str, StringConstraints(min_length=1, max_length=500)] | None = None
    exdates: Annotated[list[MomentOrDay], Field(max_length=366)] = Field(default_factory=list)
    recurrence_id: MomentOrDay | None = None
    series_uid: Uid | None = None
    status: Literal["scheduled", "tentative", "postponed"] = "scheduled"
    attendance_mode: Literal["onsite", "online", "mixed"] = "onsite"
    location: PlatformLocation | None = None
    url: WebAddress | None = None
    registration_url: WebAddress | None = None
    online_url: WebAddress | None = None
    registration_closes_at: Moment | None = None
    image: PlatformImage | None = None
    organiser: PlatformOrganiser | None = None
    languages: Annotated[list[LanguageTag], Field(max_length=60)] = Field(default_factory=list)
    audience: Annotated[list[PlatformAudience], Field(max_length=4)] = Field(default_factory=_everyone)
    themes: Annotated[list[Word], Field(max_length=60)] = Field(default_factory=list)
    capacity: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None

    @property
    def whole_days(self) -> bool:
        """Whether start and end are calendar dates."""
        return bool(_DAY.match(self.starts_at))

    @model_validator(mode="after")
    def _hangs_together(self) -> "PlatformEventPublished":
        written_as_days = [
            bool(_DAY.match(value)) for value in (self.ends_at, self.recurrence_id, *self.exdates) if value
        ]
        if any(as_days != self.whole_days for as_days in written_as_days):
            raise _misfit(
                "starts_at", "mixed-dates", "starts_at and all that goes by it are date-times, or all are dates"
            )
        starts, ends = (datetime.fromisoformat(value.upper()) for value in (self.starts_at, self.ends_at))
        if ends < starts or (ends == starts and not self.whole_days):
            raise _misfit("ends_at", "ends-before-start", "ends_at must be after starts_at")
        if (ends - starts).days + self.whole_days > 366:
            raise _misfit("ends_at", "lasts-too-long", "an event lasts at most 366 days")
        place = self.location
        if self.attendance_mode != "online" and not (place and (place.name or place.city)):
            raise _misfit("location", "no-place", "location needs a name or a city unless attendance_mode is online")
        return self


class PlatformEventCancelled(Event, type="eu.mission.national-platform.event.cancelled.v1", aggregate="uid"):
    """The event will not take place; it stays visible as cancelled."""

    uid: Uid
    sequence: Sequence
    recurrence_id: MomentOrDay | None = None
    reason: Annotated[dict[LanguageTag, Title], Field(max_length=60)] | None = None


class PlatformEventWithdrawn(Event, type="eu.mission.national-platform.event.withdrawn.v1", aggregate="uid"):
    """The event was published by mistake and vanishes."""

    uid: Uid
    sequence: Sequence
    recurrence_id: MomentOrDay | None = None
    reason: Annotated[dict[LanguageTag, Title], Field(max_length=60)] | None = None


PlatformEvent = PlatformEventPublished | PlatformEventCancelled | PlatformEventWithdrawn

PLATFORM_TYPES: dict[str, type[PlatformEvent]] = {
    model.type: model for model in (PlatformEventPublished, PlatformEventCancelled, PlatformEventWithdrawn)
}
"""What a platform may send, by CloudEvents type."""
