"""From scores to a published result: exact points, reasons that are true, the same bytes every time."""

import random
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cohort_selection.domain.deciding import Applicant, decide, inputs_digest
from services.cohort_selection.domain.scoring import points, scale, wrong_scores
from tests.unit.cohort_selection.documents import facts, rules, text

TWO = rules(
    criteria=[{"code": "a", "label": text("A"), "weight": 70}, {"code": "b", "label": text("B"), "weight": 30}]
).criteria


def app(number: int) -> str:
    """The id of an application."""
    return f"app_{number:032x}"


def applicant(number: int, score: int, country: str = "PT", preferences: tuple[str, ...] = ()) -> Applicant:
    """An application with one review."""
    city = f"city_{number:032x}"
    return Applicant(app(number), city, facts(country=country), {}, preferences, [{"merit": score}])


@given(st.lists(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=4), min_size=1))
def test_points_order_applications_by_their_exact_means(given: list[list[tuple[int, int]]]) -> None:
    reviews = [[{"a": a, "b": b} for a, b in one] for one in given]
    unit = scale({len(one) for one in reviews})
    found = [points(TWO, one, unit) for one in reviews]
    means = [Fraction(sum(70 * r["a"] + 30 * r["b"] for r in one), len(one)) for one in reviews]
    assert [Fraction(value, unit) for value in found] == means


def test_scores_off_the_scale_are_named() -> None:
    found = wrong_scores(TWO, {"a": 6, "c": 1})
    assert [(fault.code, fault.field) for fault in found] == [
        ("criterion-unknown", "scores.c"),
        ("score-off-scale", "scores.a"),
        ("score-missing", "scores.b"),
    ]


def test_everybody_is_told_what_decided() -> None:
    quotas = [{"code": "per-country", "attribute": "country", "maximum": 1}]
    field = [applicant(1, 5), applicant(2, 4), applicant(3, 3, "DE"), applicant(4, 2, "SE")]
    found = decide(rules(places=2, reserve=1, quotas=quotas), field, {}, "seed")
    assert found.result.selected == (app(1), app(3))
    told = {id: (v.outcome, v.reserve_rank, [r.code for r in v.reasons]) for id, v in found.verdicts.items()}
    assert told == {
        app(1): ("selected", None, []),
        app(2): ("reserve", 1, ["quota"]),
        app(3): ("selected", None, []),
        app(4): ("not-selected", None, ["below-cut-off"]),
    }
    (quota,) = found.verdicts[app(2)].reasons
    assert quota.params == {"quota": "per-country", "side": "maximum", "value": "PT"}
    assert found.verdicts[app(4)].reasons[0].params == {"points": 200, "cut-off": 300}


def test_equal_points_are_told_apart_by_lot() -> None:
    field = [applicant(number, 3) for number in range(6)]
    found = decide(rules(places=3), field, {}, "seed")
    assert {r.code for v in found.verdicts.values() for r in v.reasons} == {"lottery"}
    others = [set(decide(rules(places=3), field, {}, f"seed{n}").result.selected) for n in range(20)]
    assert len({frozenset(one) for one in others}) > 5, "another seed is another lottery"


def test_without_reviews_the_lot_alone_decides() -> None:
    drawn = rules(places=2, criteria=[], review={"per_application": 0})
    field = [replace(applicant(n, 0), reviews=()) for n in range(5)]
    assert len(decide(drawn, field, {}, "seed").result.selected) == 2


def test_who_finds_no_host_is_told_and_the_next_one_comes_in() -> None:
    hosts = [
        {"host_id": f"hst_{n * 32}", "cities": [f"city_{n * 32}"], "title": text("Host"), "at_most": 1, "at_least": 1}
        for n in "12"
    ]
    first, second = (str(host["host_id"]) for host in hosts)
    field = [
        applicant(1, 5, preferences=(first,)),
        applicant(2, 4, preferences=(first,)),
        applicant(3, 3, preferences=(second, first)),
    ]
    found = decide(rules(places=2, hosts=hosts, matching={}), field, {first: [app(2), app(1)]}, "seed")
    assert {match.application_id: match.host_id for match in found.result.matches} == {app(2): first, app(3): second}
    assert [reason.code for reason in found.verdicts[app(1)].reasons] == ["no-host"]
    ranks = {m.application_id: (m.applicant_rank, m.host_rank) for m in found.result.matches}
    assert ranks == {app(2): (1, 1), app(3): (1, None)}
    alone = decide(rules(places=2, hosts=hosts, matching={}), field[:1], {}, "seed")
    assert [(w.code, w.params.get("host")) for w in alone.warnings] == [
        ("places-free", None),
        ("host-below-minimum", second),
    ]


@given(st.randoms(use_true_random=False))
def test_the_order_of_applications_makes_no_difference(shuffle: random.Random) -> None:
    field = [applicant(n, n % 3, "PTDESE"[n % 3 * 2 :][:2]) for n in range(9)]
    mixed = field[:]
    shuffle.shuffle(mixed)
    document = rules(places=4, reserve=3, quotas=[{"code": "c", "attribute": "country", "maximum": 2}])
    assert decide(document, mixed, {}, "seed") == decide(document, field, {}, "seed")
    assert inputs_digest(document, mixed, {}, "seed") == inputs_digest(document, field, {}, "seed")


SCRIPT = """
from tests.unit.cohort_selection.test_deciding import applicant, decide, rules
field = [applicant(n, n % 3, "PTDESE"[n % 3 * 2 :][:2]) for n in range(30)]
quotas = [{"code": "c", "attribute": "country", "maximum": 4}, {"code": "s", "attribute": "size-band", "maximum": 9}]
print(decide(rules(places=10, reserve=5, quotas=quotas), field, {}, "seed").result.model_dump_json())
"""


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_another_process_comes_to_the_same_bytes(hash_seed: str) -> None:
    def run(seed: str) -> str:
        command = [sys.executable, "-c", SCRIPT]
        return subprocess.run(
            command, env={"PYTHONHASHSEED": seed, "PYTHONPATH": "."}, capture_output=True, text=True, check=True
        ).stdout

    assert run(hash_seed) == run("0") != ""
