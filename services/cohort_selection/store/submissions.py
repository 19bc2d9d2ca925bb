"""Applications with all their revisions, refusals, reviews, and hosts' lists. Free text stays here."""

from datetime import datetime
from typing import Any

from pymongo import ASCENDING, DESCENDING, IndexModel

from contracts.cohort_selection import Outcome
from contracts.common import Reason
from services.cohort_selection.domain.states import ApplicationState, ReviewState
from services.cohort_selection.store.kept import KeptFacts
from shared.store import Collection, Document


class Application(Document):
    """A city's application to a call, as it stands. A city has one per call, however often it is replaced.

    ``answers`` hold the free text too; ``submitted_by`` is None when that person was erased. What was published for it
    is in ``outcome`` and the fields after it.
    """

    call_id: str
    city_id: str
    state: ApplicationState
    revision: int
    rules_version: int
    arrived_at: datetime
    submitted_by: str | None
    representatives: tuple[str, ...]
    facts: KeptFacts
    answers: dict[str, Any]
    preferences: tuple[str, ...]
    digest: str
    outcome: Outcome | None = None
    score: int | None = None
    rank: int | None = None
    reserve_rank: int | None = None
    host_id: str | None = None
    reasons: tuple[Reason, ...] = ()


APPLICATIONS = Collection(
    "applications",
    Application,
    indexes=[
        IndexModel([("call_id", ASCENDING), ("city_id", ASCENDING)], unique=True),
        IndexModel([("city_id", ASCENDING), ("_id", DESCENDING)]),
        IndexModel([("representatives", ASCENDING)]),
    ],
)


class Revision(Document):
    """A submission as it arrived; nothing of it changes later, but for erasures."""

    application_id: str
    rules_version: int
    arrived_at: datetime
    submitted_by: str | None
    representatives: tuple[str, ...]
    answers: dict[str, Any]
    preferences: tuple[str, ...]
    digest: str


REVISIONS = Collection("application_revisions", Revision, indexes=[IndexModel([("application_id", ASCENDING)])])


class Refusal(Document):
    """A submission that was refused, with every reason."""

    call_id: str
    city_id: str
    rules_version: int
    arrived_at: datetime
    submitted_by: str | None
    reasons: tuple[Reason, ...]


REFUSALS = Collection("refusals", Refusal, indexes=[IndexModel([("call_id", ASCENDING), ("_id", ASCENDING)])])


class Review(Document):
    """One reviewer's work on one application. ``comment`` is for the managers and never leaves this store."""

    call_id: str
    application_id: str
    reviewer: str
    state: ReviewState = ReviewState.ASSIGNED
    scores: dict[str, int] = {}
    comment: str | None = None
    recorded_at: datetime | None = None


REVIEWS = Collection(
    "reviews",
    Review,
    indexes=[
        IndexModel([("application_id", ASCENDING), ("reviewer", ASCENDING)], unique=True),
        IndexModel([("call_id", ASCENDING), ("_id", ASCENDING)]),
        IndexModel([("reviewer", ASCENDING), ("_id", ASCENDING)]),
    ],
)


class HostList(Document):
    """A host's list of applications, the most wanted first. Its id is the host's."""

    call_id: str
    applications: tuple[str, ...]


HOST_LISTS = Collection("host_lists", HostList, indexes=[IndexModel([("call_id", ASCENDING)])])
