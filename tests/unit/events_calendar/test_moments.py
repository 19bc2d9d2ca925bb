"""Times are taken as people meant them: wall-clock time in its zone, held against the zone's rules."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.common import PlannedMoment
from services.events_calendar.domain import moments
from services.events_calendar.domain.notes import Notes

NOW = datetime(2026, 2, 3, tzinfo=UTC)
STOCKHOLM = ZoneInfo("Europe/Stockholm")


def planned(text: str, zone: str = "Europe/Stockholm", now: datetime = NOW) -> tuple[PlannedMoment | None, list[str]]:
    notes = Notes()
    moment = moments.planned(text, ZoneInfo(zone), "starts_at", now, notes)
    assert (moment is None) == bool(notes.problems)
    return moment, [problem.code for problem in (*notes.problems, *notes.warnings)]


wall = datetime.fromisoformat


@pytest.mark.parametrize(
    ("text", "local", "utc"),
    [
        ("2026-04-14T09:00:00+02:00", "2026-04-14T09:00:00", "2026-04-14T07:00:00"),
        ("2026-04-14T07:00:00Z", "2026-04-14T09:00:00", "2026-04-14T07:00:00"),
        ("2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00", "2026-10-25T00:30:00"),
        ("2026-10-25T02:30:00+01:00", "2026-10-25T02:30:00", "2026-10-25T01:30:00"),
        ("2026-10-25T01:30:00Z", "2026-10-25T02:30:00", "2026-10-25T01:30:00"),
    ],
)
def test_what_fits_is_taken(text: str, local: str, utc: str) -> None:
    moment, notes = planned(text)
    assert notes == []
    assert moment is not None
    assert (moment.local.isoformat(), moment.utc.replace(tzinfo=None).isoformat()) == (local, utc)
    assert moment.recomputed() == moment, "the second of two equal times stays the second"


@pytest.mark.parametrize(
    "text", ["2026-04-14T09:00:00+01:00", "2025-04-14T09:00:00+01:00", "2026-07-14T09:00:00+05:30"]
)
def test_an_offset_that_does_not_fit_is_refused_for_past_and_near_events(text: str) -> None:
    assert planned(text) == (None, ["offset-misfit"])


def test_far_ahead_it_is_warned_about_and_the_wall_clock_counts() -> None:
    moment, notes = planned("2027-04-14T09:00:00+01:00")
    assert notes == ["offset-misfit"]
    assert moment is not None
    assert moment.local == wall("2027-04-14T09:00")


def test_the_hour_that_is_skipped() -> None:
    assert planned("2026-03-29T02:30:00+01:00") == (None, ["no-such-time"])
    moment, notes = planned("2027-03-28T02:30:00+01:00")
    assert notes == ["offset-misfit"]
    assert moment is not None
    assert moment.local == wall("2027-03-28T03:30"), "the instant that it names"


@given(
    instant=st.datetimes(wall("1970-01-02T00:00"), wall("2199-12-30T00:00"), timezones=st.just(UTC)),
    zone=st.sampled_from(
        ["Europe/Stockholm", "Atlantic/Reykjavik", "Asia/Istanbul", "Africa/Casablanca", "Europe/Kyiv"]
    ),
)
def test_an_instant_never_misfits_and_stays_the_instant(instant: datetime, zone: str) -> None:
    instant = instant.replace(microsecond=0)
    moment, notes = planned(instant.isoformat().replace("+00:00", "Z"), zone)
    assert notes == []
    assert moment is not None
    assert moment.utc == instant
    offset = instant.astimezone(ZoneInfo(zone)).utcoffset() or timedelta()
    if offset.total_seconds() % 60 == 0:
        again, notes = planned(instant.astimezone(ZoneInfo(zone)).isoformat(), zone)
        assert (again, notes) == (moment, [])


def test_a_day_has_23_and_25_hours_when_clocks_change() -> None:
    for day, hours in (("2026-03-29", 23), ("2026-10-25", 25), ("2026-02-03", 24)):
        date = datetime.fromisoformat(day).date()
        length = moments.end_of_day(date, STOCKHOLM) - moments.start_of_day(date, STOCKHOLM)
        assert length == timedelta(hours=hours)
