"""Value types that several domains share: ids, text in languages, planned moments, money and fixed vocabularies.

Closed vocabularies are enums: another value is a new version of every event that carries one. Vocabularies that grow
(programmes, roles, templates, rule kinds, …) are a :data:`Slug` in the events.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Annotated, Final, Self
from zoneinfo import ZoneInfo

from pydantic import Field, NaiveDatetime, StringConstraints, model_validator

from contracts.envelope import Model, UtcDatetime

PersonId = Annotated[str, StringConstraints(pattern=r"^prs_[0-9a-f]{32}$")]
"""A person with an account. It never changes, whatever happens to the mail address."""
GuestId = Annotated[str, StringConstraints(pattern=r"^gst_[0-9a-f]{32}$")]
"""Somebody who booked without an account."""
CityId = Annotated[str, StringConstraints(pattern=r"^city_[0-9a-f]{32}$")]
MembershipId = Annotated[str, StringConstraints(pattern=r"^mem_[0-9a-f]{32}$")]
GrantId = Annotated[str, StringConstraints(pattern=r"^grt_[0-9a-f]{32}$")]
LinkId = Annotated[str, StringConstraints(pattern=r"^lnk_[0-9a-f]{32}$")]
TaskId = Annotated[str, StringConstraints(pattern=r"^tsk_[0-9a-f]{32}$")]
EntryId = Annotated[str, StringConstraints(pattern=r"^ent_[0-9a-f]{32}$")]
CallId = Annotated[str, StringConstraints(pattern=r"^call_[0-9a-f]{32}$")]
HostId = Annotated[str, StringConstraints(pattern=r"^hst_[0-9a-f]{32}$")]
"""One host of a call: a city or a group of cities that takes applicants together."""
ApplicationId = Annotated[str, StringConstraints(pattern=r"^app_[0-9a-f]{32}$")]
ReviewId = Annotated[str, StringConstraints(pattern=r"^rev_[0-9a-f]{32}$")]
DecisionId = Annotated[str, StringConstraints(pattern=r"^dec_[0-9a-f]{32}$")]
ParticipationId = Annotated[str, StringConstraints(pattern=r"^par_[0-9a-f]{32}$")]
CalendarEventId = Annotated[str, StringConstraints(pattern=r"^evt_[0-9a-f]{32}$")]
SessionId = Annotated[str, StringConstraints(pattern=r"^ses_[0-9a-f]{32}$")]
BookingId = Annotated[str, StringConstraints(pattern=r"^bkg_[0-9a-f]{32}$")]
MessageId = Annotated[str, StringConstraints(pattern=r"^msg_[0-9a-f]{32}$")]

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(?:[-.][a-z0-9]+)*$", max_length=80)]
"""A code out of a vocabulary that grows: lower case, digits, hyphens and dots."""
PlatformId = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(?:-[a-z0-9]+)+$", max_length=60)]
"""A national platform: country code first, such as ``se-viable-cities``; also part of its topics' names."""
CountryCode = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
"""ISO 3166-1 alpha-2."""
LanguageTag = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8})*$", max_length=35)]
"""BCP 47."""
TimeZoneName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_+/-]*$", max_length=64)]
"""IANA time zone. Only its form is checked here, so that an event outlives a zone's removal; doors check the rest."""
WebAddress = Annotated[str, StringConstraints(pattern=r"^https?://[^\s<>\"]+$", max_length=2000)]
"""An absolute http(s) address, kept as it was written."""
PortalPath = Annotated[str, StringConstraints(pattern=r"^/[^\s<>\"]*$", max_length=500)]
"""A place in the portal, from the root; the reader's own front door is put before it."""
Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
Year = Annotated[int, Field(ge=1900, le=2200)]


class TextOrigin(StrEnum):
    """Who made a text or its translation."""

    HUMAN = "human"
    MACHINE = "machine"


class Text(Model):
    """A text in one language."""

    text: Annotated[str, StringConstraints(min_length=1, max_length=20_000)]
    origin: TextOrigin = TextOrigin.HUMAN


LocalisedText = Annotated[dict[LanguageTag, Text], Field(min_length=1, max_length=60)]
"""A public text by language, in at least one."""


def human(**texts: str) -> dict[str, Text]:
    """A :data:`LocalisedText` written by people: ``human(en="Energy", pt="Energia")``."""
    return {language: Text(text=text) for language, text in texts.items()}


def best_text(texts: dict[str, Text], wanted: Sequence[str]) -> tuple[str, Text]:
    """The first of the wanted languages that there is, then its base language, then English, then any, with its tag.

    Raises :class:`ValueError` for an empty text.
    """
    by_tag = {tag.lower(): tag for tag in texts}
    for language in (*wanted, "en"):
        for tag in (language.lower(), language.lower().split("-")[0]):
            if tag in by_tag:
                return by_tag[tag], texts[by_tag[tag]]
    if not texts:
        raise ValueError("a text needs at least one language")
    tag = min(texts)
    return tag, texts[tag]


class PlannedMoment(Model):
    """A moment in the future as people agree on it: wall-clock time in a zone. UTC is derived from the two.

    ``utc`` is what the zone's rules said when the event was written; a reader recomputes it when they change.
    ``fold`` is 1 for the second of two equal wall-clock times when clocks go back (PEP 495).
    """

    local: Annotated[NaiveDatetime, Field(json_schema_extra={"format": "local-date-time"})]
    zone: TimeZoneName
    utc: UtcDatetime
    fold: Annotated[int, Field(ge=0, le=1)] = 0

    @classmethod
    def of(cls, local: datetime, zone: str) -> Self:
        """The planned moment of a wall-clock time (without offset) in a zone.

        Raises :class:`ValueError` for a zone that does not exist and for a time that the clocks skip there.
        """
        if local.tzinfo is not None:
            raise ValueError("a wall-clock time has no offset")
        try:
            aware = local.replace(tzinfo=ZoneInfo(zone))
        except (KeyError, ValueError, OSError) as error:
            raise ValueError(f"{zone!r} is not a time zone") from error
        utc = aware.astimezone(UTC)
        if utc.astimezone(aware.tzinfo).replace(tzinfo=None, fold=0) != local.replace(fold=0):
            raise ValueError(f"{local.isoformat()} does not exist in {zone}: clocks go forward there")
        return cls(local=local.replace(fold=0), zone=zone, utc=utc, fold=local.fold)

    def recomputed(self) -> Self:
        """The same wall-clock time with UTC as the zone's present rules give it. Raises as :meth:`of`."""
        return self.of(self.local.replace(fold=self.fold), self.zone)


class Span(Model):
    """From one planned moment to another; both may be in different zones."""

    starts: PlannedMoment
    ends: PlannedMoment


class Days(Model):
    """Whole days without a zone, the last one included."""

    first: date
    last: date

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.last < self.first:
            raise ValueError("the last day is before the first")
        return self


class Money(Model):
    """An amount in minor units, so that no rounding happens: 90000 EUR are 900 euros."""

    minor_units: int
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]


class EmissionDomain(StrEnum):
    """Where a city's emissions come from, in the Mission's words."""

    BUILT_ENVIRONMENT = "built-environment"
    ENERGY_SYSTEMS = "energy-systems"
    MOBILITY = "mobility"
    NATURE_BASED_SOLUTIONS = "nature-based-solutions"
    WASTE_AND_CIRCULARITY = "waste-and-circularity"
    INDUSTRIAL_PROCESSES = "industrial-processes"
    AGRICULTURE_AND_LAND_USE = "agriculture-and-land-use"


class Lever(StrEnum):
    """Levers of change, in the Mission's words."""

    GOVERNANCE_AND_POLICY = "governance-and-policy"
    DEMOCRACY_AND_PARTICIPATION = "democracy-and-participation"
    SOCIAL_INNOVATION = "social-innovation"
    FINANCE_AND_FUNDING = "finance-and-funding"
    LEARNING_AND_CAPABILITIES = "learning-and-capabilities"
    TECHNOLOGY = "technology"


THEMES: Final = frozenset[str]({*EmissionDomain, *Lever})
"""The themes that lists can be filtered by."""


class Audience(StrEnum):
    """Whom an offer or an event is meant for."""

    EVERYONE = "everyone"
    MISSION_MINDED_CITIES = "mission-minded-cities"
    MISSION_CITIES = "mission-cities"
    NATIONAL = "national"


class Admission(StrEnum):
    """How places are given: to all, by a scored selection, by invitation, or by lot."""

    OPEN = "open"
    SELECTED = "selected"
    INVITED = "invited"
    DRAWN = "drawn"


class AttendanceMode(StrEnum):
    """schema.org's three attendance modes."""

    ONSITE = "onsite"
    ONLINE = "online"
    MIXED = "mixed"


class Location(Model):
    """Where something takes place. ``name`` is the venue's; the address is the venue's, never a person's."""

    name: Annotated[str, StringConstraints(max_length=300)] | None = None
    address: Annotated[str, StringConstraints(max_length=500)] | None = None
    city: Annotated[str, StringConstraints(max_length=200)] | None = None
    country: CountryCode | None = None
    latitude: Annotated[float, Field(ge=-90, le=90)] | None = None
    longitude: Annotated[float, Field(ge=-180, le=180)] | None = None


Reference = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=r"^[^@]*$")]
"""Where a statement comes from: a web address, a document's title or number. Never a mail address."""


class Reason(Model):
    """Why something was refused or changed: a stable code and what fills its sentence, sayable in any language."""

    code: Slug
    params: dict[str, str | int] = Field(default_factory=dict)
