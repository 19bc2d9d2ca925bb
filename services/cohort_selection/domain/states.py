"""The states of calls, applications, reviews, decisions and participations, and every step that is allowed."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Generic, TypeVar

from contracts.cohort_selection import CallPhase, DecisionState, ParticipationState
from services.cohort_selection.domain.faults import ForbiddenTransition

S = TypeVar("S", bound=StrEnum)


class CallState(StrEnum):
    """A call's phase; before it is published it is a draft."""

    DRAFT = "draft"
    ANNOUNCED = CallPhase.ANNOUNCED.value
    HOST_INTEREST = CallPhase.HOST_INTEREST.value
    CANDIDATE_CATALOGUE = CallPhase.CANDIDATE_CATALOGUE.value
    APPLICATION = CallPhase.APPLICATION.value
    REVIEW = CallPhase.REVIEW.value
    DECISION = CallPhase.DECISION.value
    DECIDED = CallPhase.DECIDED.value
    CANCELLED = CallPhase.CANCELLED.value


class ApplicationState(StrEnum):
    """Where an application stands. A submission that replaces an earlier one leaves it submitted."""

    SUBMITTED = "submitted"
    WITHDRAWN = "withdrawn"
    SELECTED = "selected"
    RESERVE = "reserve"
    NOT_SELECTED = "not-selected"


class ReviewState(StrEnum):
    """Where a review stands. ``conflicted`` and ``released`` ones count no more, and another reviewer is needed."""

    ASSIGNED = "assigned"
    RECORDED = "recorded"
    CONFLICTED = "conflicted"
    RELEASED = "released"


class Machine(Generic[S]):
    """A state machine: from each state the states that may follow."""

    def __init__(self, name: str, steps: Mapping[S, frozenset[S]]) -> None:
        self.name = name
        self.steps = steps

    def allows(self, present: S, wanted: S) -> bool:
        """Whether the step is allowed."""
        return wanted in self.steps[present]

    def go(self, present: S, wanted: S) -> S:
        """The wanted state. Raises :class:`ForbiddenTransition` when the step is not allowed."""
        if not self.allows(present, wanted):
            raise ForbiddenTransition(self.name, present, wanted)
        return wanted


_C = CallState
CALL = Machine(
    "call",
    {
        _C.DRAFT: frozenset({_C.ANNOUNCED}),
        _C.ANNOUNCED: frozenset({_C.HOST_INTEREST, _C.CANDIDATE_CATALOGUE, _C.APPLICATION, _C.CANCELLED}),
        _C.HOST_INTEREST: frozenset({_C.CANDIDATE_CATALOGUE, _C.APPLICATION, _C.CANCELLED}),
        _C.CANDIDATE_CATALOGUE: frozenset({_C.APPLICATION, _C.CANCELLED}),
        _C.APPLICATION: frozenset({_C.REVIEW, _C.DECISION, _C.CANCELLED}),
        _C.REVIEW: frozenset({_C.DECISION, _C.CANCELLED}),
        _C.DECISION: frozenset({_C.DECIDED, _C.CANCELLED}),
        _C.DECIDED: frozenset(),
        _C.CANCELLED: frozenset(),
    },
)
_A = ApplicationState
APPLICATION = Machine(
    "application",
    {
        _A.SUBMITTED: frozenset({_A.SUBMITTED, _A.WITHDRAWN, _A.SELECTED, _A.RESERVE, _A.NOT_SELECTED}),
        _A.WITHDRAWN: frozenset({_A.SUBMITTED}),
        _A.SELECTED: frozenset(),
        _A.RESERVE: frozenset({_A.SELECTED, _A.WITHDRAWN}),
        _A.NOT_SELECTED: frozenset(),
    },
)
_R = ReviewState
REVIEW = Machine(
    "review",
    {
        _R.ASSIGNED: frozenset({_R.RECORDED, _R.CONFLICTED, _R.RELEASED}),
        _R.RECORDED: frozenset({_R.RECORDED, _R.CONFLICTED}),
        _R.CONFLICTED: frozenset(),
        _R.RELEASED: frozenset(),
    },
)
_D = DecisionState
DECISION = Machine(
    "decision",
    {
        _D.COMPUTED: frozenset({_D.PROPOSED, _D.SUPERSEDED}),
        _D.PROPOSED: frozenset({_D.APPROVED, _D.SUPERSEDED}),
        _D.APPROVED: frozenset({_D.PUBLISHED, _D.SUPERSEDED}),
        _D.PUBLISHED: frozenset({_D.SUPERSEDED}),
        _D.SUPERSEDED: frozenset(),
    },
)
_P = ParticipationState
PARTICIPATION = Machine(
    "participation",
    {
        _P.OFFERED: frozenset({_P.ACCEPTED, _P.DECLINED}),
        # Until its offer ends an answer may be changed, unless the place has gone to somebody else.
        _P.ACCEPTED: frozenset({_P.DECLINED, _P.WITHDRAWN, _P.COMPLETED}),
        _P.DECLINED: frozenset({_P.ACCEPTED, _P.REPLACED}),
        _P.WITHDRAWN: frozenset({_P.REPLACED}),
        _P.REPLACED: frozenset(),
        _P.COMPLETED: frozenset(),
    },
)
