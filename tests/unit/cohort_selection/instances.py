"""Small instances of selection and matching for property tests, and what brute force makes of them."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain, combinations, product

from hypothesis import strategies as st

from services.cohort_selection.domain.canonical import lot
from services.cohort_selection.domain.quotas import Bound
from services.cohort_selection.domain.selection import Candidate

GROUPS = tuple((code, None) for code in "abcde")


@st.composite
def candidates(draw: st.DrawFn, most: int = 8) -> list[Candidate]:
    """Candidates with few different points, so that ties are common, in overlapping groups."""
    seed = draw(st.text("xyz", min_size=1, max_size=4))
    points = draw(st.lists(st.integers(0, 3), max_size=most))
    return [
        Candidate(f"c{i}", value, lot(seed, f"c{i}"), draw(st.frozensets(st.sampled_from(GROUPS), max_size=4)))
        for i, value in enumerate(points)
    ]


@st.composite
def bounds(draw: st.DrawFn) -> list[Bound]:
    """Lower and upper bounds on some of the groups."""
    found = []
    for code, value in draw(st.lists(st.sampled_from(GROUPS), unique=True)):
        minimum = draw(st.integers(0, 3))
        maximum = draw(st.none() | st.integers(minimum, minimum + 3))
        found.append(Bound(code, value, minimum, maximum))
    return found


def subsets(items: Collection[Candidate], most: int) -> Iterator[tuple[Candidate, ...]]:
    """All sets of at most so many."""
    return chain.from_iterable(combinations(items, size) for size in range(min(most, len(items)) + 1))


def keeps(chosen: Sequence[Candidate], bounds: Sequence[Bound], *, minimums: bool = True) -> bool:
    """Whether the bounds hold for a set."""
    for bound in bounds:
        count = sum(bound.key in one.groups for one in chosen)
        if (minimums and count < bound.minimum) or (bound.maximum is not None and count > bound.maximum):
            return False
    return True


def merit(chosen: Collection[Candidate], everybody: Collection[Candidate]) -> tuple[int, tuple[bool, ...]]:
    """What sets are compared by: points together, then who is in, by lot."""
    members = {one.id for one in chosen}
    by_lot = sorted(everybody, key=lambda one: one.lot)
    return sum(one.points for one in chosen), tuple(one.id in members for one in by_lot)


def stable(
    pairs: Mapping[str, str],
    wishes: Mapping[str, Sequence[str]],
    lists: Mapping[str, Sequence[str]],
    capacities: Mapping[str, int],
) -> bool:
    """Whether a matching is acceptable to all, within capacities, and no pair would rather have each other."""
    guests = {host: [a for a, h in pairs.items() if h == host] for host in lists}
    if any(host not in wishes[a] or a not in lists[host] for a, host in pairs.items()):
        return False
    if any(len(guests[host]) > capacities[host] for host in lists):
        return False
    for applicant, order in wishes.items():
        for host in order:
            if pairs.get(applicant) == host:
                break
            if applicant not in lists[host] or capacities[host] < 1:
                continue
            rank = lists[host].index(applicant)
            free = len(guests[host]) < capacities[host]
            if free or any(lists[host].index(guest) > rank for guest in guests[host]):
                return False
    return True


def all_matchings(wishes: Mapping[str, Sequence[str]]) -> Iterator[dict[str, str]]:
    """Every way to give each applicant one of its hosts or none."""
    for hosts in product(*[[None, *order] for order in wishes.values()]):
        yield {applicant: host for applicant, host in zip(wishes, hosts, strict=True) if host is not None}
