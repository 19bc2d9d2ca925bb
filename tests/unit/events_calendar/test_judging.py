"""A platform's message is taken as it was meant or refused with every reason; nothing that comes breaks the judge."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from cloudevents.core.bindings.kafka import to_binary_event, to_structured_event
from hypothesis import given
from hypothesis import strategies as st

from contracts.national_platforms import PlatformEventCancelled, PlatformState, Problem
from services.events_calendar.domain.attributes import read_record
from services.events_calendar.domain.judging import Said, judge
from services.events_calendar.domain.notes import Notes
from services.events_calendar.usecases.platform_events import TOOLS
from tests.unit.events_calendar.messages import NOW, PLATFORM, SOURCE, Headers, attributes, binary, data, structured

Mode = Callable[..., tuple[bytes, Headers]]


def judged(
    value: bytes | None, headers: Headers, platform: Any = PLATFORM
) -> tuple[Said | None, list[tuple[str, str | None]], list[tuple[str, str | None]]]:
    notes = Notes()
    said = judge(read_record(value, headers, NOW, notes), platform, NOW, TOOLS, notes)
    assert (said is None) == bool(notes.problems), "a message is taken or has problems"
    for problem in (*notes.problems, *notes.warnings):
        assert Problem.model_validate_json(problem.model_dump_json()) == problem
    problems, warnings = ([(p.code, p.field) for p in found] for found in (notes.problems, notes.warnings))
    return said, problems, warnings


@pytest.mark.parametrize("mode", [binary, structured])
def test_both_modes_say_the_same(mode: Mode) -> None:
    said, problems, warnings = judged(*mode())
    assert problems == warnings == []
    assert said is not None
    assert said.event is not None
    assert said.event.span is not None
    assert said.event.title["sv"].text == "Klimatlabb"
    assert said.event.span.starts.utc.isoformat() == "2026-04-14T07:00:00+00:00"
    assert said.event.country == "SE", "an event without a country is in its platform's"
    assert said == judged(*binary())[0]


@pytest.mark.parametrize("bind", [to_binary_event, to_structured_event])
def test_messages_of_the_cloudevents_library_are_taken(bind: Any) -> None:
    from cloudevents.core.v1.event import CloudEvent

    event = CloudEvent(attributes() | {"time": NOW, "datacontenttype": "application/json"}, data())
    message = bind(event)
    headers: list[tuple[str, bytes | None]] = [
        (name, value if isinstance(value, bytes) else str(value).encode()) for name, value in message.headers.items()
    ]
    value = message.value if isinstance(message.value, bytes) else str(message.value).encode()
    said, problems, _ = judged(value, headers)
    assert problems == []
    assert said is not None


@pytest.mark.parametrize("mode", [binary, structured])
@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"specversion": None}, ("missing", "specversion")),
        ({"specversion": "0.3"}, ("not-one-of", "specversion")),
        ({"id": None}, ("missing", "id")),
        ({"id": "x" * 501}, ("too-long", "id")),
        ({"id": "a\nb"}, ("wrong-form", "id")),
        ({"source": None}, ("missing", "source")),
        ({"source": "https://somebody.example/else"}, ("source-not-registered", "source")),
        ({"type": None}, ("missing", "type")),
        ({"type": "eu.mission.national-platform.event.moved.v1"}, ("unknown-type", "type")),
        ({"subject": None}, ("missing", "subject")),
        ({"subject": "another"}, ("subject-is-not-uid", "subject")),
        ({"time": "yesterday"}, ("wrong-form", "time")),
        ({"time": "2026-02-30T00:00:00Z"}, ("no-such-time", "time")),
        ({"time": "0001-01-01T00:00:00+05:00"}, ("no-such-time", "time")),
    ],
)
def test_each_wrong_attribute_is_named(mode: Mode, changes: dict[str, Any], problem: tuple[str, str]) -> None:
    assert judged(*mode(**changes))[1] == [problem]


@pytest.mark.parametrize(
    ("value", "headers", "problem"),
    [
        (None, binary()[1], ("no-value", "data")),
        (None, structured()[1], ("no-value", "data")),
        (b"", binary()[1], ("not-legible", "data")),
        (b'{"uid": "cli', binary()[1], ("not-legible", "data")),
        (b"\xff\xfe", structured()[1], ("not-legible", "data")),
        (b"[" * 10_000 + b"]" * 10_000, binary()[1], ("not-legible", "data")),
        (b'{"data":' + b"[" * 10_000, structured()[1], ("not-legible", "data")),
        (b"NaN", binary()[1], ("not-legible", "data")),
        (b"[]", structured()[1], ("not-an-object", "data")),
        (b"7", binary()[1], ("not-an-object", "data")),
        (b'{"uid": "' + b"x" * 70_000 + b'"}', binary()[1], ("too-large", "data")),
        (
            binary()[0],
            [*binary()[1][:-1], ("content-type", b"text/calendar")],
            ("wrong-content-type", "datacontenttype"),
        ),
        (
            structured()[0],
            [("content-type", b"application/cloudevents-batch+json")],
            ("wrong-content-type", "content-type"),
        ),
    ],
)
def test_what_is_not_legible_is_said_so(value: bytes | None, headers: Headers, problem: tuple[str, str]) -> None:
    assert judged(value, headers)[1] == [problem]


def test_no_header_at_all_names_every_attribute_that_is_missing() -> None:
    _, problems, _ = judged(binary()[0], [])
    assert {field for code, field in problems if code == "missing"} == {
        "specversion",
        "id",
        "source",
        "type",
        "subject",
    }


def test_null_headers_and_headers_that_are_not_utf8() -> None:
    value, headers = binary()
    odd: Headers = [(name, b"\xff\xfe" if name == "ce_subject" else raw) for name, raw in headers]
    assert judged(value, [*odd, ("ce_", None), ("\udcff", b"x")])[1] == [("not-legible", "subject")]
    nulled: Headers = [(name, None if name == "ce_id" else raw) for name, raw in headers]
    assert judged(value, nulled)[1] == [("missing", "id")]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"timezone": "Europe/Atlantis"}, ("unknown-zone", "timezone")),
        ({"timezone": "Europe"}, ("unknown-zone", "timezone")),
        ({"starts_at": "1600-04-14T09:00:00Z", "ends_at": "1600-04-14T10:00:00Z"}, ("out-of-range", "starts_at")),
        ({"starts_at": "9999-12-31T09:00:00Z", "ends_at": "9999-12-31T10:00:00Z"}, ("out-of-range", "starts_at")),
        ({"starts_at": "1600-04-14", "ends_at": "1600-04-14"}, ("out-of-range", "starts_at")),
        ({"title": {"sv": "<script>alert(1)</script>"}}, ("too-short", "title")),
        ({"location": {"city": "<br>"}}, ("no-place", "location")),
        ({"rrule": "FREQ=DAILY"}, ("rule-not-taken", "rrule")),
        ({"rrule": "FREQ=SECONDLY;COUNT=1000000000"}, ("rule-not-taken", "rrule")),
        ({"rrule": "nonsense"}, ("rule-not-taken", "rrule")),
        (
            {"rrule": "FREQ=DAILY;COUNT=2", "recurrence_id": "2026-04-14T09:00:00+02:00"},
            ("rule-not-taken", "rrule"),
        ),
        ({"recurrence_id": "0001-01-01T00:00:00+05:00"}, ("out-of-range", "recurrence_id")),
    ],
)
def test_what_only_the_calendar_can_judge(changes: dict[str, Any], problem: tuple[str, str]) -> None:
    assert problem in judged(*binary(data(**changes)))[1]


def test_every_problem_is_told_of_attributes_and_data_alike() -> None:
    _, problems, _ = judged(*binary(data(sequence=-1, url="x"), specversion=None, source="x:y"))
    assert {field for _, field in problems} == {"specversion", "source", "sequence", "url"}


def test_a_suspended_platform_is_told_so() -> None:
    suspended = PLATFORM.model_copy(update={"state": PlatformState.SUSPENDED})
    assert judged(*binary(), suspended)[1] == [("platform-suspended", None)]


def test_html_controls_and_direction_marks_are_reduced_with_warnings() -> None:
    said, _, warnings = judged(
        *binary(
            data(
                title={"en": "Heat \u202eplan\u202c <b>now</b>"},
                description={"en": "<p>One &amp; two</p><script>x()</script><p>a < b</p>", "sv": "AT&T < 3\x07"},
                themes=["mobility", "<i>eget</i>"],
            )
        )
    )
    assert said is not None
    assert said.event is not None
    assert said.event.description is not None
    assert said.event.title["en"].text == "Heat plan now"
    assert said.event.description["en"].text.split() == ["One", "&", "two", "a", "<", "b"]
    assert said.event.description["sv"].text == "AT&T < 3"
    assert (said.event.themes, said.event.tags) == (("mobility",), ("eget",))
    assert set(warnings) == {
        ("html-removed", "title.en"),
        ("direction-marks-removed", "title.en"),
        ("html-removed", "description.en"),
        ("control-characters-removed", "description.sv"),
        ("html-removed", "themes.1"),
    }


def test_html_that_hides_in_escapes_never_comes_out() -> None:
    nested = "<b>&lt;script&gt;alert(1)&lt;/script&gt;</b>ok"
    said, _, _ = judged(*binary(data(title={"en": nested})))
    assert said is not None
    assert said.event is not None
    assert said.event.title["en"].text == "ok"


def test_the_organisers_mail_address_stays_out_of_the_event() -> None:
    said, _, _ = judged(*binary(data(organiser={"name": "Office", "email": "office@viablecities.example"})))
    assert said is not None
    assert said.event is not None
    assert said.organiser_mail == "office@viablecities.example"
    assert "office@" not in said.event.model_dump_json()


def test_a_time_far_ahead_counts_as_the_brokers() -> None:
    said, _, warnings = judged(*binary(time=(NOW + timedelta(minutes=6)).isoformat()))
    assert warnings == [("time-ahead", "time")]
    assert said is not None
    assert said.said_at == NOW
    said, _, warnings = judged(*binary(time=(NOW + timedelta(minutes=4)).isoformat()))
    assert warnings == []
    assert said is not None
    assert said.said_at == NOW + timedelta(minutes=4)


def test_an_instance_is_the_same_however_its_beginning_is_written() -> None:
    ids = {
        said.recurrence_id
        for text in ("2026-04-14T09:00:00+02:00", "2026-04-14T07:00:00Z", "2026-04-14t07:00:00.000z")
        for said, _, _ in [judged(*binary(data(recurrence_id=text)))]
        if said
    }
    assert ids == {"2026-04-14T07:00:00Z"}


def test_cancelling_needs_no_times() -> None:
    content = {"uid": "climate-lab-7", "sequence": 1, "reason": {"sv": "Inställt <br>"}}
    said, problems, _ = judged(*binary(content, type=PlatformEventCancelled.type))
    assert problems == []
    assert said is not None
    assert said.kind == "cancelled"
    assert said.reason is not None
    assert said.reason["sv"].text == "Inställt"


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
moments = st.from_regex(
    r"(1600|1970|2026|2199|9999)-(0[1-9]|1[0-2])-[0-3]\d(T[0-2]\d:[0-5]\d:00(Z|[+-][01]\d:00))?", fullmatch=True
)
contents = st.builds(
    lambda changes: data(**changes),
    st.fixed_dictionaries(
        {},
        optional={
            "starts_at": moments,
            "ends_at": moments,
            "recurrence_id": moments,
            "registration_closes_at": moments,
            "exdates": st.lists(moments, max_size=3),
            "timezone": st.sampled_from(
                ["UTC", "Europe/Stockholm", "Africa/Monrovia", "Pacific/Apia", "x", "Etc/../UTC"]
            ),
            "rrule": st.text() | st.from_regex(r"FREQ=(DAILY|WEEKLY|YEARLY);(COUNT|INTERVAL|BYDAY)=[0-9A-Z,-]+"),
            "title": st.dictionaries(st.sampled_from(["sv", "en"]), st.text(), max_size=2),
            "location": anything,
            "organiser": anything,
            "themes": st.lists(st.text(), max_size=3),
        },
    ),
)


@given(
    content=contents | anything, changes=st.dictionaries(st.sampled_from(sorted(attributes())), st.text() | anything)
)
def test_whatever_a_platform_says_gets_an_answer(content: object, changes: dict[str, Any]) -> None:
    event = attributes() | changes | {"data": content}
    value = json.dumps(event).encode()
    if len(value) < 60_000:
        judged(value, [("content-type", b"application/cloudevents+json")])


@given(
    value=st.none() | st.binary(),
    headers=st.lists(
        st.tuples(st.sampled_from(["content-type", "ce_id", "ce_type"]) | st.text(), st.none() | st.binary())
    ),
)
def test_whatever_bytes_come_get_an_answer(value: bytes | None, headers: Headers) -> None:
    judged(value, headers)


def test_the_source_is_compared_letter_by_letter() -> None:
    assert judged(*binary(source=SOURCE.upper()))[1] == [("source-not-registered", "source")]
