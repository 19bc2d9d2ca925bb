"""The result for each application, and what decided it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from contracts.cohort_selection import Outcome
from contracts.common import Reason
from services.cohort_selection.domain.quotas import Bound
from services.cohort_selection.domain.selection import Candidate


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is published for one application. ``reserve_rank`` counts from 1."""

    outcome: Outcome
    reserve_rank: int | None = None
    reasons: tuple[Reason, ...] = ()


def verdicts(
    candidates: Sequence[Candidate],
    selected: frozenset[str],
    reserve: Sequence[str],
    without_host: frozenset[str],
    excluded: frozenset[str],
    bounds: Sequence[Bound],
) -> dict[str, Verdict]:
    """The verdict on each candidate. ``excluded`` were left out by people's adjustment."""
    taken = [candidate for candidate in candidates if candidate.id in selected]
    counts = {bound.key: sum(bound.key in one.groups for one in taken) for bound in bounds}
    found = {}
    for candidate in candidates:
        if candidate.id in selected:
            found[candidate.id] = Verdict(Outcome.SELECTED)
            continue
        if candidate.id in excluded:
            reasons: tuple[Reason, ...] = (Reason(code="adjusted"),)
        elif candidate.id in without_host:
            reasons = (Reason(code="no-host"),)
        else:
            reasons = _reasons(candidate, taken, bounds, counts)
        rank = reserve.index(candidate.id) + 1 if candidate.id in reserve else None
        outcome = Outcome.NOT_SELECTED if rank is None else Outcome.RESERVE
        found[candidate.id] = Verdict(outcome, rank, reasons)
    return found


def _reasons(
    candidate: Candidate,
    taken: Sequence[Candidate],
    bounds: Sequence[Bound],
    counts: Mapping[tuple[str, str | None], int],
) -> tuple[Reason, ...]:
    """Why somebody was not selected: points or lot when all selected are better, else the quotas that decided."""
    cut_off = min((one.points for one in taken), default=0)
    worse = [one for one in taken if one.order > candidate.order]
    if not worse and candidate.points < cut_off:
        return (Reason(code="below-cut-off", params={"points": candidate.points, "cut-off": cut_off}),)
    if not worse and taken:
        return (Reason(code="lottery", params={"points": candidate.points}),)
    full = [b for b in bounds if b.key in candidate.groups and b.maximum is not None and counts[b.key] >= b.maximum]
    needed = [
        b
        for b in bounds
        if b.minimum > 0
        and counts[b.key] <= b.minimum
        and b.key not in candidate.groups
        and any(b.key in one.groups for one in worse)
    ]
    sides = [(b, "maximum") for b in full] or [(b, "minimum") for b in needed]
    return tuple(
        Reason(code="quota", params={"quota": b.code, "side": side} | ({"value": b.value} if b.value else {}))
        for b, side in sides
    ) or (Reason(code="quotas-together", params={"points": candidate.points, "cut-off": cut_off}),)
