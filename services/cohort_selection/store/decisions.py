"""Decisions and the participations that come of them."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel
from pymongo import ASCENDING, DESCENDING, IndexModel

from contracts.cohort_selection import DecisionState, Outcome, ParticipationState, Ranked
from contracts.common import Reason
from services.cohort_selection.store.kept import KeptMoment, KeptResult, KeptRules
from shared.store import Collection, Document


class PendingAdjustment(BaseModel):
    """A change of the computed result that somebody asks for. It counts when a second person has agreed."""

    application_id: str
    what: Literal["include", "exclude"]
    why: str
    asked_by: str
    agreed_by: str | None = None


class StoredVerdict(BaseModel):
    """The result for one application."""

    outcome: Outcome
    reserve_rank: int | None = None
    reasons: tuple[Reason, ...] = ()


class Decision(Document):
    """A decision from computed to published. ``what_if`` names the changed rules of a trial.

    ``rules`` are those it was computed by; ``scale`` is how many points one weighted point of a mean score counts;
    ``warnings`` are what the rules leave to people, such as a host that got fewer than it wants.
    """

    call_id: str
    state: DecisionState = DecisionState.COMPUTED
    what_if: dict[str, Any] | None = None
    rules: KeptRules
    engine: str
    seed: str
    inputs: str
    scale: int
    ranking: tuple[Ranked, ...]
    result: KeptResult
    verdicts: dict[str, StoredVerdict]
    warnings: tuple[Reason, ...] = ()
    adjustments: tuple[PendingAdjustment, ...] = ()
    digest: str
    computed_by: str
    computed_at: datetime
    proposed_by: str | None = None
    approved_by: str | None = None
    published_at: datetime | None = None
    refills: int = 0


DECISIONS = Collection("decisions", Decision, indexes=[IndexModel([("call_id", ASCENDING), ("_id", DESCENDING)])])


class Participation(Document):
    """A city's place in a cohort, offered or taken, and the persons who take part for it."""

    call_id: str
    application_id: str
    city_id: str
    persons: tuple[str, ...]
    programme: str
    cohort: str
    host_id: str | None = None
    host_cities: tuple[str, ...] = ()
    session_id: str | None = None
    state: ParticipationState = ParticipationState.OFFERED
    expires: KeptMoment
    from_reserve: bool = False
    offered_at: datetime
    task_id: str
    replaced_by: str | None = None


PARTICIPATIONS = Collection(
    "participations",
    Participation,
    indexes=[
        IndexModel([("application_id", ASCENDING)], unique=True),
        IndexModel([("call_id", ASCENDING), ("_id", ASCENDING)]),
        IndexModel([("city_id", ASCENDING), ("_id", DESCENDING)]),
        IndexModel([("persons", ASCENDING)]),
    ],
)
