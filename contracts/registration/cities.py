"""Cities, their way through onboarding, what they have to do, and the countries that they lie in."""

from datetime import date
from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from contracts.common import (
    CityId,
    CountryCode,
    EmissionDomain,
    LanguageTag,
    Lever,
    PersonId,
    PlannedMoment,
    PortalPath,
    Reference,
    Slug,
    TaskId,
    TimeZoneName,
    WebAddress,
    Year,
)
from contracts.envelope import Event, Model


class CityKind(StrEnum):
    """What kind of local authority it is."""

    MUNICIPALITY = "municipality"
    METROPOLITAN_AREA = "metropolitan-area"
    DISTRICT = "district"
    ASSOCIATION = "association"
    OTHER = "other"


class Place(Model):
    """A place that belongs to an authority, as a gazetteer knows it. A place is not an authority."""

    source: Slug
    code: Annotated[str, StringConstraints(min_length=1, max_length=80)]
    name: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    country: CountryCode
    region: Annotated[str, StringConstraints(max_length=200)] | None = None
    latitude: Annotated[float, Field(ge=-90, le=90)]
    longitude: Annotated[float, Field(ge=-180, le=180)]


class Population(Model):
    """Inhabitants of the whole authority, with the year that the figure is for and who says so."""

    inhabitants: Annotated[int, Field(ge=0)]
    year: Year
    source: Reference


class Authority(Model):
    """What a local authority is. ``time_zone`` is the one that its deadlines are told in."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    kind: CityKind
    country: CountryCode
    places: Annotated[tuple[Place, ...], Field(min_length=1, max_length=400)]
    population: Population | None = None
    time_zone: TimeZoneName
    website: WebAddress | None = None


class PublicProfile(Model):
    """What a city shows to its peers. Challenges, offers and seeks are codes of a growing vocabulary."""

    challenges: tuple[Slug, ...] = ()
    domains: tuple[EmissionDomain, ...] = ()
    levers: tuple[Lever, ...] = ()
    offers: tuple[Slug, ...] = ()
    seeks: tuple[Slug, ...] = ()
    languages: tuple[LanguageTag, ...] = ()


class Commitment(Model):
    """The authority's commitment to climate neutrality: by which year, decided when, and where it is written down."""

    neutral_by: Year
    committed_on: date
    evidence: Reference


class StatusKind(StrEnum):
    """Known kinds of status; the vocabulary grows, so events carry a slug."""

    MISSION_CITY = "mission-city"
    PILOT = "pilot"
    TWIN = "twin"


class CityStatus(Model):
    """A status that a city has or had in a programme. ``valid_until`` is the last day; None is without end."""

    kind: Slug
    cohort: Slug | None = None
    valid_from: date
    valid_until: date | None = None
    source: Reference


class CityRegistered(Event, type="eu.mission.registration.city.registered.v1", aggregate="city_id"):
    """A local authority was declared. It is not public yet.

    ``origin`` says how: ``self-registered``, ``assisted`` (by the helpdesk) or ``official-list``.
    """

    city_id: CityId
    authority: Authority
    profile: PublicProfile = PublicProfile()
    commitment: Commitment | None = None
    statuses: tuple[CityStatus, ...] = ()
    origin: Slug


class CityPublished(Event, type="eu.mission.registration.city.published.v1", aggregate="city_id"):
    """From now on the city is public. ``ground``: ``membership-approved`` or ``official-list``."""

    city_id: CityId
    ground: Slug


class CityProfileChanged(Event, type="eu.mission.registration.city.profile-changed.v1", aggregate="city_id"):
    """What the authority is, or what it shows, changed; both in full."""

    city_id: CityId
    authority: Authority
    profile: PublicProfile


class CityCommitmentChanged(Event, type="eu.mission.registration.city.commitment-changed.v1", aggregate="city_id"):
    """The city's commitment as it is now; None when it was taken back."""

    city_id: CityId
    commitment: Commitment | None


class CityStatusesChanged(Event, type="eu.mission.registration.city.statuses-changed.v1", aggregate="city_id"):
    """All statuses of the city as they are now, ended ones included."""

    city_id: CityId
    statuses: tuple[CityStatus, ...]


class CityMerged(Event, type="eu.mission.registration.city.merged.v1", aggregate="city_id"):
    """The city turned out to be another one: whatever belonged to it belongs to ``into_city_id`` from now on."""

    city_id: CityId
    into_city_id: CityId


class OnboardingStep(StrEnum):
    """The three steps of the onboarding guide, in their order."""

    ORIENTATION = "orientation"
    REGISTRATION = "registration"
    EXPLORATION = "exploration"


class OnboardingStepCompleted(Event, type="eu.mission.registration.onboarding-step.completed.v1", aggregate="city_id"):
    """A city completed a step. ``ground`` says by what, such as ``booking-attended`` or ``membership-approved``."""

    city_id: CityId
    step: OnboardingStep
    ground: Slug
    person_id: PersonId | None = None


class TaskOpened(Event, type="eu.mission.registration.task.opened.v1", aggregate="task_id"):
    """A city has something to do. ``action`` is a code, ``params`` fill its sentence, ``path`` is where it is done."""

    task_id: TaskId
    city_id: CityId
    action: Slug
    params: dict[str, str | int] = Field(default_factory=dict)
    path: PortalPath | None = None
    due: PlannedMoment | None = None


class TaskOutcome(StrEnum):
    """Why a task is no longer open."""

    DONE = "done"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


class TaskClosed(Event, type="eu.mission.registration.task.closed.v1", aggregate="task_id"):
    """A task needs nothing more from the city."""

    task_id: TaskId
    city_id: CityId
    action: Slug
    outcome: TaskOutcome


class CountryStatus(StrEnum):
    """A country's relation to the Union's research programme."""

    EU = "eu"
    ASSOCIATED = "associated"
    OTHER = "other"


class CountryRecorded(Event, type="eu.mission.registration.country.recorded.v1", aggregate="country"):
    """A country's status and since which day it holds. Names come from the reader's language data (CLDR)."""

    country: CountryCode
    status: CountryStatus
    since: date | None = None
    source: Reference
