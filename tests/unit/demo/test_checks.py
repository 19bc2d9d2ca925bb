"""The demonstration's own judgement must be right, or its summary says nothing."""

from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from mission.demo.checks import Bound, blocking_pairs, broken_bounds, median_and_p99, out_of_order, over_maximum


def test_a_quota_is_broken_below_its_minimum_and_above_its_maximum() -> None:
    selected = {"a": "PT", "b": "PT", "c": "SE"}
    bounds = [
        Bound("portuguese", frozenset({"PT"}), maximum=2),
        Bound("nordic", frozenset({"SE", "DK"}), minimum=2),
        Bound("few", frozenset({"PT", "SE"}), maximum=2),
    ]
    assert broken_bounds(selected, bounds) == ["nordic: 1 instead of 2 to any number", "few: 3 instead of 0 to 2"]
    assert over_maximum(selected, 1) == {"PT": 2}


def test_two_who_would_rather_have_each_other_block_a_matching() -> None:
    wishes = {"a": ["x", "y"], "b": ["x", "y"]}
    orders = {"x": ["a", "b"], "y": ["a", "b"]}
    capacities = {"x": 1, "y": 1}
    assert blocking_pairs({"a": "y", "b": "x"}, wishes, orders, capacities) == [("a", "x")]
    assert blocking_pairs({"a": "x", "b": "y"}, wishes, orders, capacities) == []


def test_a_free_place_that_both_want_blocks_and_one_that_only_one_side_wants_does_not() -> None:
    assert blocking_pairs({}, {"a": ["x"]}, {"x": ["a"]}, {"x": 1}) == [("a", "x")]
    assert blocking_pairs({}, {"a": ["x"]}, {"x": []}, {"x": 1}) == []


@given(st.data())
def test_every_small_market_has_a_matching_that_the_check_finds_stable(data: st.DataObject) -> None:
    # Gale and Shapley's theorem: with strict lists there is always a stable matching.
    applicants, hosts = ["a", "b", "c"], ["x", "y"]
    wishes = {one: data.draw(st.permutations(hosts)) for one in applicants}
    orders = {one: data.draw(st.permutations(applicants)) for one in hosts}
    capacities = {"x": data.draw(st.integers(1, 2)), "y": 1}
    seats = ["x"] * capacities["x"] + ["y", *applicants]
    candidates = (
        {one: seat for one, seat in zip(applicants, chosen, strict=True) if seat in hosts}
        for chosen in permutations(seats, len(applicants))
    )
    assert any(not blocking_pairs(matched, wishes, orders, capacities) for matched in candidates)


def test_places_in_order_of_arrival() -> None:
    assert not out_of_order(["a", "b", "c", "d"], ["a", "b"], ["c", "d"])
    assert out_of_order(["a", "b", "c", "d"], ["a", "c"], ["b", "d"])
    assert out_of_order(["a", "b", "c", "d"], ["a", "b"], ["d", "c"])


def test_median_and_99th_percentile() -> None:
    assert median_and_p99(list(range(101))) == (50, 99)
