"""Applying on the real stack: who may, by when, with every reason, and nobody else reads it."""

import asyncio
from datetime import timedelta
from typing import Any

from pymongo import MongoClient

from contracts import cohort_selection as facts
from infra.local.stack import LocalStack
from services.cohort_selection.main import create_app
from services.cohort_selection.store.calls import GATES
from shared.ids import new_id
from shared.testing import eventually, serving
from tests.service.cohort_selection.desk import Desk, codes, en


async def test_every_reason_is_told_before_and_at_the_refusal(desk: Desk) -> None:
    manager = desk.manager()
    host, mission = await desk.towns("SE", "IT", statuses=["mission-city"])
    call = await desk.published(
        manager,
        hosts=[{"cities": [host.id], "title": en("Host"), "at_most": 3}],
        matching={},
    )
    (twin,) = await desk.towns("PT", statuses=["twin"])
    (pilot,) = await desk.towns("PT", statuses=["pilot"])
    (uncommitted,) = await desk.towns("DE", neutral_by=None)
    (late_goal,) = await desk.towns("DE", neutral_by=2055)
    (outside,) = await desk.towns("CH", neutral_by=None, statuses=["pilot"])
    expected = [
        (mission, {"not-in-the-mission"}),
        (twin, {"not-in-the-mission"}),
        (pilot, {"not-in-the-mission"}),
        (uncommitted, {"neutral-by-2050"}),
        (late_goal, {"neutral-by-2050"}),
        (outside, {"eu-or-associated", "not-in-the-mission", "neutral-by-2050"}),
        (host, {"not-in-the-mission", "double-role"}),
    ]
    for town, reasons in expected:
        before = await desk.ok("POST", f"/calls/{call['id']}/eligibility", town.headers, {"city_id": town.id})
        assert (before["eligible"], {reason["code"] for reason in before["reasons"]}) == (False, reasons)
        answer = await desk.apply(town, call["id"])
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (403, "application-refused")
        assert codes(problem) == reasons
        assert (await desk.ok("GET", "/applications", town.headers))["items"] == []
        refusal = problem["params"]["refusal_id"]

        async def recorded(refusal: str = refusal) -> Any:
            return await desk.told("selection.applications", refusal)

        (event,) = await eventually(recorded, "the refusal is told")
        assert isinstance(event, facts.ApplicationRefused)
        assert {reason.code for reason in event.reasons} == reasons
    listed = await desk.ok("GET", f"/calls/{call['id']}/refusals", manager)
    assert len(listed["items"]) == len(expected)


async def test_reasons_are_told_in_the_readers_language(desk: Desk) -> None:
    call = await desk.published(desk.manager())
    (town,) = await desk.towns("CH")
    town.headers["Accept-Language"] = "pt-PT,pt;q=0.9"
    answer = await desk.apply(town, call["id"])
    assert [error["message"] for error in answer.json()["errors"]] == ["Aberto a cidades da UE e de países associados."]


async def test_a_city_applies_once_and_replaces_what_it_sent(desk: Desk) -> None:
    call = await desk.published(desk.manager())
    (town,) = await desk.towns("PT")
    first = (await desk.apply(town, call["id"])).json()
    second = await desk.apply(town, call["id"])
    assert (second.status_code, codes(second.json())) == (409, {"already-applied"})
    change = {"answers": {"motivation": "To learn more.", "theme": "finance"}}
    replaced = await desk.ok("PUT", f"/applications/{first['id']}", town.headers, change)
    assert (replaced["id"], replaced["revision"]) == (first["id"], 2)
    assert replaced["digest"] != first["digest"]
    await desk.ok("POST", f"/applications/{first['id']}/withdrawal", town.headers)
    again = await desk.apply(town, call["id"])
    assert (again.status_code, again.json()["id"], again.json()["revision"]) == (201, first["id"], 3)

    async def told() -> Any:
        events = await desk.told("selection.applications", first["id"])
        return events if len(events) == 4 else None

    events = await eventually(told, "all four steps are told")
    assert [type(event) for event in events] == [
        facts.ApplicationSubmitted,
        facts.ApplicationSubmitted,
        facts.ApplicationWithdrawn,
        facts.ApplicationSubmitted,
    ]
    assert events[1].answers == {"theme": "finance"}, "free text stays here, what rules look at is told"


async def test_two_at_once_become_one_application(desk: Desk) -> None:

    call = await desk.published(desk.manager())
    (town,) = await desk.towns("PT")
    answers = await asyncio.gather(*(desk.apply(town, call["id"]) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409, 409]


async def test_many_that_apply_at_once_do_not_collide(desk: Desk, stack: LocalStack) -> None:
    """Cities share a gate; on a busy machine those who collide at it again and again would be turned away."""
    call = await desk.published(desk.manager())
    towns = await desk.towns(*["PT"] * 2 * GATES)
    with MongoClient[dict[str, Any]](stack.mongo.admin_url) as admin:
        before = admin.admin.command("serverStatus")["transactions"]["totalAborted"]
        answers = await asyncio.gather(*(desk.apply(town, call["id"]) for town in towns))
        aborted = admin.admin.command("serverStatus")["transactions"]["totalAborted"] - before
    assert [answer.status_code for answer in answers] == [201] * len(towns)
    assert aborted == 0


async def test_a_repeated_request_gets_its_first_answer(desk: Desk) -> None:
    call = await desk.published(desk.manager())
    (town,) = await desk.towns("PT")
    (outside,) = await desk.towns("CH")
    for one, status in ((town, 201), (outside, 403)):
        one.headers["Idempotency-Key"] = new_id("key")
        first, second = await desk.apply(one, call["id"]), await desk.apply(one, call["id"])
        assert (first.status_code, second.status_code) == (status, status)
        assert {**first.json(), "trace_id": None} == {**second.json(), "trace_id": None}


async def test_form_mistakes_are_named_with_their_fields_and_are_no_refusal(desk: Desk) -> None:
    call = await desk.published(desk.manager())
    (town,) = await desk.towns("PT")
    (stranger,) = await desk.towns("PT")
    answer = await desk.apply(
        town,
        call["id"],
        answers={"theme": "football", "motto": "x", "motivation": ""},
        preferences=[new_id("hst")],
        representatives=[town.person, stranger.person, new_id("prs")],
    )
    assert answer.status_code == 422
    found = {(error["code"], error["field"]) for error in answer.json()["errors"]}
    assert found == {
        ("answer-not-offered", "answers.theme"),
        ("field-unknown", "answers.motto"),
        ("answer-missing", "answers.motivation"),
        ("host-unknown", "preferences.0"),
        ("preferences-too-many", "preferences"),
        ("representatives-too-many", "representatives"),
        ("representative-not-member", "representatives.1"),
        ("representative-not-member", "representatives.2"),
    }
    problem = await desk.apply(town, call["id"], surprise=1)
    assert problem.status_code == 422


async def test_the_time_of_arrival_decides_and_the_window_opens_and_closes_once(desk: Desk, settings_for: Any) -> None:
    manager = desk.manager()
    rules = desk.rules()
    drafted = await desk.ok("POST", "/calls", manager, desk.call(), status=201)
    await desk.ok("POST", f"/calls/{drafted['id']}/publication", manager)
    call = await desk.phase(drafted["id"], "application")
    closes = desk.now.fromisoformat(rules["window"]["closes"]["local"] + "+00:00")
    early, in_time, late = await desk.towns("PT", "PT", "PT")
    early.headers |= desk.arrived(desk.now - timedelta(days=2))
    in_time.headers |= desk.arrived(closes)
    late.headers |= desk.arrived(closes + timedelta(milliseconds=1))
    second = create_app(settings_for("cohort-selection", 1, clock_file=desk.clock_file))
    async with serving(second):
        assert codes((await desk.apply(early, call["id"])).json()) == {"not-open-yet"}
        answer = await desk.apply(late, call["id"])
        assert (answer.status_code, codes(answer.json())) == (409, {"too-late"})
        await desk.move_clock(timedelta(days=10, seconds=30))
        answer = await desk.apply(in_time, call["id"])
        assert answer.status_code == 201, "it had arrived in time, whenever it is worked on"
        (forged,) = await desk.towns("PT")
        forged.headers["mission-arrival"] = f"{closes.isoformat()};{'0' * 64}"
        assert codes((await desk.apply(forged, call["id"])).json()) == {"too-late"}
        await desk.close(call["id"])
    (lost,) = await desk.towns("PT")
    lost.headers |= desk.arrived(closes)
    answer = await desk.apply(lost, call["id"])
    assert codes(answer.json()) == {"intake-closed"}, "the set of submissions is definite"
    change = {"answers": {"motivation": "Later."}}
    mine = answer.json()
    own = (await desk.ok("GET", "/applications", in_time.headers))["items"][0]["id"]
    plain = {"Authorization": in_time.headers["Authorization"]}
    problem = await desk.refused("PUT", f"/applications/{own}", plain, change, status=409, code="application-refused")
    assert codes(problem) == {"too-late"}
    assert mine["params"]["refusal_id"] != problem["params"]["refusal_id"]

    async def phases() -> Any:
        told = await desk.told("selection.calls", call["id"])
        changes = [(e.previous, e.current) for e in told if isinstance(e, facts.CallPhaseChanged)]
        return changes if len(changes) >= 2 else None

    assert await eventually(phases, "both phases are told") == [("announced", "application"), ("application", "review")]


async def test_nobody_else_reads_or_touches_an_application(desk: Desk) -> None:
    call = await desk.published(desk.manager())
    mine, other = await desk.towns("PT", "PT")
    application = (await desk.apply(mine, call["id"])).json()["id"]
    path = f"/applications/{application}"
    elsewhere = desk.tokens.bearer(new_id("prs"), roles=["editor", "reviewer"])
    for headers in (other.headers, elsewhere):
        await desk.refused("GET", path, headers, status=404, code="application-not-found")
        await desk.refused("POST", f"{path}/withdrawal", headers, status=404, code="application-not-found")
        await desk.refused("PUT", path, headers, {"answers": {}}, status=404, code="application-not-found")
    await desk.refused("GET", path, None, status=401, code="not-signed-in")
    await desk.refused("GET", f"/calls/{call['id']}/applications", other.headers, status=403, code="forbidden")
    body = {"city_id": mine.id, "answers": {"motivation": "Stolen."}}
    await desk.refused("POST", f"/calls/{call['id']}/applications", other.headers, body, status=403, code="forbidden")
    assert (await desk.ok("GET", path, mine.headers))["answers"]["motivation"] == "To learn."
    unknown = desk.tokens.bearer(new_id("prs"), cities=["city_" + "0" * 32])
    body = {"city_id": "city_" + "0" * 32, "answers": {"motivation": "x"}}
    await desk.refused("POST", f"/calls/{call['id']}/applications", unknown, body, status=409, code="not-yet-known")
