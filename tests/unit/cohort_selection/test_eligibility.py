"""Who may apply, by rules that are data."""

from datetime import date
from typing import Any

import pytest

from contracts.cohort_selection import EligibilityRule
from contracts.registration import Authority, CityStatus, Place
from services.cohort_selection.domain.eligibility import facts_of, unmet
from tests.unit.cohort_selection.documents import facts, text


def rule(kind: str, **filled: Any) -> EligibilityRule:
    """One rule of a kind."""
    return EligibilityRule.model_validate({"code": "rule", "kind": kind, "sentence": text("No.")} | filled)


CASES: list[tuple[EligibilityRule, dict[str, Any], bool]] = [
    (rule("country-status", values=["eu", "associated"]), {}, True),
    (rule("country-status", values=["eu"]), {"country_status": "other"}, False),
    (rule("country", values=["PT", "ES"]), {}, True),
    (rule("country", values=["ES"]), {}, False),
    (rule("city-kind", values=["district"]), {"kind": "district"}, True),
    (rule("city-kind", values=["district"]), {}, False),
    (rule("neutral-by", limit=2050), {"neutral_by": 2050}, True),
    (rule("neutral-by", limit=2050), {"neutral_by": 2051}, False),
    (rule("neutral-by", limit=2050), {"neutral_by": None}, False),
    (rule("without-status", values=["twin"]), {}, True),
    (rule("without-status", values=["twin"]), {"statuses": ["twin"]}, False),
    (rule("without-status", values=["twin"]), {"former_statuses": ["twin"]}, False),
    (rule("with-status", values=["mission-city"]), {"statuses": ["mission-city"]}, True),
    (rule("with-status", values=["mission-city"]), {"former_statuses": ["mission-city"]}, False),
    (rule("completed-programme", values=["discussion-groups"]), {"completed_programmes": ["discussion-groups"]}, True),
    (rule("completed-programme", values=["discussion-groups"]), {}, False),
    (rule("one-application"), {}, True),
]


@pytest.mark.parametrize(("condition", "changes", "met"), CASES)
def test_each_kind_of_rule(condition: EligibilityRule, changes: dict[str, Any], met: bool) -> None:
    assert (unmet([condition], facts(**changes), 1, {}, []) == []) is met


def test_every_unmet_rule_is_told_in_the_readers_language() -> None:
    conditions = [
        rule("country", values=["ES"], code="only-spain", sentence=text("Spain.") | {"pt": {"text": "Espanha."}}),
        rule("city-kind", values=["district"], code="only-districts"),
        rule("neutral-by", limit=2050, code="goal"),
    ]
    found = unmet(conditions, facts(), 1, {}, ["pt", "de"])
    assert [(fault.code, fault.message, fault.params["found"]) for fault in found] == [
        ("only-spain", "Espanha.", "PT"),
        ("only-districts", "No.", "municipality"),
    ]


def test_rules_on_the_application_wait_until_there_is_one() -> None:
    conditions = [
        rule("representatives-at-least", limit=2, code="two"),
        rule("answer-is", field="themes", values=["mobility"], code="theme"),
        rule("answer-at-least", field="hours", limit=12, code="hours"),
    ]
    assert unmet(conditions, facts(), None, None, []) == []
    found = unmet(conditions, facts(), 1, {"themes": ("finance",), "hours": 8}, [])
    assert [fault.code for fault in found] == ["two", "theme", "hours"]
    assert unmet(conditions, facts(), 2, {"themes": ("finance", "mobility"), "hours": 12}, []) == []


def test_statuses_are_those_of_the_day() -> None:
    place = Place(source="geonames", code="1", name="Town", country="PT", latitude=40, longitude=-8)
    authority = Authority(name="Town", kind="municipality", country="PT", places=(place,), time_zone="Europe/Lisbon")
    statuses = [
        CityStatus(kind="twin", valid_from=date(2023, 7, 1), valid_until=date(2025, 2, 28), source="announcement"),
        CityStatus(kind="pilot", valid_from=date(2027, 1, 1), source="announcement"),
    ]

    def on(day: date) -> tuple[tuple[str, ...], tuple[str, ...]]:
        seen = facts_of(authority, None, statuses, "eu", (), day)
        return seen.statuses, seen.former_statuses

    assert on(date(2023, 6, 30)) == ((), ())
    assert on(date(2025, 2, 28)) == (("twin",), ())
    assert on(date(2025, 3, 1)) == ((), ("twin",))
    assert on(date(2027, 1, 1)) == (("pilot",), ("twin",))
