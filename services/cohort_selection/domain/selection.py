"""Exact selection: of all sets that keep places and quotas, the one with the most points, ties broken by lot.

"By lot" is lexicographic: among the sets with the highest total, the one that holds the applicant with the best lot
that any of them holds, and so on down the lots. One integer says both: points above all lots, and for each lot a bit
above all worse ones. No two sets have the same sum, so the result is unique and does not depend on the input's order.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from services.cohort_selection.domain.programme import NoSolution, Row, Variable, maximise
from services.cohort_selection.domain.quotas import Bound, Groups


@dataclass(frozen=True, slots=True)
class Candidate:
    """Who may be selected: ``points`` are not negative, ``lot`` is drawn (the lowest is the best, no two are equal)."""

    id: str
    points: int
    lot: str
    groups: Groups = frozenset()

    @property
    def order(self) -> tuple[int, str]:
        """Sorts the best first: by points, then by lot."""
        return -self.points, self.lot


@dataclass(frozen=True, slots=True)
class Limit:
    """One side of a bound, as a conflict names it: ``side`` is ``minimum``, ``maximum`` or ``places``."""

    code: str
    value: str | None
    side: str
    limit: int


class Infeasible(Exception):
    """No set keeps all limits. ``conflict`` cannot be kept together, and without any one of them it could."""

    def __init__(self, conflict: Sequence[Limit]) -> None:
        super().__init__(", ".join(f"{c.code} {c.value or ''} {c.side} {c.limit}" for c in conflict))
        self.conflict = tuple(conflict)


def select(
    candidates: Collection[Candidate],
    places: int,
    bounds: Sequence[Bound],
    *,
    held: Iterable[Groups] = (),
    strict: bool = True,
) -> frozenset[str]:
    """The ids of the best set for the places and bounds that ``held`` leave (they have places already).

    With ``strict`` the minimums hold, or :class:`Infeasible` is raised with a smallest conflict. Without, as many of
    them as can be are filled, before points are looked at. A maximum that is overdrawn by ``held`` admits nobody more.
    """
    taken = list(held)
    counts = Counter(key for groups in taken for key in groups)
    free = max(places - len(taken), 0)
    try:
        return _best(candidates, free, bounds, counts, soft=not strict)
    except NoSolution:
        raise Infeasible(_conflict(candidates, free, bounds, counts)) from None


def _best(
    candidates: Collection[Candidate],
    free: int,
    bounds: Sequence[Bound],
    counts: Mapping[tuple[str, str | None], int],
    *,
    soft: bool,
) -> frozenset[str]:
    rows = [Row(0, free)]
    number: dict[tuple[str, str | None], int] = {}
    for bound in bounds:
        number[bound.key] = len(rows)
        before = counts.get(bound.key, 0)
        upper = None if bound.maximum is None else max(bound.maximum - before, 0)
        rows.append(Row(max(bound.minimum - before, 0), upper))
    # Among those who count alike only the best can be in the result, as many as there are places.
    alike: dict[Groups, list[Candidate]] = defaultdict(list)
    for candidate in sorted(candidates, key=lambda one: one.order):
        group = alike[candidate.groups]
        if len(group) < free:
            group.append(candidate)
    pool = sorted((candidate for group in alike.values() for candidate in group), key=lambda one: one.lot)
    variables = [
        Variable(
            (candidate.points << len(pool)) | (1 << (len(pool) - 1 - place)),
            frozenset({0, *(number[key] for key in candidate.groups if key in number)}),
        )
        for place, candidate in enumerate(pool)
    ]
    if soft:
        # One missing from a minimum weighs more than all points together.
        penalty = sum(variable.weight for variable in variables) + 1
        variables += [
            Variable(-penalty, frozenset({index}), row.lower) for index, row in enumerate(rows) if row.lower > 0
        ]
    values = maximise(variables, rows)
    return frozenset(candidate.id for candidate, taken in zip(pool, values, strict=False) if taken)


def _conflict(
    candidates: Collection[Candidate],
    free: int,
    bounds: Sequence[Bound],
    counts: Mapping[tuple[str, str | None], int],
) -> list[Limit]:
    """A smallest conflict, by leaving out one limit after the other while the rest cannot be kept."""
    limits = [Limit("places", None, "places", free)]
    for bound in bounds:
        if bound.minimum > counts.get(bound.key, 0):
            limits.append(Limit(bound.code, bound.value, "minimum", bound.minimum))
        if bound.maximum is not None:
            limits.append(Limit(bound.code, bound.value, "maximum", bound.maximum))

    def feasible(kept: list[Limit]) -> bool:
        sides = {(limit.code, limit.value, limit.side) for limit in kept}
        places = free if ("places", None, "places") in sides else len(candidates)
        left = [
            Bound(
                bound.code,
                bound.value,
                bound.minimum if (*bound.key, "minimum") in sides else 0,
                bound.maximum if (*bound.key, "maximum") in sides else None,
            )
            for bound in bounds
        ]
        try:
            _best(candidates, places, left, counts, soft=False)
        except NoSolution:
            return False
        return True

    for limit in list(limits):
        without = [other for other in limits if other is not limit]
        if not feasible(without):
            limits = without
    return limits
