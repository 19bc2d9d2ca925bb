"""What outsiders send is judged strictly and answered in words; nothing that they send breaks the reader."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.national_platforms import (
    PlatformEventCancelled,
    PlatformEventPublished,
    PlatformEventWithdrawn,
    Problem,
    Reading,
    read,
)

PUBLISHED = PlatformEventPublished.type
DEEP: Any = "deep"
for _ in range(10_000):
    DEEP = [DEEP]


def message(**changes: Any) -> dict[str, Any]:
    """A correct message with fields changed; None takes a field out."""
    data: dict[str, Any] = {
        "uid": "climate-lab-7",
        "sequence": 0,
        "title": {"sv": "Klimatlabb", "en": "Climate lab"},
        "starts_at": "2026-04-14T09:00:00+02:00",
        "ends_at": "2026-04-14T16:00:00+02:00",
        "timezone": "Europe/Stockholm",
        "location": {"city": "Umeå"},
    }
    return {name: value for name, value in (data | changes).items() if value is not None}


def judged(data: object, subject: str | None = "climate-lab-7") -> Reading:
    return read(PUBLISHED, subject, data)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"starts_at": "2026-04-14T07:00:00Z", "ends_at": "2026-04-14T14:00:00.25Z"},
        {"starts_at": "2026-04-14", "ends_at": "2026-04-14"},
        {"starts_at": "2026-01-01", "ends_at": "2027-01-01"},
        {"location": None, "attendance_mode": "online", "online_url": "https://meet.example/1"},
        {"rrule": "FREQ=MONTHLY;COUNT=6", "exdates": ["2026-05-14T09:00:00+02:00"], "series_uid": "labs"},
        {"recurrence_id": "2026-04-14T09:00:00+02:00"},
        {"description": {"sv": ""}, "capacity": 1, "languages": ["sv", "en-GB"], "audience": ["national"]},
        {"sequence": 2**31 - 1, "themes": ["mobility", "eget ord"], "status": "postponed"},
        {"location": {"name": "Stadshuset", "latitude": 63, "longitude": 20.263}},
    ],
)
def test_correct_messages_are_taken_as_they_are(changes: dict[str, Any]) -> None:
    reading = judged(message(**changes))
    assert reading.problems == reading.warnings == []
    assert isinstance(reading.event, PlatformEventPublished)
    assert reading.event.starts_at == message(**changes)["starts_at"], "kept as it was written"


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"uid": None}, "missing", "uid"),
        ({"uid": "x" * 256}, "too-long", "uid"),
        ({"uid": "climate\x00lab"}, "wrong-form", "uid"),
        ({"sequence": "1"}, "wrong-type", "sequence"),
        ({"sequence": True}, "wrong-type", "sequence"),
        ({"sequence": -1}, "out-of-range", "sequence"),
        ({"sequence": 10**400}, "out-of-range", "sequence"),
        ({"title": {}}, "too-short", "title"),
        ({"title": {"sv": ""}}, "too-short", "title.sv"),
        ({"title": {"sv": "x" * 301}}, "too-long", "title.sv"),
        ({"title": {"på svenska": "Labb"}}, "wrong-form", "title.på svenska"),
        ({"title": "Klimatlabb"}, "wrong-type", "title"),
        ({"title": {"sv": "\ud800"}}, "not-legible", "title.sv"),
        ({"description": {"sv": "x" * 10_001}}, "too-long", "description.sv"),
        ({"starts_at": "2026-04-14T09:00:00"}, "wrong-form", "starts_at"),
        ({"starts_at": "14.04.2026"}, "wrong-form", "starts_at"),
        ({"starts_at": "2026-02-30T09:00:00+01:00"}, "no-such-time", "starts_at"),
        ({"starts_at": "2026-04-14T09:00:00+25:00"}, "no-such-time", "starts_at"),
        ({"starts_at": 1776150000}, "wrong-type", "starts_at"),
        ({"ends_at": "2026-04-14T08:00:00+02:00"}, "ends-before-start", "ends_at"),
        ({"ends_at": "2026-04-14T09:00:00+02:00"}, "ends-before-start", "ends_at"),
        ({"ends_at": "2027-05-14T09:00:00+02:00"}, "lasts-too-long", "ends_at"),
        ({"starts_at": "2026-01-01", "ends_at": "2027-01-02"}, "lasts-too-long", "ends_at"),
        ({"ends_at": "2026-04-15"}, "mixed-dates", "starts_at"),
        ({"exdates": ["2026-04-14"]}, "mixed-dates", "starts_at"),
        ({"timezone": "GMT+2:00 (Stockholm)"}, "wrong-form", "timezone"),
        ({"status": "cancelled"}, "not-one-of", "status"),
        ({"attendance_mode": "hybrid"}, "not-one-of", "attendance_mode"),
        ({"location": None}, "no-place", "location"),
        ({"location": {"country": "SE"}}, "no-place", "location"),
        ({"location": {"city": "Umeå", "latitude": 91}}, "out-of-range", "location.latitude"),
        ({"location": {"city": "Umeå", "latitude": float("nan")}}, "out-of-range", "location.latitude"),
        ({"url": "javascript:alert(1)"}, "wrong-form", "url"),
        ({"registration_url": "//example.org"}, "wrong-form", "registration_url"),
        ({"image": {"alt": {"sv": "bild"}}}, "missing", "image.url"),
        ({"languages": ["svenska språket"]}, "wrong-form", "languages.0"),
        ({"audience": ["experts"]}, "not-one-of", "audience.0"),
        ({"capacity": 0}, "out-of-range", "capacity"),
        ({"capacity": 20.5}, "wrong-type", "capacity"),
        ({"organiser": {"email": "no address"}}, "wrong-form", "organiser.email"),
        ({"exdates": ["2026-04-14T09:00:00Z"] * 367}, "too-long", "exdates"),
        ({"title": DEEP}, "wrong-type", "title"),
    ],
)
def test_each_fault_is_named_with_code_field_and_words(changes: dict[str, Any], code: str, field: str) -> None:
    reading = judged(message(**changes), subject=message(**changes).get("uid"))
    assert reading.event is None
    assert [(problem.code, problem.field) for problem in reading.problems] == [(code, field)]
    (problem,) = reading.problems
    assert problem.message.endswith((".", "…"))
    assert (problem.message + (problem.given or "")).isprintable()
    assert Problem.model_validate_json(problem.model_dump_json()) == problem


def test_every_fault_is_told_not_the_first_alone() -> None:
    reading = judged(message(sequence="1", url="x", status="off"))
    assert {problem.field for problem in reading.problems} == {"sequence", "url", "status"}


def test_unknown_fields_are_dropped_and_warned_about() -> None:
    reading = judged(message(colour="red", location={"city": "Umeå", "floor": DEEP}, organiser={"vat\ud800": 1}))
    assert reading.event is not None
    assert {(warning.code, warning.field) for warning in reading.warnings} == {
        ("unknown-field", "colour"),
        ("unknown-field", "location.floor"),
        ("unknown-field", "organiser.vat\N{REPLACEMENT CHARACTER}"),
    }
    assert "red" not in reading.event.model_dump_json()


@pytest.mark.parametrize("subject", [None, "", "another"])
def test_subject_must_be_the_uid(subject: str | None) -> None:
    (problem,) = judged(message(), subject).problems
    assert (problem.code, problem.field) == ("subject-is-not-uid", "subject")


def test_an_unknown_type_is_answered_with_the_known_ones() -> None:
    (problem,) = read("eu.mission.national-platform.event.moved.v1", "x", {}).problems
    assert problem.code == "unknown-type"
    for known in (PlatformEventPublished, PlatformEventCancelled, PlatformEventWithdrawn):
        assert known.type in problem.message


@pytest.mark.parametrize("model", [PlatformEventCancelled, PlatformEventWithdrawn])
def test_cancelling_and_withdrawing_need_little(model: type[PlatformEventCancelled]) -> None:
    assert read(model.type, "u", {"uid": "u", "sequence": 3, "reason": {"sv": "Inställt"}}).event is not None
    (problem,) = read(model.type, "u", {"uid": "u"}).problems
    assert (problem.code, problem.field) == ("missing", "sequence")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(
    data=json_values
    | st.dictionaries(st.sampled_from(sorted(PlatformEventPublished.model_fields)), json_values)
    | st.builds(lambda field, value: message(**{field: value}), st.sampled_from(sorted(message())), json_values)
)
def test_whatever_comes_gets_an_answer(data: object) -> None:
    reading = judged(data)
    assert (reading.event is None) == bool(reading.problems)
    for problem in (*reading.problems, *reading.warnings):
        assert Problem.model_validate_json(problem.model_dump_json()) == problem
