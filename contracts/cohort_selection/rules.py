"""The rules of a call: a versioned document, not code. What changes from round to round is data in here."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from contracts.common import CityId, HostId, LocalisedText, Money, PlannedMoment, SessionId, Slug
from contracts.envelope import Model

Count = Annotated[int, Field(ge=0)]


class Window(Model):
    """When applications are taken, judged by their time of arrival; ``grace_seconds`` is told to everybody."""

    opens: PlannedMoment
    closes: PlannedMoment
    grace_seconds: Count = 0

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.closes.utc <= self.opens.utc:
            raise ValueError("the window closes before it opens")
        return self


class EligibilityRule(Model):
    """One condition on an applicant. ``kind`` names the test, ``values`` and ``limit`` fill it.

    Known kinds: ``country-status``, ``country``, ``city-kind``, ``neutral-by`` (limit: year), ``without-status``,
    ``with-status``, ``completed-programme``, ``one-application``, ``representatives-at-least`` (limit),
    ``answer-is`` and ``answer-at-least`` (``field``). ``code`` is stable and names the refusal; ``sentence`` says it.
    """

    code: Slug
    kind: Slug
    values: tuple[str, ...] = ()
    limit: int | None = None
    field: Slug | None = None
    sentence: LocalisedText


class Choice(Model):
    """One of the answers that a form field offers."""

    value: Slug
    label: LocalisedText


class FormField(Model):
    """A field of the application form.

    ``kind``: ``text``, ``number``, ``boolean``, ``choice``, ``choices``, ``attachment``. Only the answers to fields
    that are ``judged`` (by a rule or a quota) go into events.
    """

    code: Slug
    kind: Slug
    label: LocalisedText
    help: LocalisedText | None = None
    required: bool = False
    judged: bool = False
    choices: tuple[Choice, ...] = ()
    minimum: int | None = None
    maximum: int | None = None
    max_length: Count | None = None


class Criterion(Model):
    """What reviewers score, on a scale of whole points, and how much it weighs."""

    code: Slug
    label: LocalisedText
    weight: Annotated[int, Field(ge=1)]
    lowest: int = 0
    highest: int = 5


class SizeBand(Model):
    """Authorities with ``from_inhabitants`` and more, below ``below_inhabitants`` (None: without end)."""

    code: Slug
    from_inhabitants: Count = 0
    below_inhabitants: Count | None = None


class Quota(Model):
    """Bounds on how many of the selected share a value of an attribute.

    ``attribute``: ``country``, ``size-band``, ``city-kind``, ``status``, or ``answer.<field>``. Bounds hold for all
    ``values`` together; with no values they hold for each single value that occurs.
    """

    code: Slug
    attribute: Slug
    values: tuple[str, ...] = ()
    minimum: Count = 0
    maximum: Count | None = None


class Host(Model):
    """A host of the call: one city or a group, how many it takes, and the session when places are for one."""

    host_id: HostId
    cities: Annotated[tuple[CityId, ...], Field(min_length=1, max_length=50)]
    title: LocalisedText
    at_least: Count = 0
    at_most: Annotated[int, Field(ge=1)]
    topics: tuple[Slug, ...] = ()
    session_id: SessionId | None = None


class Review(Model):
    """How applications are reviewed, and which ties between reviewer and applicant are conflicts."""

    per_application: Count = 1
    same_city_conflicts: bool = True
    same_country_conflicts: bool = True


class Matching(Model):
    """How applicants and hosts are matched. ``proposing``: ``applicants`` or ``hosts``.

    ``host_order`` says how hosts without own lists rank: ``score`` or ``similarity``.
    """

    proposing: Slug = "applicants"
    preferences_at_most: Count = 0
    host_order: Slug = "score"


class Offers(Model):
    """How long an offer stands, and whether a place that comes free goes to the reserve list by itself."""

    days: Annotated[int, Field(ge=1)]
    refill: bool = True


class Rules(Model):
    """One version of a call's rules. ``illustrative`` marks rules that no real programme published."""

    version: Annotated[int, Field(ge=1)]
    window: Window
    eligibility: tuple[EligibilityRule, ...] = ()
    form: tuple[FormField, ...] = ()
    review: Review = Review()
    criteria: tuple[Criterion, ...] = ()
    places: Annotated[int, Field(ge=1)]
    reserve: Count = 0
    size_bands: tuple[SizeBand, ...] = ()
    quotas: tuple[Quota, ...] = ()
    hosts: tuple[Host, ...] = ()
    matching: Matching | None = None
    offers: Offers
    tie_break: Slug = "lottery"
    representatives_at_most: Annotated[int, Field(ge=1)] = 2
    travel_money: Money | None = None
    illustrative: bool = False
