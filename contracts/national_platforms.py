"""What national platforms send and what they are answered: the public interface of docs/national-platforms.md.

Here stands what can be judged by the message alone: its fields, their form and their limits. Whether an offset fits its
zone, whether an id was used before and whether the sender may say so is the calendar's to decide.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field, StringConstraints, ValidationError, model_validator

from contracts.common import CalendarEventId, CountryCode, LanguageTag, PlatformId, TimeZoneName, WebAddress
from contracts.envelope import Event, Model, UtcDatetime

MAX_MESSAGE_BYTES = 64 * 1024
"""Largest message, attributes and data together, that a platform may send."""

_MOMENT = re.compile(r"^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)$")
_DAY = re.compile(r"^\d{4}-\d\d-\d\d$")


def _moment(value: str) -> str:
    if not _MOMENT.match(value):
        raise ValueError("must be an RFC 3339 date-time with an offset or Z, such as 2026-03-05T14:00:00+01:00")
    datetime.fromisoformat(value.upper())
    return value


def _moment_or_day(value: str) -> str:
    if not _DAY.match(value):
        return _moment(value)
    date.fromisoformat(value)
    return value


Moment = Annotated[str, Field(json_schema_extra={"format": "date-time"}), AfterValidator(_moment)]
MomentOrDay = Annotated[
    str,
    Field(json_schema_extra={"anyOf": [{"format": "date-time"}, {"format": "date"}]}),
    AfterValidator(_moment_or_day),
]
"""RFC 3339 date-time with offset or ``Z``, or a calendar date; kept as it was written."""
Uid = Annotated[str, StringConstraints(min_length=1, max_length=255)]
Sequence = Annotated[int, Field(ge=0, le=2**31 - 1)]
Title = Annotated[str, StringConstraints(min_length=1, max_length=300)]
LongText = Annotated[str, StringConstraints(max_length=10_000)]
ShortText = Annotated[str, StringConstraints(min_length=1, max_length=300)]
Word = Annotated[str, StringConstraints(min_length=1, max_length=100)]
PlatformAudience = Literal["everyone", "mission-minded-cities", "mission-cities", "national"]


def _everyone() -> list[PlatformAudience]:
    return ["everyone"]


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
            raise ValueError("starts_at, ends_at, recurrence_id and exdates must all be date-times or all be dates")
        starts, ends = (datetime.fromisoformat(value.upper()) for value in (self.starts_at, self.ends_at))
        if ends < starts or (ends == starts and not self.whole_days):
            raise ValueError("ends_at must be after starts_at")
        if (ends - starts).days + self.whole_days > 366:
            raise ValueError("an event lasts at most 366 days")
        place = self.location
        if self.attendance_mode != "online" and not (place and (place.name or place.city)):
            raise ValueError("location needs a name or a city unless attendance_mode is online")
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


class Problem(Model):
    """Something wrong (or odd, as a warning) with a message. ``given`` is what was found, shortened."""

    code: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(?:[-_][a-z0-9]+)*$", max_length=80)]
    field: Annotated[str, StringConstraints(max_length=200)] | None = None
    message: Annotated[str, StringConstraints(max_length=1000)]
    given: Annotated[str, StringConstraints(max_length=200)] | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What became of a message's data: the event when it is well formed, else problems; warnings in either case."""

    event: PlatformEvent | None
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)


def shown(value: object, limit: int = 120) -> str:
    """A value as a receipt shows it: one line, only harmless characters, shortened."""
    try:
        text = value if isinstance(value, str) else repr(value)
    except (RecursionError, ValueError):
        text = f"<{type(value).__name__}>"
    text = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text[: limit + 1])
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _unknown(model: BaseModel, given: Mapping[str, Any], path: str = "") -> Iterator[Problem]:
    for name, value in given.items():
        if name not in type(model).model_fields:
            where = shown(f"{path}{name}")
            yield Problem(code="unknown-field", field=where, message=f"{where} is not a known field; it was not kept.")
        elif isinstance(nested := getattr(model, name), BaseModel) and isinstance(value, Mapping):
            yield from _unknown(nested, value, f"{name}.")


def read(event_type: str, subject: str | None, data: object) -> Reading:
    """Judges the data of a platform's message strictly: nothing is converted, unknown fields are only warned about.

    ``data`` is the parsed JSON, ``subject`` the CloudEvents attribute, which must equal ``uid``. Never raises for
    what a platform may send.
    """
    model = PLATFORM_TYPES.get(event_type)
    if model is None:
        known = ", ".join(PLATFORM_TYPES)
        text = f"The type is not known. Known types: {known}."
        return Reading(None, [Problem(code="unknown-type", field="type", message=text, given=shown(event_type))])
    if not isinstance(data, Mapping):
        text = "The data must be a JSON object."
        return Reading(None, [Problem(code="not-an-object", field="data", message=text, given=shown(data))])
    try:
        event = model.model_validate(data, strict=True)
    except ValidationError as error:
        return Reading(None, [_problem(one) for one in error.errors(include_url=False)[:50]])
    except (RecursionError, ValueError) as error:
        return Reading(
            None, [Problem(code="not-legible", field="data", message=f"The data is not legible: {error}"[:300])]
        )
    warnings = list(_unknown(event, data))[:50]
    if subject != event.uid:
        text = "subject must equal the uid in the data."
        return Reading(
            None, [Problem(code="subject-is-not-uid", field="subject", message=text, given=shown(subject))], warnings
        )
    return Reading(event, [], warnings)


def _problem(error: Any) -> Problem:
    where = shown(".".join(str(part) for part in error["loc"] if part != "[key]"))
    message = error["msg"].removeprefix("Value error, ")
    given = None if error["type"] == "missing" else shown(error["input"])
    return Problem(code=error["type"].replace("_", "-"), field=where or None, message=shown(message, 300), given=given)


class ReceiptStatus(StrEnum):
    """What became of a message: taken, nothing new in it, or not taken."""

    ACCEPTED = "accepted"
    UNCHANGED = "unchanged"
    REJECTED = "rejected"


class ReceiptIssued(Event, type="eu.mission.national-platform.receipt.issued.v1", aggregate="key"):
    """The answer to one message, at least once, keyed by the message's offset as decimal text."""

    topic: str
    partition: int
    offset: Annotated[int, Field(ge=0)]
    message_id: Annotated[str, StringConstraints(max_length=500)] | None = None
    status: ReceiptStatus
    event_id: CalendarEventId | None = None
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    received_at: UtcDatetime

    @property
    def key(self) -> str:
        """The record's key: the offset of the message that is answered."""
        return str(self.offset)


class PlatformState(StrEnum):
    """Whether what a platform sends is taken at present."""

    ACTIVE = "active"
    SUSPENDED = "suspended"


class PlatformListed(Event, type="eu.mission.national-platform.platform.listed.v1", aggregate="platform"):
    """A national platform as the directory has it now. ``sources`` are the CloudEvents sources that it may name."""

    platform: PlatformId
    name: ShortText
    kind: ShortText
    country: CountryCode
    sources: Annotated[tuple[Annotated[str, StringConstraints(min_length=1, max_length=500)], ...], Field(min_length=1)]
    since: date
    state: PlatformState = PlatformState.ACTIVE
    website: WebAddress | None = None
    languages: tuple[LanguageTag, ...] = ()
