"""What quotas count: the values that an applicant has of an attribute, and bounds on how many selected share them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from contracts.cohort_selection import Answer, ApplicantFacts, Quota, QuotaResult, Rules

ANSWER_PREFIX = "answer."


@dataclass(frozen=True, slots=True)
class Bound:
    """How many of those selected may be in a group: ``value`` of the quota's attribute, all its values when None."""

    code: str
    value: str | None
    minimum: int
    maximum: int | None

    @property
    def key(self) -> tuple[str, str | None]:
        """What tells this bound from the others of the same rules."""
        return self.code, self.value


Groups = frozenset[tuple[str, str | None]]
"""The bounds that somebody counts for, by their keys."""


def attribute_values(
    attribute: str, rules: Rules, facts: ApplicantFacts, answers: Mapping[str, Answer]
) -> frozenset[str]:
    """The values that an applicant has of an attribute; none when it is not known."""
    if attribute.startswith(ANSWER_PREFIX):
        answer = answers.get(attribute.removeprefix(ANSWER_PREFIX))
        if answer is None:
            return frozenset()
        return frozenset(answer) if isinstance(answer, tuple) else frozenset({str(answer).lower()})
    match attribute:
        case "country":
            return frozenset({facts.country})
        case "city-kind":
            return frozenset({facts.kind})
        case "status":
            return frozenset(facts.statuses)
        case "size-band":
            return frozenset(
                band.code
                for band in rules.size_bands
                if facts.inhabitants is not None
                and band.from_inhabitants <= facts.inhabitants
                and (band.below_inhabitants is None or facts.inhabitants < band.below_inhabitants)
            )
    raise ValueError(f"no such attribute: {attribute}")


def bounds_of(quotas: Sequence[Quota], occurring: Mapping[str, Iterable[str]]) -> list[Bound]:
    """The bounds that quotas set: one for all their values together, else one per value that occurs.

    ``occurring`` gives, per attribute, the values that the applicants of the call have.
    """
    bounds = []
    for quota in quotas:
        values = [None] if quota.values else sorted(set(occurring[quota.attribute]))
        bounds += [Bound(quota.code, value, quota.minimum, quota.maximum) for value in values]
    return bounds


def groups_of(quotas: Sequence[Quota], values: Mapping[str, frozenset[str]]) -> Groups:
    """The bounds that an applicant with these values per attribute counts for."""
    groups: set[tuple[str, str | None]] = set()
    for quota in quotas:
        if not quota.values:
            groups |= {(quota.code, value) for value in values[quota.attribute]}
        elif values[quota.attribute] & set(quota.values):
            groups.add((quota.code, None))
    return frozenset(groups)


def quota_results(bounds: Sequence[Bound], selected: Iterable[Groups]) -> tuple[QuotaResult, ...]:
    """How each bound came out for the selected ones; a bound that does not hold was overridden by people."""
    members = list(selected)
    results = []
    for bound in bounds:
        count = sum(bound.key in groups for groups in members)
        results.append(
            QuotaResult(
                code=bound.code,
                value=bound.value,
                minimum=bound.minimum,
                maximum=bound.maximum,
                selected=count,
                overridden=count < bound.minimum or (bound.maximum is not None and count > bound.maximum),
            )
        )
    return tuple(results)
