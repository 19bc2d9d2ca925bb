"""Calls on the real stack: contradictions refused, rules frozen, amendments that disadvantage nobody."""

from copy import deepcopy
from datetime import timedelta
from typing import Any

import pytest

from contracts import cohort_selection as facts
from shared.identity import Grant
from shared.ids import new_id
from shared.testing import eventually
from tests.service.cohort_selection.desk import Desk, codes, en, moment


async def test_contradictory_rules_are_refused_with_every_field_and_reason(desk: Desk) -> None:
    call = desk.call(
        window={"opens": moment(desk.now + timedelta(days=2)), "closes": moment(desk.now + timedelta(days=1))},
        criteria=[
            {"code": "ambition", "label": en("A"), "weight": 60},
            {"code": "ambition", "label": en("A"), "weight": 60, "lowest": 5, "highest": 5},
        ],
        quotas=[
            {"code": "q1", "attribute": "country", "minimum": 4},
            {"code": "q2", "attribute": "size-band", "values": ["huge"], "maximum": 1},
            {"code": "q3", "attribute": "answer.motivation", "maximum": 1},
            {"code": "q4", "attribute": "country", "minimum": 2, "maximum": 1},
            {"code": "q5", "attribute": "colour", "maximum": 1},
        ],
        hosts=[{"cities": [new_id("city")], "title": en("Unknown"), "at_most": 1}],
    )
    call["rules"]["eligibility"] += [
        {"code": "odd", "kind": "moon-phase", "sentence": en("?")},
        {"code": "which", "kind": "country-status", "values": ["galactic"], "sentence": en("?")},
    ]
    problem = await desk.refused("POST", "/calls", desk.manager(), call, status=422, code="invalid")
    found = {(error["code"], error["field"]) for error in problem["errors"]}
    assert found == {
        ("window-reversed", "rules.window.closes"),
        ("code-repeated", "rules.criteria.1"),
        ("scale-empty", "rules.criteria.1.highest"),
        ("weights-sum", "rules.criteria"),
        ("quota-above-places", "rules.quotas.0.minimum"),
        ("attribute-empty", "rules.quotas.1.attribute"),
        ("field-unknown", "rules.quotas.2.attribute"),
        ("limits-crossed", "rules.quotas.3.maximum"),
        ("attribute-unknown", "rules.quotas.4.attribute"),
        ("matching-mismatch", "rules.matching"),
        ("hosts-below-places", "rules.hosts"),
        ("city-unknown", "rules.hosts.0.cities.0"),
        ("kind-unknown", "rules.eligibility.3.kind"),
        ("value-unknown", "rules.eligibility.4.values"),
    }


@pytest.mark.parametrize(
    ("local", "zone", "code"),
    [
        ("2027-03-28T02:30:00", "Europe/Brussels", "moment-skipped"),
        ("2027-10-31T02:30:00", "Europe/Brussels", "moment-ambiguous"),
        ("2027-10-01T12:00:00", "Europe/Atlantis", "zone-unknown"),
    ],
)
async def test_windows_do_not_end_in_a_clock_change_or_nowhere(desk: Desk, local: str, zone: str, code: str) -> None:
    call = desk.call(window={"opens": moment(desk.now), "closes": {"local": local, "zone": zone}})
    problem = await desk.refused("POST", "/calls", desk.manager(), call, status=422, code="invalid")
    assert {(error["code"], error["field"]) for error in problem["errors"]} == {(code, "rules.window.closes")}


async def test_drafts_are_their_managers_and_published_calls_everybodys(desk: Desk) -> None:
    manager = desk.manager(Grant("programme-manager", "programme", "twinning"))
    elsewhere = desk.manager(Grant("programme-manager", "programme", "study-visits"))
    await desk.refused("POST", "/calls", elsewhere, desk.call(), status=403, code="forbidden")
    (town,) = await desk.towns("PT")
    await desk.refused("POST", "/calls", town.headers, desk.call(), status=403, code="forbidden")
    draft = await desk.ok("POST", "/calls", manager, desk.call(), status=201)
    path = f"/calls/{draft['id']}"
    for headers in (None, town.headers, elsewhere):
        await desk.refused("GET", path, headers, status=404, code="call-not-found")
    drafts = [one["id"] for one in (await desk.ok("GET", "/calls/drafts", manager))["items"]]
    assert draft["id"] in drafts
    assert draft["id"] not in [one["id"] for one in (await desk.ok("GET", "/calls/drafts", elsewhere))["items"]]
    await desk.ok("PUT", path, manager, desk.call(places=5))
    await desk.refused("POST", f"{path}/publication", elsewhere, status=404, code="call-not-found")
    await desk.ok("POST", f"{path}/publication", manager)
    assert (await desk.ok("GET", path))["places"] == 5
    listed = (await desk.ok("GET", "/calls?programme=twinning&limit=200"))["items"]
    assert draft["id"] in [one["id"] for one in listed]
    await desk.refused("PUT", path, manager, desk.call(), status=409, code="published-already")
    await desk.refused("POST", f"{path}/publication", manager, status=409, code="wrong-state")


async def test_a_window_in_the_past_is_not_published(desk: Desk) -> None:
    window = {"opens": moment(desk.now - timedelta(days=3)), "closes": moment(desk.now - timedelta(days=1))}
    draft = await desk.ok("POST", "/calls", manager := desk.manager(), desk.call(window=window), status=201)
    problem = await desk.refused("POST", f"/calls/{draft['id']}/publication", manager, status=422, code="invalid")
    assert codes(problem) == {"window-past"}


async def test_an_extension_is_taken_and_what_could_disadvantage_is_refused(desk: Desk) -> None:
    manager = desk.manager()
    call = await desk.published(manager)
    path = f"/calls/{call['id']}"
    (town,) = await desk.towns("PT")
    await desk.applied([town], call["id"])
    worse: dict[str, Any] = deepcopy(desk.rules())
    worse["window"] = {
        name: {k: call["rules"]["window"][name][k] for k in ("local", "zone")} for name in ("opens", "closes")
    }
    worse |= {"places": 2, "quotas": [], "offers": {"days": 3}}
    worse["criteria"] = [{"code": "ambition", "label": en("Ambition"), "weight": 100}]
    worse["eligibility"][0]["values"] = ["eu"]
    problem = await desk.refused(
        "POST",
        f"{path}/amendments",
        manager,
        {"reason": en("Simpler."), "rules": worse},
        status=409,
        code="could-disadvantage",
    )
    assert {error["field"] for error in problem["errors"]} == {
        "rules.places",
        "rules.quotas",
        "rules.offers",
        "rules.criteria",
        "rules.eligibility",
    }
    sooner = {"reason": en("Hurry."), "closes": moment(desk.now + timedelta(days=1))}
    await desk.refused("POST", f"{path}/amendments", manager, sooner, status=409, code="could-disadvantage")
    later = {"reason": en("More time was asked for."), "closes": moment(desk.now + timedelta(days=20))}
    amended = await desk.ok("POST", f"{path}/amendments", manager, later)
    assert amended["rules_version"] == 2
    versions = await desk.ok("GET", f"{path}/versions")
    assert [(one["version"], one["changed"]) for one in versions] == [(1, []), (2, ["window"])]

    await desk.move_clock(timedelta(days=11))
    (another,) = await desk.towns("DE")
    assert (await desk.apply(another, call["id"])).status_code == 201, "the window was extended"
    await desk.close(call["id"])
    too_late = {"reason": en("Again."), "closes": moment(desk.now + timedelta(days=20))}
    await desk.refused("POST", f"{path}/amendments", manager, too_late, status=409, code="could-disadvantage")

    async def told() -> Any:
        events = await desk.told("selection.calls", call["id"])
        return [e for e in events if isinstance(e, facts.CallAmended)]

    (event,) = await eventually(told, "the amendment is told")
    assert (event.rules.version, event.reason["en"].text) == (2, "More time was asked for.")


async def test_a_cancelled_call_takes_nothing(desk: Desk) -> None:
    manager = desk.manager()
    call = await desk.published(manager)
    await desk.ok("POST", f"/calls/{call['id']}/cancellation", manager)
    (town,) = await desk.towns("PT")
    assert codes((await desk.apply(town, call["id"])).json()) == {"call-cancelled"}
    await desk.refused("POST", f"/calls/{call['id']}/decisions", manager, {}, status=409, code="not-decidable")
