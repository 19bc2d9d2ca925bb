"""The demonstration's own checks from the outside: pure, and independent of how the platform computes."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import quantiles


@dataclass(frozen=True, slots=True)
class Claim:
    """Something that the story claims, and whether it is true."""

    sentence: str
    holds: bool
    found: str = ""


@dataclass(frozen=True, slots=True)
class Bound:
    """A quota: between ``minimum`` and ``maximum`` of the selected have one of ``values``; None is no bound."""

    code: str
    values: frozenset[str]
    minimum: int = 0
    maximum: int | None = None


def broken_bounds(selected: Mapping[str, str], bounds: Iterable[Bound]) -> list[str]:
    """The bounds that a selection breaks, in words. ``selected`` maps who was selected to the value counted."""
    found = []
    for bound in bounds:
        count = sum(value in bound.values for value in selected.values())
        if count < bound.minimum or (bound.maximum is not None and count > bound.maximum):
            limit = f"{bound.minimum} to {'any number' if bound.maximum is None else bound.maximum}"
            found.append(f"{bound.code}: {count} instead of {limit}")
    return found


def over_maximum(selected: Mapping[str, str], maximum: int) -> dict[str, int]:
    """Each single value that more than ``maximum`` of the selected share, with how many do."""
    return {value: count for value, count in Counter(selected.values()).items() if count > maximum}


def blocking_pairs(
    matched: Mapping[str, str],
    wishes: Mapping[str, Sequence[str]],
    orders: Mapping[str, Sequence[str]],
    capacities: Mapping[str, int],
) -> list[tuple[str, str]]:
    """Pairs of applicant and host who would both rather have each other than what they got (Gale and Shapley, 1962).

    ``matched`` maps applicants to hosts; ``wishes`` are applicants' lists and ``orders`` hosts' lists of applicants,
    the most wanted first; who is not on a list is not acceptable. A matching is stable when there is none.
    """
    taken: dict[str, list[str]] = {host: [] for host in capacities}
    for applicant, host in matched.items():
        taken[host].append(applicant)
    rank = {host: {applicant: place for place, applicant in enumerate(order)} for host, order in orders.items()}
    found = []
    for applicant, wished in wishes.items():
        for host in wished:
            if matched.get(applicant) == host:
                break
            places = rank.get(host, {})
            if applicant not in places or host not in capacities:
                continue
            if len(taken[host]) < capacities[host] or any(
                places.get(other, len(places)) > places[applicant] for other in taken[host]
            ):
                found.append((applicant, host))
    return found


def out_of_order(arrivals: Sequence[str], first: Sequence[str], waiting: Sequence[str]) -> bool:
    """Whether the places did not go to the first to arrive, or the others do not wait in their order of arrival."""
    return list(first) + list(waiting) != list(arrivals)


def median_and_p99(values: Sequence[float]) -> tuple[float, float]:
    """The median and the 99th percentile, of at least two values."""
    cuts = quantiles(values, n=100, method="inclusive")
    return cuts[49], cuts[98]
