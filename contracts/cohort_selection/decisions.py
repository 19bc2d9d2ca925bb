"""Decisions and what follows from them: participations and places.

The engine proposes, people decide: a decision goes ``computed``, ``proposed``, ``approved``, ``published`` and may be
``superseded`` by a later one; what was announced stays as it was announced beside what holds now.
"""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from contracts.cohort_selection.rules import Count
from contracts.common import (
    ApplicationId,
    CallId,
    CityId,
    DecisionId,
    Digest,
    HostId,
    ParticipationId,
    PersonId,
    PlannedMoment,
    Reason,
    SessionId,
    Slug,
)
from contracts.envelope import Event, Model


class DecisionState(StrEnum):
    """Where a decision stands."""

    COMPUTED = "computed"
    PROPOSED = "proposed"
    APPROVED = "approved"
    PUBLISHED = "published"
    SUPERSEDED = "superseded"


class Ranked(Model):
    """An application in the order of scores; ``score`` is the weighted sum in whole points, ties are broken by lot."""

    application_id: ApplicationId
    city_id: CityId
    score: int
    rank: Annotated[int, Field(ge=1)]


class Match(Model):
    """A selected application with its host. Ranks count from 1 on either side's list; None: not on the list."""

    application_id: ApplicationId
    city_id: CityId
    host_id: HostId
    applicant_rank: Annotated[int, Field(ge=1)] | None = None
    host_rank: Annotated[int, Field(ge=1)] | None = None


class QuotaResult(Model):
    """How a quota came out. ``value`` is the single value it was counted for, None when all values count together."""

    code: Slug
    value: str | None = None
    minimum: Count = 0
    maximum: Count | None = None
    selected: Count
    overridden: bool = False


class Adjustment(Model):
    """What people changed in the computed result, why, who did it, and who agreed as the second person."""

    application_id: ApplicationId
    what: Slug
    why: Slug
    adjusted_by: PersonId
    agreed_by: PersonId


class Result(Model):
    """The outcome of a decision. ``reserve`` is in the order in which the list moves up, other things being equal."""

    selected: tuple[ApplicationId, ...]
    reserve: tuple[ApplicationId, ...] = ()
    matches: tuple[Match, ...] = ()
    quotas: tuple[QuotaResult, ...] = ()
    adjustments: tuple[Adjustment, ...] = ()


class DecisionComputed(Event, type="eu.mission.selection.decision.computed.v1", aggregate="decision_id"):
    """The engine's result with all that is needed to compute it again.

    ``seed`` (hexadecimal) drives the lottery, ``inputs`` is the digest of all that went in, ``digest`` of what came
    out. ``what_if`` marks a trial with other rules, recorded so that nobody can look for a result unseen.
    """

    state: ClassVar = DecisionState.COMPUTED
    decision_id: DecisionId
    call_id: CallId
    rules_version: Annotated[int, Field(ge=1)]
    engine: str
    seed: Annotated[str, Field(pattern=r"^[0-9a-f]{16,128}$")]
    inputs: Digest
    ranking: tuple[Ranked, ...]
    result: Result
    digest: Digest
    what_if: bool = False


class DecisionProposed(Event, type="eu.mission.selection.decision.proposed.v1", aggregate="decision_id"):
    """The manager puts the result, with any adjustments, before whoever approves it."""

    state: ClassVar = DecisionState.PROPOSED
    decision_id: DecisionId
    call_id: CallId
    result: Result
    digest: Digest
    proposed_by: PersonId


class DecisionApproved(Event, type="eu.mission.selection.decision.approved.v1", aggregate="decision_id"):
    """The result with this digest is approved."""

    state: ClassVar = DecisionState.APPROVED
    decision_id: DecisionId
    call_id: CallId
    digest: Digest
    approved_by: PersonId


class DecisionPublished(Event, type="eu.mission.selection.decision.published.v1", aggregate="decision_id"):
    """The result is public, as announced."""

    state: ClassVar = DecisionState.PUBLISHED
    decision_id: DecisionId
    call_id: CallId
    programme: Slug
    cohort: Slug
    rules_version: Annotated[int, Field(ge=1)]
    seed: Annotated[str, Field(pattern=r"^[0-9a-f]{16,128}$")]
    inputs: Digest
    result: Result
    digest: Digest


class DecisionSuperseded(Event, type="eu.mission.selection.decision.superseded.v1", aggregate="decision_id"):
    """Another decision takes this one's place; None when it was given up before it was published."""

    state: ClassVar = DecisionState.SUPERSEDED
    decision_id: DecisionId
    call_id: CallId
    superseded_by: DecisionId | None = None
    reason: Reason


class ParticipationState(StrEnum):
    """Where a city's participation stands. Selected is not participating."""

    OFFERED = "offered"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    REPLACED = "replaced"
    COMPLETED = "completed"


class ParticipationFact(Model):
    """What every fact of a participation says: the city, the persons who take part for it, and in what."""

    state: ClassVar[ParticipationState]
    participation_id: ParticipationId
    city_id: CityId
    persons: tuple[PersonId, ...]
    programme: Slug
    cohort: Slug
    call_id: CallId | None = None
    application_id: ApplicationId | None = None
    host_id: HostId | None = None
    host_cities: tuple[CityId, ...] = ()


class ParticipationOffered(
    ParticipationFact, Event, type="eu.mission.selection.participation.offered.v1", aggregate="participation_id"
):
    """A place is offered until ``expires``. ``from_reserve``: it came free and the list moved up."""

    state = ParticipationState.OFFERED
    expires: PlannedMoment
    from_reserve: bool = False


class ParticipationAccepted(
    ParticipationFact, Event, type="eu.mission.selection.participation.accepted.v1", aggregate="participation_id"
):
    """The city takes part."""

    state = ParticipationState.ACCEPTED
    accepted_by: PersonId | None = None


class ParticipationDeclined(
    ParticipationFact, Event, type="eu.mission.selection.participation.declined.v1", aggregate="participation_id"
):
    """The city does not take the place; ``expired``: it did not answer in time."""

    state = ParticipationState.DECLINED
    declined_by: PersonId | None = None
    expired: bool = False


class ParticipationWithdrawn(
    ParticipationFact, Event, type="eu.mission.selection.participation.withdrawn.v1", aggregate="participation_id"
):
    """The city left after it had accepted."""

    state = ParticipationState.WITHDRAWN
    reason: Reason | None = None


class ParticipationReplaced(
    ParticipationFact, Event, type="eu.mission.selection.participation.replaced.v1", aggregate="participation_id"
):
    """Another participation stands in the place of this one."""

    state = ParticipationState.REPLACED
    replaced_by: ParticipationId


class ParticipationCompleted(
    ParticipationFact, Event, type="eu.mission.selection.participation.completed.v1", aggregate="participation_id"
):
    """The city completed the programme."""

    state = ParticipationState.COMPLETED


class PlaceGranted(Event, type="eu.mission.selection.place.granted.v1", aggregate="participation_id"):
    """The city may book places at sessions of this programme and cohort; at one session alone when it is named."""

    participation_id: ParticipationId
    city_id: CityId
    persons: tuple[PersonId, ...]
    programme: Slug
    cohort: Slug
    session_id: SessionId | None = None
    places: Annotated[int, Field(ge=1)]


class PlaceReleased(Event, type="eu.mission.selection.place.released.v1", aggregate="participation_id"):
    """Places that were granted are no longer the city's."""

    participation_id: ParticipationId
    city_id: CityId
    programme: Slug
    cohort: Slug
    session_id: SessionId | None = None
    reason: Reason
