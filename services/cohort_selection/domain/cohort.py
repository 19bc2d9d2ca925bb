"""From scored applications to a cohort with hosts, and from a vacated place to who moves up.

First the cohort, then the hosts: the best set for places and quotas is selected (:mod:`.selection`), and its members
are matched stably with the hosts (:mod:`.matching`). Whoever stays without a host in that matching has no place: it
is set aside (``no-host``) and the selection is made again without it, until everybody selected has a host. Setting
aside changes nobody's host, because who is unmatched makes no difference to the matching of the others.

Lists are binding on both sides: a city goes to no host that it did not name, a host takes nobody whom it left out.
Who gave no list takes anybody: a city without a list wants hosts in the order of lots drawn for the pair, a host
without a list wants applicants by points, then by lot.

When places come free the same rules fill them from the reserve list, around those who keep theirs: nobody who holds a
place or an offer is moved to another host. So a vacated host place goes to the best of the reserve list whom host and
quotas admit; when they admit nobody, the place stays free. The reserve list itself is a second cohort, selected by the
same quotas from those who are left; minimums are filled there, and when filling up, as far as they can be.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from services.cohort_selection.domain.canonical import lot
from services.cohort_selection.domain.matching import match
from services.cohort_selection.domain.quotas import Bound, Groups
from services.cohort_selection.domain.selection import Candidate, select


@dataclass(frozen=True, slots=True)
class Hosting:
    """The hosts of a call: how many each takes, and both sides' lists, which may be missing for some."""

    capacities: Mapping[str, int]
    wishes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Per applicant the hosts that it named, the most wanted first."""
    lists: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Per host the applicants that it named, the most wanted first."""


@dataclass(frozen=True, slots=True)
class Placed:
    """Somebody who holds a place already, and with which host."""

    groups: Groups
    host: str | None = None


class NoHost(Exception):
    """No host takes these applicants, whom people want in."""

    def __init__(self, applicants: Collection[str]) -> None:
        super().__init__(", ".join(sorted(applicants)))
        self.applicants = frozenset(applicants)


@dataclass(frozen=True, slots=True)
class Cohort:
    """Who is selected, with which host, and who would have been but for a host."""

    selected: frozenset[str]
    hosts: Mapping[str, str]
    without_host: frozenset[str]


def form_cohort(
    candidates: Collection[Candidate],
    places: int,
    bounds: Sequence[Bound],
    hosting: Hosting | None,
    seed: str,
    *,
    placed: Collection[Placed] = (),
    wanted: Collection[Candidate] = (),
    strict: bool = True,
) -> Cohort:
    """The cohort by the rules of this module, beside those who are ``placed`` already.

    ``wanted`` are in whatever their points (people's adjustment), and the others around them. Raises
    :class:`.selection.Infeasible` when ``strict`` and the minimums cannot be met by candidates with hosts,
    :class:`NoHost` when no host takes somebody wanted.
    """
    held = [one.groups for one in placed] + [one.groups for one in wanted]
    taken = Counter(one.host for one in placed)
    left = {candidate.id: candidate for candidate in candidates}
    certain = {candidate.id: candidate for candidate in wanted}
    without_host: set[str] = set()
    while True:
        selected = select(left.values(), places, bounds, held=held, strict=strict) | certain.keys()
        if hosting is None:
            return Cohort(selected, {}, frozenset())
        capacities = {host: most - taken[host] for host, most in hosting.capacities.items()}
        hosts = _matched([certain.get(id) or left[id] for id in selected], hosting, capacities, seed)
        unmatched = selected - hosts.keys()
        if refused := unmatched & certain.keys():
            raise NoHost(refused)
        if not unmatched:
            return Cohort(selected, hosts, frozenset(without_host))
        without_host |= unmatched
        for id in unmatched:
            del left[id]


def _matched(
    selected: Collection[Candidate], hosting: Hosting, capacities: Mapping[str, int], seed: str
) -> dict[str, str]:
    return match(
        {candidate.id: wishes_of(candidate.id, hosting, seed) for candidate in selected},
        {host: list_of(host, selected, hosting) for host in hosting.capacities},
        capacities,
    )


def wishes_of(applicant: str, hosting: Hosting, seed: str) -> list[str]:
    """The hosts that an applicant accepts, the most wanted first."""
    named = [host for host in hosting.wishes.get(applicant, ()) if host in hosting.capacities]
    return named or sorted(hosting.capacities, key=lambda host: lot(seed, f"{applicant}/{host}"))


def list_of(host: str, candidates: Collection[Candidate], hosting: Hosting) -> list[str]:
    """Those of the candidates whom a host accepts, the most wanted first."""
    named = hosting.lists.get(host, ())
    if not named:
        return [candidate.id for candidate in sorted(candidates, key=lambda one: one.order)]
    present = {candidate.id for candidate in candidates}
    return [applicant for applicant in named if applicant in present]


def reserve_list(candidates: Collection[Candidate], length: int, bounds: Sequence[Bound]) -> list[str]:
    """The reserve list of those who were not selected, in the order in which it moves up, other things being equal."""
    chosen = select(candidates, length, bounds, strict=False)
    return [one.id for one in sorted(candidates, key=lambda one: one.order) if one.id in chosen]
