"""Everything public in one calendar: found by filters and words, and subscribed to with a calendar program."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import icalendar
import pytest
import recurring_ical_events

from contracts.national_platforms import PlatformEventCancelled
from tests.service.events_calendar.conftest import Answer, Outsider, in_days, scheduled
from tests.unit.events_calendar import messages


def at(days: float, hour: int = 9, zone: str = "Z") -> str:
    day = (datetime.now(UTC) + timedelta(days=days)).date()
    return f"{day}T{hour:02d}:00:00{zone}"


def event(uid: str, days: float, **changes: Any) -> dict[str, Any]:
    """An event of two hours so many days from now."""
    return messages.data(**{"uid": uid, "starts_at": at(days), "ends_at": at(days, 11)} | changes)


async def season(platform: Outsider, *events: dict[str, Any]) -> dict[str, str]:
    """Publishes events and returns their ids in the calendar by uid."""
    offsets = {content["uid"]: platform.say(content) for content in events}
    receipts = await platform.receipts(max(offsets.values()))
    for uid, offset in offsets.items():
        assert receipts[offset]["status"] == "accepted", (uid, receipts[offset])
    return {uid: receipts[offset]["event_id"] for uid, offset in offsets.items()}


async def uids(calendar: httpx.AsyncClient, platform: Outsider, **params: Any) -> list[str]:
    answer = await calendar.get("/events", params={"platform": platform.id} | params)
    assert answer.status_code == 200, answer.text
    return [one["uid"] for one in answer.json()["items"]]


async def test_one_list_is_filtered_searched_and_paged(
    calendar: httpx.AsyncClient, platform: Outsider, organiser: dict[str, str]
) -> None:
    await season(
        platform,
        event("past", -20),
        event(
            "heat",
            3,
            title={"sv": "Fjärrvärme i Malmö", "en": "District heating"},
            themes=["energy-systems"],
            languages=["sv"],
        ),
        event(
            "bikes", 2, location={"city": "Łódź", "country": "PL"}, themes=["mobility", "cykel"], languages=["en-GB"]
        ),
        event("online", 40, attendance_mode="online", location=None, audience=["mission-minded-cities"]),
        event("week", 5, starts_at=at(5)[:10], ends_at=at(9)[:10]),
    )
    assert await uids(calendar, platform) == ["bikes", "heat", "week", "online"], "upcoming first"
    assert await uids(calendar, platform, begin="2020-01-01") == ["past", "bikes", "heat", "week", "online"]
    for params, found in (
        ({"country": "PL"}, ["bikes"]),
        ({"country": ["PL", "SE"]}, ["bikes", "heat", "week", "online"]),
        ({"language": "en"}, ["bikes"]),
        ({"theme": "energy-systems"}, ["heat"]),
        ({"theme": ["energy-systems", "mobility"]}, ["bikes", "heat"]),
        ({"audience": "mission-minded-cities"}, ["online"]),
        ({"mode": "online"}, ["online"]),
        ({"kind": "orientation"}, []),
        ({"kind": "national-event"}, ["bikes", "heat", "week", "online"]),
        ({"q": "lodz"}, ["bikes"]),
        ({"q": "FJARR malmo"}, ["heat"]),
        ({"q": "cykel"}, ["bikes"]),
        ({"q": "viable cities"}, ["bikes", "heat", "week", "online"]),
        ({"q": "nothing at all"}, []),
        ({"begin": at(4)}, ["week", "online"]),
        ({"begin": at(8), "end": at(8, 10)}, ["week"]),
        ({"begin": at(3)[:10], "end": at(3)[:10], "time_zone": "Europe/Stockholm"}, ["heat"]),
    ):
        assert await uids(calendar, platform, **params) == found, params

    first = (await calendar.get("/events", params={"platform": platform.id, "limit": 2})).json()
    await season(platform, event("new", 1))
    second = (
        await calendar.get("/events", params={"platform": platform.id, "limit": 2, "cursor": first["next"]})
    ).json()
    assert [one["uid"] for one in second["items"]] == ["week", "online"], "pages are stable while events come in"
    assert second["next"] is None
    other = await calendar.get("/events", params={"limit": 2, "cursor": first["next"]})
    assert other.status_code == 400, "a cursor belongs to its list"

    session = await scheduled(
        calendar, organiser, starts=in_days(3), ends=in_days(3, 12), themes=["waste-and-circularity"]
    )
    mine = (await calendar.get("/events", params={"source": "own", "theme": "waste-and-circularity"})).json()["items"]
    assert [one["session_id"] for one in mine] == [session["id"]]
    everything = (await calendar.get("/events", params={"limit": 200})).json()["items"]
    assert {session["event_id"], *(one["id"] for one in first["items"])} <= {one["id"] for one in everything}
    starts = [one["starts_at"] for one in everything]
    assert starts == sorted(starts)


async def feed(calendar: httpx.AsyncClient, **params: Any) -> tuple[icalendar.Calendar, httpx.Response]:
    answer = await calendar.get("/feeds/calendar.ics", params=params)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    assert all(len(line) <= 75 for line in answer.content.split(b"\r\n")), "lines are folded by octets"
    return icalendar.Calendar.from_ical(answer.content), answer


def of(calendar: icalendar.Calendar, summary: str) -> Any:
    (found,) = [one for one in calendar.events if one["SUMMARY"] == summary]
    return found


async def test_a_calendar_program_reads_the_feed(calendar: httpx.AsyncClient, platform: Outsider) -> None:
    ids = await season(
        platform,
        event(
            "summer",
            0,
            title={"en": "Climate; lab, with \\ backslash", "sv": "Klimatlabb"},
            description={"en": "Line one\nLine two " + "åäö" * 40},
            starts_at="2027-07-01T09:00:00+02:00",
            ends_at="2027-07-01T16:00:00+02:00",
            timezone="Europe/Stockholm",
            location={"name": "Stadshuset", "city": "Umeå", "country": "SE", "latitude": 63.8, "longitude": 20.3},
            url="https://viablecities.example/lab",
            themes=["mobility"],
        ),
        event("days", 0, title={"en": "Climate week"}, starts_at="2027-05-03", ends_at="2027-05-07"),
        event("maybe", 6, title={"en": "Perhaps"}, status="tentative"),
    )
    parsed, answer = await feed(calendar, platform=platform.id)
    assert (parsed["REFRESH-INTERVAL"].dt, str(parsed["X-WR-CALNAME"])) == (
        timedelta(hours=1),
        "Cities Mission calendar",
    )
    lab = of(parsed, "Climate; lab, with \\ backslash")
    assert lab["UID"].startswith(ids["summer"])
    assert (lab.start.isoformat(), lab.start.tzinfo.key) == ("2027-07-01T09:00:00+02:00", "Europe/Stockholm")
    assert lab.end.astimezone(UTC) == datetime(2027, 7, 1, 14, tzinfo=UTC)
    assert (lab["STATUS"], lab["SEQUENCE"]) == ("CONFIRMED", 0)
    assert (lab["LOCATION"], lab["URL"]) == ("Stadshuset, Umeå, SE", "https://viablecities.example/lab")
    assert str(lab["DESCRIPTION"]).startswith("Line one\nLine two åäöåäö")
    assert {zone.tz_name for zone in parsed.timezones} == {"Europe/Stockholm"}
    (rules,) = parsed.timezones
    assert rules.to_tz().utcoffset(datetime(2027, 7, 1, 9)) == timedelta(hours=2)  # noqa: DTZ001 - a wall-clock time
    assert rules.to_tz().utcoffset(datetime(2027, 1, 1, 9)) == timedelta(hours=1)  # noqa: DTZ001 - a wall-clock time
    week = of(parsed, "Climate week")
    assert (week.start, week.end) == (date(2027, 5, 3), date(2027, 5, 8)), "whole days have no zone, and no shift"
    assert of(parsed, "Perhaps")["STATUS"] == "TENTATIVE"
    assert of((await feed(calendar, platform=platform.id, lang=["sv", "en"]))[0], "Klimatlabb")["UID"] == lab["UID"]

    tag = answer.headers["etag"]
    same = await calendar.get("/feeds/calendar.ics", params={"platform": platform.id}, headers={"if-none-match": tag})
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
    assert (await feed(calendar, platform=platform.id))[1].content == answer.content, "the same bytes each time"

    platform.say({"uid": "summer", "sequence": 1, "reason": {"en": "No speakers"}}, type=PlatformEventCancelled.type)
    await platform.receipt(
        platform.say(
            event("days", 0, sequence=1, title={"en": "Climate week 2"}, starts_at="2027-05-03", ends_at="2027-05-04")
        )
    )
    changed, answer = await feed(calendar, platform=platform.id)
    assert answer.headers["etag"] != tag
    gone = of(changed, "Climate; lab, with \\ backslash")
    assert (gone["STATUS"], gone["SEQUENCE"], gone["UID"]) == ("CANCELLED", 1, lab["UID"])
    assert str(gone["DESCRIPTION"]).startswith("No speakers")
    assert of(changed, "Climate week 2")["UID"] == week["UID"]


async def test_a_series_with_exceptions_is_expanded_as_it_was_meant(
    calendar: httpx.AsyncClient, platform: Outsider
) -> None:
    series = {"timezone": "Europe/Stockholm", "title": {"en": "Orientation"}}
    await season(
        platform,
        event(
            "series",
            0,
            starts_at="2027-03-01T09:00:00+01:00",
            ends_at="2027-03-01T10:00:00+01:00",
            rrule="FREQ=MONTHLY;BYDAY=1MO;COUNT=4",
            exdates=["2027-06-07T07:00:00Z"],
            **series,
        ),
    )
    await season(
        platform,
        event(
            "series",
            0,
            starts_at="2027-05-04T13:00:00+02:00",
            ends_at="2027-05-04T14:00:00+02:00",
            recurrence_id="2027-05-03T09:00:00+02:00",
            **series | {"title": {"en": "Orientation, moved"}},
        ),
    )
    parsed, _ = await feed(calendar, platform=platform.id)
    assert len({one["UID"] for one in parsed.events}) == 1, "a changed instance has the UID of its series"
    instances = recurring_ical_events.of(parsed).between(date(2027, 1, 1), date(2028, 1, 1))
    assert sorted((one.start.astimezone(UTC).isoformat(), str(one["SUMMARY"])) for one in instances) == [
        ("2027-03-01T08:00:00+00:00", "Orientation"),
        ("2027-04-05T07:00:00+00:00", "Orientation"),
        ("2027-05-04T11:00:00+00:00", "Orientation, moved"),
    ]
    assert await uids(calendar, platform, begin="2027-05-20") == ["series"], "a series is there until its last instance"


async def test_the_feed_has_our_own_sessions_too(calendar: httpx.AsyncClient, organiser: dict[str, str]) -> None:
    session: Answer = await scheduled(
        calendar, organiser, kind="orientation", title={"en": "Orientation, part 1"}, part=1
    )
    parsed, answer = await feed(calendar, source="own", kind="orientation")
    found = of(parsed, "Orientation, part 1")
    assert found["UID"].startswith(session["event_id"])
    assert "meet.example" not in answer.text
    await calendar.post(f"/sessions/{session['id']}/cancellation", json={}, headers=organiser)
    parsed, _ = await feed(calendar, source="own", kind="orientation")
    assert of(parsed, "Orientation, part 1")["STATUS"] == "CANCELLED"


@pytest.mark.parametrize(
    "params",
    [
        {"begin": "2026-02-30"},
        {"begin": "0001-01-01T00:00:00+14:00"},
        {"end": "9999-12-31"},
        {"time_zone": "Europe/Atlantis"},
        {"audience": "experts"},
        {"limit": 0},
        {"cursor": "!"},
        {"mode": "x"},
    ],
)
async def test_filters_that_make_no_sense_are_problems(calendar: httpx.AsyncClient, params: dict[str, Any]) -> None:
    answer = await calendar.get("/events", params=params)
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"
