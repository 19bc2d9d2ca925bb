"""Matching against brute force: stable, and the best stable one for every applicant."""

import random

from hypothesis import given
from hypothesis import strategies as st

from services.cohort_selection.domain.canonical import lot
from services.cohort_selection.domain.cohort import Hosting, Placed, form_cohort, list_of, wishes_of
from services.cohort_selection.domain.matching import match
from services.cohort_selection.domain.quotas import Bound
from services.cohort_selection.domain.selection import Candidate, Infeasible
from tests.unit.cohort_selection import instances

HOSTS = ("h1", "h2", "h3")
Lists = dict[str, list[str]]
Capacities = dict[str, int]


@st.composite
def markets(draw: st.DrawFn) -> tuple[Lists, Lists, Capacities]:
    """Both sides' incomplete lists, and capacities, none included."""
    applicants = [f"a{number}" for number in range(draw(st.integers(0, 5)))]
    wishes = {one: draw(st.lists(st.sampled_from(HOSTS), unique=True)) for one in applicants}
    some = st.lists(st.sampled_from(applicants), unique=True) if applicants else st.just([])
    return wishes, {host: draw(some) for host in HOSTS}, {host: draw(st.integers(0, 3)) for host in HOSTS}


@given(markets())
def test_is_stable_and_no_applicant_does_better_in_any_stable_matching(market: tuple[Lists, Lists, Capacities]) -> None:
    wishes, lists, capacities = market
    found = match(wishes, lists, capacities)
    assert instances.stable(found, wishes, lists, capacities)

    def rank(pairs: dict[str, str], applicant: str) -> int:
        return wishes[applicant].index(pairs[applicant]) if applicant in pairs else len(HOSTS)

    for other in instances.all_matchings(wishes):
        if instances.stable(other, wishes, lists, capacities):
            assert other.keys() == found.keys()
            assert all(rank(found, applicant) <= rank(other, applicant) for applicant in wishes)


@given(markets(), st.randoms(use_true_random=False))
def test_the_order_of_the_input_makes_no_difference(
    market: tuple[Lists, Lists, Capacities], shuffle: random.Random
) -> None:
    wishes, lists, capacities = market
    mixed = list(wishes.items())
    shuffle.shuffle(mixed)
    turned = dict(reversed(lists.items()))
    assert match(dict(mixed), turned, capacities) == match(wishes, lists, capacities)


@st.composite
def hostings(draw: st.DrawFn, candidates: list[Candidate]) -> Hosting:
    """Hosts with room, and lists of some on either side."""
    some = st.lists(st.sampled_from(HOSTS), unique=True)
    ids = [one.id for one in candidates]
    named = st.lists(st.sampled_from(ids), unique=True) if ids else st.just([])
    return Hosting(
        {host: draw(st.integers(0, 3)) for host in HOSTS},
        {id: draw(some) for id in ids},
        {host: draw(named) for host in HOSTS},
    )


@given(instances.candidates(), st.integers(0, 6), instances.bounds(), st.data())
def test_everybody_selected_has_a_host_within_places_and_quotas(
    candidates: list[Candidate], places: int, bounds: list[Bound], data: st.DataObject
) -> None:
    hosting = data.draw(hostings(candidates))
    try:
        cohort = form_cohort(candidates, places, bounds, hosting, "seed")
    except Infeasible:
        return
    chosen = [one for one in candidates if one.id in cohort.selected]
    assert len(chosen) <= places
    assert instances.keeps(chosen, bounds)
    assert cohort.hosts.keys() == cohort.selected
    wishes = {one.id: wishes_of(one.id, hosting, "seed") for one in chosen}
    lists = {host: list_of(host, chosen, hosting) for host in HOSTS}
    assert instances.stable(dict(cohort.hosts), wishes, lists, dict(hosting.capacities))


@given(instances.candidates(), st.integers(1, 6), st.data())
def test_filling_up_leaves_those_who_stay_where_they_are(
    candidates: list[Candidate], places: int, data: st.DataObject
) -> None:
    hosting = data.draw(hostings(candidates))
    first = form_cohort(candidates, places, [], hosting, "seed")
    gone = data.draw(st.sets(st.sampled_from(sorted(first.selected)))) if first.selected else set()
    placed = [Placed(one.groups, first.hosts[one.id]) for one in candidates if one.id in first.selected - gone]
    reserve = [one for one in candidates if one.id not in first.selected]
    more = form_cohort(reserve, places, [], hosting, "seed", placed=placed, strict=False)
    assert len(placed) + len(more.selected) <= places
    for host, capacity in hosting.capacities.items():
        assert sum(one.host == host for one in placed) + list(more.hosts.values()).count(host) <= capacity
    if not gone:
        assert not more.selected or len(first.selected) < places


def test_a_city_without_a_list_wants_hosts_by_lot_and_a_host_without_a_list_wants_points() -> None:
    hosting = Hosting(dict.fromkeys(HOSTS, 1))
    candidates = [Candidate(f"c{points}", points, lot("s", str(points))) for points in range(3)]
    orders = {tuple(wishes_of(f"c{number}", hosting, "seed")) for number in range(40)}
    assert len(orders) == 6, "every order of three hosts comes up"
    assert list_of("h1", candidates, hosting) == ["c2", "c1", "c0"]
