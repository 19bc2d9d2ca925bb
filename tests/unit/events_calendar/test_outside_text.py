"""Recurrence rules are bounded, and search finds words as people type them."""

import contextlib
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.events_calendar.domain.finding import folded, words
from services.events_calendar.usecases.outside_text import RuleRefused, last_start, without_html

wall = datetime.fromisoformat
BERLIN = ZoneInfo("Europe/Berlin")
START = wall("2026-03-02T10:00")


@pytest.mark.parametrize(
    ("rule", "last"),
    [
        ("FREQ=DAILY;COUNT=366", wall("2027-03-02T10:00")),
        ("FREQ=WEEKLY;BYDAY=MO,WE;COUNT=4", wall("2026-03-11T10:00")),
        ("RRULE:FREQ=MONTHLY;BYDAY=1MO;COUNT=3", wall("2026-05-04T10:00")),
        ("FREQ=DAILY;UNTIL=20270101T085959Z", wall("2026-12-31T10:00")),
        ("FREQ=DAILY;UNTIL=20270101T090000Z", wall("2027-01-01T10:00")),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;COUNT=2", wall("2032-02-29T10:00")),
    ],
)
def test_the_last_instance_of_a_series(rule: str, last: datetime) -> None:
    assert last_start(rule, START, BERLIN) == last


def test_series_of_whole_days_end_on_a_day() -> None:
    assert last_start("FREQ=WEEKLY;UNTIL=20260331", date(2026, 3, 2), UTC) == date(2026, 3, 30)


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=DAILY",
        "FREQ=DAILY;COUNT=367",
        "FREQ=DAILY;COUNT=1000000000",
        "FREQ=DAILY;COUNT=3;UNTIL=20270101T000000Z",
        "FREQ=DAILY;UNTIL=20270101",
        "FREQ=DAILY;UNTIL=20400101T000000Z",
        "FREQ=HOURLY;COUNT=3",
        "FREQ=DAILY;INTERVAL=0;COUNT=3",
        "FREQ=DAILY;BYHOUR=1,2,3;COUNT=3",
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30;COUNT=3",
        "FREQ=YEARLY;COUNT=366",
        "FREQ=DAILY;COUNT=3;COUNT=4",
        "FREQ=DAILY;COUNT=3\nATTACH:x",
        "",
    ],
)
def test_rules_without_end_or_sense_are_refused(rule: str) -> None:
    with pytest.raises(RuleRefused):
        last_start(rule, START, BERLIN)


@given(st.from_regex(r"FREQ=(DAILY|WEEKLY|MONTHLY|YEARLY)(;[A-Z]{3,8}=[0-9A-Z,+-]{1,8}){1,3}", fullmatch=True))
def test_a_rule_is_judged_whatever_it_says(rule: str) -> None:
    with contextlib.suppress(RuleRefused):
        assert last_start(rule, START, BERLIN) >= START


@given(st.text(alphabet="<>&;/abp scriptx!-\"'=", max_size=60))
def test_no_html_is_left(text: str) -> None:
    assert without_html(without_html(text)) == without_html(text)


@pytest.mark.parametrize("text", ["AT&T", "a < b and c > d", "<3 you", "Tom &amp; Jerry", ""])
def test_plain_text_stays_as_it_is(text: str) -> None:
    assert without_html(text) == text


@pytest.mark.parametrize(
    ("written", "typed"),
    [
        ("Umeå", "umea"),
        ("Łódź", "lodz"),
        ("Strasse", "Straße"),
        ("İzmir", "izmir"),
        ("Tromsø", "TROMSO"),
        ("ΑΘΉΝΑ", "αθηνα"),
    ],
)
def test_words_are_found_without_accents(written: str, typed: str) -> None:
    assert folded(written) == folded(typed)
    assert words(f"in {written}!")[1] == folded(typed)
