"""The exact selection against brute force on small instances, and what must not make a difference."""

import random
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cohort_selection.domain.canonical import lot
from services.cohort_selection.domain.cohort import reserve_list
from services.cohort_selection.domain.quotas import Bound
from services.cohort_selection.domain.selection import Candidate, Infeasible, Limit, select
from tests.unit.cohort_selection import instances


@given(instances.candidates(), st.integers(0, 6), instances.bounds())
def test_is_the_best_of_all_sets_that_keep_places_and_quotas(
    candidates: list[Candidate], places: int, bounds: list[Bound]
) -> None:
    fitting = [chosen for chosen in instances.subsets(candidates, places) if instances.keeps(chosen, bounds)]
    if not fitting:
        with pytest.raises(Infeasible):
            select(candidates, places, bounds)
        return
    best = max(fitting, key=lambda chosen: instances.merit(chosen, candidates))
    assert select(candidates, places, bounds) == {one.id for one in best}


@given(instances.candidates(6), st.integers(0, 5), instances.bounds())
def test_a_conflict_is_one_and_loses_none_of_its_limits(
    candidates: list[Candidate], places: int, bounds: list[Bound]
) -> None:
    try:
        select(candidates, places, bounds)
        return
    except Infeasible as error:
        conflict = error.conflict

    def feasible(limits: list[Limit]) -> bool:
        kept = {(limit.code, limit.value, limit.side) for limit in limits}
        most = places if ("places", None, "places") in kept else len(candidates)
        left = [
            Bound(
                b.code,
                b.value,
                b.minimum if (*b.key, "minimum") in kept else 0,
                b.maximum if (*b.key, "maximum") in kept else None,
            )
            for b in bounds
        ]
        return any(instances.keeps(chosen, left) for chosen in instances.subsets(candidates, most))

    assert not feasible(list(conflict))
    for without in combinations(conflict, len(conflict) - 1):
        assert feasible(list(without))


@given(instances.candidates(), st.integers(0, 6), instances.bounds(), st.randoms(use_true_random=False))
def test_the_order_of_the_input_makes_no_difference(
    candidates: list[Candidate], places: int, bounds: list[Bound], shuffle: random.Random
) -> None:
    mixed, mixed_bounds = candidates[:], bounds[:]
    shuffle.shuffle(mixed)
    shuffle.shuffle(mixed_bounds)
    assert select(candidates, places, bounds, strict=False) == select(mixed, places, mixed_bounds, strict=False)


@given(instances.candidates(), st.integers(0, 6), instances.bounds(), st.integers(2, 9))
def test_the_unit_of_points_makes_no_difference(
    candidates: list[Candidate], places: int, bounds: list[Bound], factor: int
) -> None:
    scaled = [Candidate(one.id, one.points * factor, one.lot, one.groups) for one in candidates]
    assert select(candidates, places, bounds, strict=False) == select(scaled, places, bounds, strict=False)


@given(instances.candidates(), st.integers(0, 6), instances.bounds())
def test_where_minimums_cannot_be_met_as_many_as_can_be_are_filled_first(
    candidates: list[Candidate], places: int, bounds: list[Bound]
) -> None:
    def missing(chosen: tuple[Candidate, ...]) -> int:
        return sum(max(b.minimum - sum(b.key in one.groups for one in chosen), 0) for b in bounds)

    sets = [one for one in instances.subsets(candidates, places) if instances.keeps(one, bounds, minimums=False)]
    best = max(sets, key=lambda chosen: (-missing(chosen), instances.merit(chosen, candidates)))
    assert select(candidates, places, bounds, strict=False) == {one.id for one in best}


@given(instances.candidates(), st.integers(1, 6), instances.bounds(), st.data())
def test_who_moves_up_is_the_best_around_those_who_stay(
    candidates: list[Candidate], places: int, bounds: list[Bound], data: st.DataObject
) -> None:
    chosen = select(candidates, places, bounds, strict=False)
    gone = data.draw(st.sets(st.sampled_from(sorted(chosen)))) if chosen else set()
    staying = [one for one in candidates if one.id in chosen - gone]
    reserve = [one for one in candidates if one.id not in chosen]
    moved = select(reserve, places, bounds, held=[one.groups for one in staying], strict=False)

    def missing(more: tuple[Candidate, ...]) -> int:
        return sum(max(b.minimum - sum(b.key in one.groups for one in (*staying, *more)), 0) for b in bounds)

    fitting = [
        more
        for more in instances.subsets(reserve, places - len(staying))
        if instances.keeps([*staying, *more], bounds, minimums=False)
    ]
    best = max(fitting, key=lambda more: (-missing(more), instances.merit(more, reserve)))
    assert moved == {one.id for one in best}


@given(instances.candidates(), st.integers(0, 6), instances.bounds())
def test_the_reserve_list_is_chosen_by_the_same_rules_and_told_best_first(
    candidates: list[Candidate], length: int, bounds: list[Bound]
) -> None:
    listed = reserve_list(candidates, length, bounds)
    assert set(listed) == select(candidates, length, bounds, strict=False)
    by_id = {one.id: one for one in candidates}
    assert [by_id[id].order for id in listed] == sorted(by_id[id].order for id in listed)


def test_a_whole_round_is_selected_within_every_quota() -> None:
    draw = random.Random(7)
    countries, bands = [f"C{number}" for number in range(24)], ("small", "medium", "large")
    candidates = [
        Candidate(
            f"app{number}",
            draw.randint(100, 500),
            lot("seed", f"app{number}"),
            frozenset({("country", draw.choice(countries[: 1 + number % 24])), ("size", draw.choice(bands))}),
        )
        for number in range(160)
    ]
    bounds = [Bound("country", country, 0, 3) for country in countries]
    bounds += [Bound("size", "small", 12, 20), Bound("size", "medium", 8, 16), Bound("size", "large", 4, 16)]
    chosen = select(candidates, 40, bounds)
    assert len(chosen) == 40
    assert instances.keeps([one for one in candidates if one.id in chosen], bounds)
