"""What callers get about decisions and participations."""

from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel

from contracts.cohort_selection import DecisionState, ParticipationState, QuotaResult, Ranked, Result
from contracts.common import PlannedMoment, Reason
from services.cohort_selection.store import Decision, Participation, PendingAdjustment
from services.cohort_selection.store.decisions import StoredVerdict


class DecisionListed(BaseModel):
    """A decision in the history of its call. ``what_if`` are the changed rules of a trial."""

    id: str
    call_id: str
    state: DecisionState
    what_if: dict[str, Any] | None
    rules_version: int
    computed_at: datetime
    computed_by: str
    published_at: datetime | None
    selected: int
    digest: str

    @classmethod
    def of(cls, decision: Decision) -> Self:
        """The decision as a list shows it."""
        return cls(**_listed(decision))


class DecisionShown(DecisionListed):
    """A decision with its ranking, quotas, adjustments and the reasons for every application.

    Points are the weighted sum of the mean scores, times ``scale``.
    """

    engine: str
    seed: str
    inputs: str
    scale: int
    ranking: tuple[Ranked, ...]
    result: Result
    verdicts: dict[str, StoredVerdict]
    warnings: tuple[Reason, ...]
    adjustments: tuple[PendingAdjustment, ...]
    proposed_by: str | None
    approved_by: str | None

    @classmethod
    def of(cls, decision: Decision) -> Self:
        """The decision as the call's managers read it."""
        own = {name: getattr(decision, name) for name in cls.model_fields if hasattr(decision, name)}
        return cls(**(own | _listed(decision)))


def _listed(decision: Decision) -> dict[str, Any]:
    own = {name: getattr(decision, name) for name in DecisionListed.model_fields if hasattr(decision, name)}
    return own | {"rules_version": decision.rules.version, "selected": len(decision.result.selected)}


class Place(BaseModel):
    """A city's place in a cohort, as everybody may know it."""

    city_id: str
    host_id: str | None


class PlaceNow(Place):
    """A place as it stands today."""

    state: ParticipationState
    from_reserve: bool


class PublishedDecision(BaseModel):
    """The result of a call: as it was announced, and as it is now."""

    call_id: str
    decision_id: str
    published_at: datetime
    rules_version: int
    engine: str
    seed: str
    inputs: str
    digest: str
    quotas: tuple[QuotaResult, ...]
    announced: list[Place]
    now: list[PlaceNow]


class ParticipationShown(BaseModel):
    """A participation: a place that is offered to a city, or that it has taken."""

    id: str
    call_id: str
    application_id: str
    city_id: str
    persons: tuple[str, ...]
    programme: str
    cohort: str
    host_id: str | None
    host_cities: tuple[str, ...]
    session_id: str | None
    state: ParticipationState
    expires: PlannedMoment
    from_reserve: bool
    offered_at: datetime
    replaced_by: str | None

    @classmethod
    def of(cls, participation: Participation) -> Self:
        """The participation as its city and the call's managers read it."""
        return cls(**{name: getattr(participation, name) for name in cls.model_fields})
