"""What callers get about calls, applications and reviews."""

from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel

from contracts.cohort_selection import ApplicantFacts, Outcome, Rules
from contracts.common import Admission, LocalisedText, PlannedMoment, Reason
from services.cohort_selection.domain.faults import Fault
from services.cohort_selection.domain.states import ApplicationState, CallState, ReviewState
from services.cohort_selection.store import Application, Call, CallVersion, HostList, Refusal, Review


class CallListed(BaseModel):
    """A call in a list."""

    id: str
    programme: str
    cohort: str
    title: LocalisedText
    summary: LocalisedText
    admission: Admission
    state: CallState
    opens: PlannedMoment
    closes: PlannedMoment
    places: int
    rules_version: int
    illustrative: bool

    @classmethod
    def of(cls, call: Call) -> Self:
        """The call as a list shows it."""
        return cls(
            **call.model_dump(include={"id", "programme", "cohort", "title", "summary", "admission", "state"}),
            opens=call.rules.window.opens,
            closes=call.rules.window.closes,
            places=call.rules.places,
            rules_version=call.rules.version,
            illustrative=call.rules.illustrative,
        )


class CallShown(CallListed):
    """A call with the rules that it is decided by."""

    rules: Rules

    @classmethod
    def of(cls, call: Call) -> Self:
        """The call with its rules."""
        return cls(**CallListed.of(call).model_dump(), rules=call.rules)


class VersionShown(BaseModel):
    """A version of a call's rules, what it changed, and why."""

    version: int
    changed: tuple[str, ...]
    reason: LocalisedText | None
    at: datetime
    rules: Rules

    @classmethod
    def of(cls, version: CallVersion) -> Self:
        """The version as everybody may read it."""
        return cls(
            version=version.rules.version,
            changed=version.changed,
            reason=version.reason,
            at=version.at,
            rules=version.rules,
        )


class ReasonShown(BaseModel):
    """One reason: a stable code, the field that it is about, a sentence, and what fills it."""

    code: str
    field: str
    message: str
    params: dict[str, str | int] = {}

    @classmethod
    def of(cls, fault: Fault) -> Self:
        """The reason of a fault."""
        return cls(code=fault.code, field=fault.field, message=fault.message, params=fault.params)


class Eligibility(BaseModel):
    """Whether a city could apply now, and every reason why not. ``facts`` are what the rules see of it."""

    eligible: bool
    reasons: list[ReasonShown]
    facts: ApplicantFacts


class ApplicationListed(BaseModel):
    """An application in a list."""

    id: str
    call_id: str
    city_id: str
    state: ApplicationState
    revision: int
    arrived_at: datetime
    facts: ApplicantFacts
    outcome: Outcome | None = None

    @classmethod
    def of(cls, application: Application) -> Self:
        """The application as a list shows it."""
        return cls(**_dump(application, cls))


class ApplicationShown(ApplicationListed):
    """An application in full; after the submission it is the receipt, with the digest of what was submitted."""

    rules_version: int
    representatives: tuple[str, ...]
    answers: dict[str, Any]
    preferences: tuple[str, ...]
    digest: str
    score: int | None = None
    rank: int | None = None
    reserve_rank: int | None = None
    host_id: str | None = None
    reasons: tuple[Reason, ...] = ()


class RefusalShown(BaseModel):
    """A submission that was refused."""

    id: str
    call_id: str
    city_id: str
    arrived_at: datetime
    reasons: tuple[Reason, ...]

    @classmethod
    def of(cls, refusal: Refusal) -> Self:
        """The refusal as the call's managers read it."""
        return cls(**_dump(refusal, cls))


class HostListShown(BaseModel):
    """A host's list of applications, the most wanted first."""

    host_id: str
    call_id: str
    applications: tuple[str, ...]

    @classmethod
    def of(cls, list: HostList) -> Self:
        """The list as its host reads it."""
        return cls(host_id=list.id, call_id=list.call_id, applications=list.applications)


class CandidateShown(BaseModel):
    """Somebody whom a host can rank."""

    application_id: str
    city_id: str
    country: str
    kind: str

    @classmethod
    def of(cls, application: Application) -> Self:
        """The applicant, and nothing of what it wrote."""
        facts = application.facts
        return cls(application_id=application.id, city_id=application.city_id, country=facts.country, kind=facts.kind)


class ReviewShown(BaseModel):
    """A review as its reviewer and the managers read it."""

    id: str
    call_id: str
    application_id: str
    reviewer: str
    state: ReviewState
    scores: dict[str, int]
    comment: str | None
    recorded_at: datetime | None

    @classmethod
    def of(cls, review: Review) -> Self:
        """The review without what it is about."""
        return cls(**_dump(review, cls))


class ReviewTask(BaseModel):
    """A review with what is to be judged."""

    review: ReviewShown
    city_id: str
    facts: ApplicantFacts
    answers: dict[str, Any]


class ReviewsRecorded(BaseModel):
    """The reviews that a request recorded."""

    recorded: list[ReviewShown]


class ReviewsAssigned(BaseModel):
    """The reviews that a request assigned."""

    assigned: list[ReviewShown]


class Missing(BaseModel):
    """An application that has too few reviews."""

    application_id: str
    city_id: str
    assigned: int
    recorded: int


class ReviewProgress(BaseModel):
    """How far the reviews of a call are. ``missing`` lists at most 200 applications, all counted in ``incomplete``."""

    applications: int
    per_application: int
    assigned: int
    recorded: int
    conflicted: int
    incomplete: int
    missing: list[Missing]


def _dump(document: BaseModel, model: type[BaseModel]) -> dict[str, Any]:
    return {name: getattr(document, name) for name in model.model_fields}
