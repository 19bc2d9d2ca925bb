"""The whole computation of a decision, from its inputs to what is published: one pure function."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from contracts.cohort_selection import (
    Answer,
    ApplicantFacts,
    Criterion,
    Host,
    Match,
    QuotaResult,
    Ranked,
    Result,
    Rules,
)
from contracts.common import Reason
from services.cohort_selection.domain.canonical import digest, lot
from services.cohort_selection.domain.cohort import Cohort, Hosting, form_cohort, reserve_list
from services.cohort_selection.domain.outcomes import Verdict, verdicts
from services.cohort_selection.domain.quotas import (
    Bound,
    Groups,
    attribute_values,
    bounds_of,
    groups_of,
    quota_results,
)
from services.cohort_selection.domain.scoring import Scores, points, scale
from services.cohort_selection.domain.selection import Candidate, Infeasible

ENGINE: Final = "exact-selection-1"
"""Changes whenever the same inputs could give another result."""


@dataclass(frozen=True, slots=True)
class Applicant:
    """An application as the engine sees it. ``reviews`` are one score per criterion each."""

    id: str
    city_id: str
    facts: ApplicantFacts
    answers: Mapping[str, Answer]
    preferences: Sequence[str]
    reviews: Sequence[Scores] = ()


@dataclass(frozen=True, slots=True)
class Field:
    """The applicants of a call as candidates, with the bounds that its quotas set for them."""

    candidates: tuple[Candidate, ...]
    bounds: tuple[Bound, ...]


def field_of(rules: Rules, applicants: Sequence[Applicant], scored: Mapping[str, int], seed: str) -> Field:
    """The candidates in the order of their ids; ``scored`` gives their points."""
    values = {
        one.id: {q.attribute: attribute_values(q.attribute, rules, one.facts, one.answers) for q in rules.quotas}
        for one in applicants
    }
    occurring = {
        quota.attribute: {value for theirs in values.values() for value in theirs[quota.attribute]}
        for quota in rules.quotas
    }
    candidates = (
        Candidate(one.id, scored[one.id], lot(seed, one.id), groups_of(rules.quotas, values[one.id]))
        for one in sorted(applicants, key=lambda one: one.id)
    )
    return Field(tuple(candidates), tuple(bounds_of(rules.quotas, occurring)))


def hosting_of(
    hosts: Sequence[Host], wishes: Mapping[str, Sequence[str]], lists: Mapping[str, Sequence[str]]
) -> Hosting | None:
    """The hosts with both sides' lists; None when the call has none."""
    return Hosting({host.host_id: host.at_most for host in hosts}, wishes, lists) if hosts else None


def scored_points(criteria: Sequence[Criterion], applicants: Sequence[Applicant]) -> tuple[int, dict[str, int]]:
    """The scale of the points, and each applicant's."""
    unit = scale({len(one.reviews) for one in applicants})
    return unit, {one.id: points(criteria, one.reviews, unit) for one in applicants}


def inputs_digest(rules: Rules, applicants: Sequence[Applicant], lists: Mapping[str, Sequence[str]], seed: str) -> str:
    """The digest of everything that goes into a decision."""
    return digest(
        {
            "engine": ENGINE,
            "seed": seed,
            "rules": rules.model_dump(mode="json"),
            "applications": {
                one.id: {
                    "facts": one.facts.model_dump(mode="json"),
                    "answers": dict(one.answers),
                    "preferences": list(one.preferences),
                    "reviews": sorted(
                        (dict(review) for review in one.reviews), key=lambda review: sorted(review.items())
                    ),
                }
                for one in applicants
            },
            "lists": {host: list(order) for host, order in lists.items()},
        }
    )


@dataclass(frozen=True, slots=True)
class Decided:
    """What the engine found."""

    scale: int
    ranking: tuple[Ranked, ...]
    result: Result
    verdicts: dict[str, Verdict]
    warnings: tuple[Reason, ...]


def decide(
    rules: Rules,
    applicants: Sequence[Applicant],
    lists: Mapping[str, Sequence[str]],
    seed: str,
    *,
    include: Collection[str] = (),
    exclude: Collection[str] = (),
) -> Decided:
    """Selects, matches and lists the reserve by the rules.

    ``include`` and ``exclude`` are people's adjustments: with them minimums are kept as far as they can be, and the
    result says which quota was overridden. Raises :class:`.selection.Infeasible` and :class:`.cohort.NoHost`.
    """
    unit, scored = scored_points(rules.criteria, applicants)
    field = field_of(rules, applicants, scored, seed)
    hosting = hosting_of(rules.hosts, {one.id: one.preferences for one in applicants}, lists)
    free = [one for one in field.candidates if one.id not in {*include, *exclude}]
    wanted = [one for one in field.candidates if one.id in include]

    def cohort(*, strict: bool) -> Cohort:
        return form_cohort(free, rules.places, field.bounds, hosting, seed, wanted=wanted, strict=strict)

    try:
        formed = cohort(strict=True)
    except Infeasible:
        if not include and not exclude:
            raise
        formed = cohort(strict=False)
    rest = [one for one in free if one.id not in formed.selected]
    reserve = reserve_list(rest, rules.reserve, field.bounds)
    ranked = sorted(field.candidates, key=lambda one: one.order)
    by_id = {one.id: one for one in applicants}
    groups = {one.id: one.groups for one in field.candidates}
    return Decided(
        scale=unit,
        ranking=tuple(
            Ranked(application_id=one.id, city_id=by_id[one.id].city_id, score=one.points, rank=rank)
            for rank, one in enumerate(ranked, 1)
        ),
        result=Result(
            selected=tuple(one.id for one in ranked if one.id in formed.selected),
            reserve=tuple(reserve),
            matches=_matches(formed, [by_id[one.id] for one in ranked], lists),
            quotas=_quotas(field, formed, groups),
        ),
        verdicts=verdicts(
            field.candidates, formed.selected, reserve, formed.without_host, frozenset(exclude), field.bounds
        ),
        warnings=_warnings(rules, formed),
    )


def _matches(formed: Cohort, applicants: Sequence[Applicant], lists: Mapping[str, Sequence[str]]) -> tuple[Match, ...]:
    matches = []
    for one in applicants:
        if (host := formed.hosts.get(one.id)) is not None:
            named = lists.get(host, ())
            matches.append(
                Match(
                    application_id=one.id,
                    city_id=one.city_id,
                    host_id=host,
                    applicant_rank=one.preferences.index(host) + 1 if host in one.preferences else None,
                    host_rank=named.index(one.id) + 1 if one.id in named else None,
                )
            )
    return tuple(matches)


def _quotas(field: Field, formed: Cohort, groups: Mapping[str, Groups]) -> tuple[QuotaResult, ...]:
    return quota_results(field.bounds, [groups[id] for id in formed.selected])


def _warnings(rules: Rules, formed: Cohort) -> tuple[Reason, ...]:
    """What the rules leave to people: places that stay free, and hosts that get fewer than they want."""
    warnings = []
    if len(formed.selected) < rules.places:
        free = rules.places - len(formed.selected)
        warnings.append(Reason(code="places-free", params={"free": free}))
    for host in rules.hosts:
        given = sum(taken == host.host_id for taken in formed.hosts.values())
        if given < host.at_least:
            params: dict[str, str | int] = {"host": host.host_id, "at-least": host.at_least, "given": given}
            warnings.append(Reason(code="host-below-minimum", params=params))
    return tuple(warnings)
