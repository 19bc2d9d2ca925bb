"""Calls and applications."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from contracts.cohort_selection.rules import Count, Rules
from contracts.common import (
    Admission,
    ApplicationId,
    CallId,
    CityId,
    CountryCode,
    Digest,
    HostId,
    LocalisedText,
    PersonId,
    PlannedMoment,
    Reason,
    ReviewId,
    Slug,
    Year,
)
from contracts.envelope import Event, Model, UtcDatetime


class CallPhase(StrEnum):
    """Known phases of a call, in their usual order; the vocabulary grows, so events carry a slug."""

    ANNOUNCED = "announced"
    HOST_INTEREST = "host-interest"
    CANDIDATE_CATALOGUE = "candidate-catalogue"
    APPLICATION = "application"
    REVIEW = "review"
    DECISION = "decision"
    DECIDED = "decided"
    CANCELLED = "cancelled"


class PlannedPhase(Model):
    """A phase with its planned beginning and end; None is not fixed yet."""

    phase: Slug
    begins: PlannedMoment | None = None
    ends: PlannedMoment | None = None


class CallPublished(Event, type="eu.mission.selection.call.published.v1", aggregate="call_id"):
    """A call is public, with the frozen version of its rules. ``owner`` manages it."""

    call_id: CallId
    programme: Slug
    cohort: Slug
    title: LocalisedText
    summary: LocalisedText
    admission: Admission
    phases: Annotated[tuple[PlannedPhase, ...], Field(min_length=1)]
    rules: Rules
    owner: PersonId


class CallAmended(Event, type="eu.mission.selection.call.amended.v1", aggregate="call_id"):
    """The call as it stands now, under a new version of its rules, with what changed and why."""

    call_id: CallId
    programme: Slug
    cohort: Slug
    title: LocalisedText
    phases: tuple[PlannedPhase, ...]
    rules: Rules
    changed: tuple[Slug, ...]
    reason: LocalisedText
    amended_by: PersonId


class CallPhaseChanged(Event, type="eu.mission.selection.call.phase-changed.v1", aggregate="call_id"):
    """The call went on to another phase: by its deadline, or by somebody's decision."""

    call_id: CallId
    programme: Slug
    cohort: Slug
    previous: Slug
    current: Slug


class HostPreferencesRecorded(Event, type="eu.mission.selection.host-preferences.recorded.v1", aggregate="host_id"):
    """A host's list of applications, the most wanted first; it replaces an earlier one."""

    call_id: CallId
    host_id: HostId
    applications: tuple[ApplicationId, ...]


Answer = Slug | bool | int | tuple[Slug, ...]
"""An answer that a rule can look at: a choice, a yes or no, a whole number, or several choices."""


class ApplicantFacts(Model):
    """What the rules saw of the city when the application arrived.

    ``statuses`` are those that held then, ``former_statuses`` those that had ended by then.
    """

    country: CountryCode
    country_status: Slug
    kind: Slug
    inhabitants: Count | None = None
    neutral_by: Year | None = None
    statuses: tuple[Slug, ...] = ()
    former_statuses: tuple[Slug, ...] = ()
    completed_programmes: tuple[Slug, ...] = ()


class ApplicationSubmitted(Event, type="eu.mission.selection.application.submitted.v1", aggregate="application_id"):
    """A city applied, or replaced its application (``revision`` counts from 1).

    It belongs to the city; ``representatives`` are those who would take part. ``preferences`` name hosts, the most
    wanted first. ``digest`` covers the whole submission, free text and attachments included, and is on the receipt.
    """

    application_id: ApplicationId
    call_id: CallId
    city_id: CityId
    revision: Annotated[int, Field(ge=1)]
    rules_version: Annotated[int, Field(ge=1)]
    arrived_at: UtcDatetime
    submitted_by: PersonId
    representatives: tuple[PersonId, ...]
    facts: ApplicantFacts
    answers: dict[Slug, Answer] = Field(default_factory=dict)
    preferences: tuple[HostId, ...] = ()
    digest: Digest


class ApplicationRefused(Event, type="eu.mission.selection.application.refused.v1", aggregate="application_id"):
    """A submission did not meet the rules. Every reason is named, not only the first."""

    application_id: ApplicationId
    call_id: CallId
    city_id: CityId
    rules_version: Annotated[int, Field(ge=1)]
    arrived_at: UtcDatetime
    submitted_by: PersonId
    reasons: Annotated[tuple[Reason, ...], Field(min_length=1)]


class ApplicationWithdrawn(Event, type="eu.mission.selection.application.withdrawn.v1", aggregate="application_id"):
    """The city took its application back."""

    application_id: ApplicationId
    call_id: CallId
    city_id: CityId
    withdrawn_by: PersonId


class Outcome(StrEnum):
    """What became of an application."""

    SELECTED = "selected"
    RESERVE = "reserve"
    NOT_SELECTED = "not-selected"


class ApplicationDecided(Event, type="eu.mission.selection.application.decided.v1", aggregate="application_id"):
    """The published result for one application. ``rank`` counts from 1 among all, ``reserve_rank`` on the reserve list.

    ``reasons`` say what decided: ``below-cut-off`` with the points, ``quota`` with its code, ``no-host``.
    """

    application_id: ApplicationId
    call_id: CallId
    city_id: CityId
    programme: Slug
    cohort: Slug
    outcome: Outcome
    score: int | None = None
    rank: Annotated[int, Field(ge=1)] | None = None
    reserve_rank: Annotated[int, Field(ge=1)] | None = None
    host_id: HostId | None = None
    reasons: tuple[Reason, ...] = ()


class ReviewRecorded(Event, type="eu.mission.selection.review.recorded.v1", aggregate="review_id"):
    """A reviewer scored an application, in whole points per criterion; comments stay in the service's store.

    A later record of the same review replaces it.
    """

    review_id: ReviewId
    application_id: ApplicationId
    call_id: CallId
    reviewer: PersonId
    scores: dict[Slug, int]
