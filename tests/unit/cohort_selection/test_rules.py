"""Rules are refused where they contradict themselves, and amendments where they could disadvantage."""

from datetime import datetime
from typing import Any

import pytest

from contracts.cohort_selection import Window
from contracts.common import PlannedMoment
from services.cohort_selection.domain.amendments import changed, disadvantages
from services.cohort_selection.domain.form import judged_answers, wrong_answers, wrong_preferences
from services.cohort_selection.domain.rules import contradictions, planned
from services.cohort_selection.domain.states import CallState
from tests.unit.cohort_selection.documents import WINDOW, rules, text

CITY, HOST = "city_" + "1" * 32, "hst_" + "1" * 32


def host(**changes: Any) -> dict[str, Any]:
    """A host that takes all."""
    return {"host_id": HOST, "cities": [CITY], "title": text("Host"), "at_most": 10} | changes


def quota(**filled: Any) -> dict[str, Any]:
    """A quota on small cities."""
    return {"code": "quota", "attribute": "size-band", "values": ["small"], "maximum": 5} | filled


def rule(**filled: Any) -> dict[str, Any]:
    """An eligibility rule."""
    return {"code": "rule", "sentence": text("No.")} | filled


CONTRADICTIONS: list[tuple[dict[str, Any], str, str]] = [
    ({"criteria": [{"code": "a", "label": text("A"), "weight": 99}]}, "weights-sum", "rules.criteria"),
    (
        {"criteria": [{"code": "a", "label": text("A"), "weight": 100, "lowest": -1}]},
        "scale-empty",
        "rules.criteria.0.highest",
    ),
    ({"criteria": []}, "review-mismatch", "rules.review.per_application"),
    ({"quotas": [quota(minimum=11, maximum=12)]}, "quota-above-places", "rules.quotas.0.minimum"),
    ({"quotas": [quota(minimum=6)]}, "limits-crossed", "rules.quotas.0.maximum"),
    ({"quotas": [quota(maximum=None)]}, "quota-without-bound", "rules.quotas.0"),
    ({"quotas": [quota(values=["tiny"])]}, "value-unknown", "rules.quotas.0.values"),
    ({"quotas": [quota(attribute="colour")]}, "attribute-unknown", "rules.quotas.0.attribute"),
    ({"quotas": [quota(attribute="answer.why")]}, "field-unknown", "rules.quotas.0.attribute"),
    ({"quotas": [quota(attribute="answer.themes")]}, "value-unknown", "rules.quotas.0.values"),
    ({"quotas": [quota(attribute="country", values=["Portugal"])]}, "value-unknown", "rules.quotas.0.values"),
    ({"quotas": [quota(), quota()]}, "code-repeated", "rules.quotas.1"),
    (
        {"quotas": [quota(minimum=5), quota(code="other", values=["large"], minimum=6, maximum=6)]},
        "quotas-above-places",
        "rules.quotas",
    ),
    (
        {"size_bands": [{"code": "a", "below_inhabitants": 9}, {"code": "b", "from_inhabitants": 8}]},
        "bands-overlap",
        "rules.size_bands.1",
    ),
    ({"hosts": [host()]}, "matching-mismatch", "rules.matching"),
    ({"hosts": [host(at_most=9)], "matching": {}}, "hosts-below-places", "rules.hosts"),
    ({"hosts": [host(at_least=11, at_most=12)], "matching": {}}, "hosts-above-places", "rules.hosts"),
    ({"hosts": [host(), host(host_id="hst_" + "2" * 32)], "matching": {}}, "code-repeated", "rules.hosts.1"),
    ({"hosts": [host()], "matching": {"proposing": "hosts"}}, "not-supported", "rules.matching.proposing"),
    (
        {"hosts": [host()], "matching": {"preferences_at_most": 2}},
        "limits-crossed",
        "rules.matching.preferences_at_most",
    ),
    ({"eligibility": [rule(kind="horoscope")]}, "kind-unknown", "rules.eligibility.0.kind"),
    ({"eligibility": [rule(kind="neutral-by")]}, "rule-incomplete", "rules.eligibility.0.limit"),
    (
        {"eligibility": [rule(kind="answer-is", field="why", values=["x"])]},
        "field-unknown",
        "rules.eligibility.0.field",
    ),
    ({"eligibility": [rule(kind="city-kind", values=["castle"])]}, "value-unknown", "rules.eligibility.0.values"),
    (
        {"eligibility": [rule(kind="representatives-at-least", limit=3)]},
        "limits-crossed",
        "rules.eligibility.0.limit",
    ),
    ({"tie_break": "alphabet"}, "not-supported", "rules.tie_break"),
]


def test_sound_rules_have_none() -> None:
    sound = rules(quotas=[quota()], hosts=[host()], matching={}, eligibility=[rule(kind="country", values=["PT"])])
    assert contradictions(sound) == []


@pytest.mark.parametrize(("changes", "code", "field"), CONTRADICTIONS)
def test_each_contradiction_is_named_with_its_field(changes: dict[str, Any], code: str, field: str) -> None:
    assert (code, field) in {(fault.code, fault.field) for fault in contradictions(rules(**changes))}


@pytest.mark.parametrize(
    ("local", "zone", "code"),
    [
        (datetime.fromisoformat("2027-03-28T02:30"), "Europe/Brussels", "moment-skipped"),
        (datetime.fromisoformat("2027-10-31T02:30"), "Europe/Brussels", "moment-ambiguous"),
        (datetime.fromisoformat("2027-10-31T02:30").replace(fold=1), "Europe/Brussels", "moment-ambiguous"),
        (datetime.fromisoformat("2027-01-01T00:00"), "Mars/Olympus", "zone-unknown"),
    ],
)
def test_moments_that_nobody_agrees_on_are_refused(local: datetime, zone: str, code: str) -> None:
    moment, faults = planned(local, zone, "window.closes")
    assert moment is None
    assert [(fault.code, fault.field) for fault in faults] == [(code, "window.closes")]


def closing(day: str) -> Window:
    """The window, closing on another day."""
    closes = PlannedMoment.of(datetime.fromisoformat(f"{day}T17:00"), "Europe/Brussels")
    return WINDOW.model_copy(update={"closes": closes})


LATER, SOONER = closing("2027-09-20"), closing("2027-09-01")


@pytest.mark.parametrize(
    ("phase", "changes", "fields"),
    [
        (CallState.ANNOUNCED, {"places": 1, "window": SOONER}, []),
        (CallState.APPLICATION, {"window": LATER}, []),
        (CallState.APPLICATION, {"places": 12, "reserve": 5, "offers": {"days": 20}}, []),
        (CallState.APPLICATION, {"window": SOONER}, ["rules.window.closes"]),
        (CallState.APPLICATION, {"places": 9}, ["rules.places"]),
        (CallState.APPLICATION, {"quotas": [quota()]}, ["rules.quotas"]),
        (CallState.APPLICATION, {"offers": {"days": 13}}, ["rules.offers"]),
        (CallState.APPLICATION, {"form": []}, ["rules.form"]),
        (CallState.REVIEW, {"window": LATER}, ["rules.window.closes"]),
        (CallState.REVIEW, {"places": 12}, ["rules.places"]),
        (CallState.REVIEW, {"reserve": 5}, []),
        (CallState.REVIEW, {"criteria": [{"code": "merit", "label": text("Merits"), "weight": 100}]}, []),
    ],
)
def test_amendments_disadvantage_nobody(phase: CallState, changes: dict[str, Any], fields: list[str]) -> None:
    after = rules(**changes)
    assert [fault.field for fault in disadvantages(rules(), after, phase)] == fields
    assert changed(rules(), after) == sorted(
        (name.replace("_", "-") for name in changes), key=changed(rules(), after).index
    )


def test_a_host_can_be_added_and_take_more_but_not_fewer() -> None:
    another = host(host_id="hst_" + "2" * 32, cities=["city_" + "2" * 32])
    before = rules(hosts=[host()], matching={})
    for hosts, refused in (([host(at_most=12), another], False), ([host(at_most=9), another], True), ([another], True)):
        assert bool(disadvantages(before, rules(hosts=hosts, matching={}), CallState.APPLICATION)) is refused


def test_answers_are_held_against_the_form() -> None:
    form = rules().form
    good: dict[str, Any] = {"why": "To learn.", "hours": 12, "ready": True, "themes": ["finance", "mobility"]}
    assert wrong_answers(form, good) == []
    assert judged_answers(form, good) == {"hours": 12, "ready": True, "themes": ("finance", "mobility")}
    bad: dict[str, Any] = {
        "why": "x" * 101,
        "hours": True,
        "ready": "yes",
        "themes": ["finance", "finance"],
        "extra": 1,
    }
    assert [fault.code for fault in wrong_answers(form, bad)] == [
        "field-unknown",
        "answer-too-long",
        "answer-wrong-type",
        "answer-wrong-type",
        "answer-not-offered",
    ]
    assert [fault.code for fault in wrong_answers(form, {"hours": 81})] == ["answer-missing", "answer-too-large"]


def test_hosts_are_named_once_and_as_often_as_allowed() -> None:
    two = rules(hosts=[host(), host(host_id="hst_" + "2" * 32, cities=["city_" + "2" * 32])], matching={})
    assert wrong_preferences(two, [HOST]) == []
    found = wrong_preferences(two, [HOST, HOST, "hst_" + "3" * 32])
    assert [fault.code for fault in found] == ["preference-repeated", "host-unknown", "preferences-too-many"]
