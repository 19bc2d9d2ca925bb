"""Deciding on the real stack: the engine computes, two people decide, and merges and erasures reach everything."""

from typing import Any

from contracts import cohort_selection as facts
from contracts import registration
from shared.testing import eventually
from tests.service.cohort_selection.desk import Desk, codes


async def test_two_people_decide_and_trials_decide_nothing(desk: Desk) -> None:
    manager, second = desk.manager(), desk.manager()
    call = await desk.published(manager, places=1, reserve=1)
    towns = await desk.towns("PT", "DE", "SE")
    ids = list((await desk.applied(towns, call["id"])).values())
    await desk.close(call["id"])
    await desk.score(call["id"], manager, dict(zip(ids, (5, 4, 3), strict=True)))
    path = f"/calls/{call['id']}/decisions"
    trial = await desk.ok("POST", path, manager, {"what_if": {"places": 2}}, status=201)
    assert trial["result"]["selected"] == ids[:2]
    await desk.refused("POST", f"/decisions/{trial['id']}/proposal", manager, status=409, code="what-if")
    wrong = {"what_if": {"weights": {"ambition": 90, "charm": 10}}}
    problem = await desk.refused("POST", path, manager, wrong, status=422, code="invalid")
    assert codes(problem) == {"criterion-unknown", "weights-sum"}

    first = await desk.ok("POST", path, manager, {}, status=201)
    again = await desk.ok("POST", path, manager, {}, status=201)
    assert (again["seed"], again["inputs"], again["digest"]) == (first["seed"], first["inputs"], first["digest"])
    history = {one["id"]: one["state"] for one in (await desk.ok("GET", path, manager))["items"]}
    assert history == {trial["id"]: "computed", first["id"]: "superseded", again["id"]: "computed"}
    at = f"/decisions/{again['id']}"
    await desk.refused("GET", f"/calls/{call['id']}/decision", status=404, code="decision-not-found")
    await desk.refused("POST", f"{at}/approval", second, status=409, code="wrong-state")
    await desk.refused("POST", f"{at}/publication", manager, status=409, code="wrong-state")
    await desk.ok("POST", f"{at}/proposal", manager)
    await desk.refused("POST", f"{at}/approval", manager, status=403, code="forbidden")
    await desk.ok("POST", f"{at}/approval", second)
    await desk.ok("POST", f"{at}/publication", manager)
    await desk.refused("POST", path, manager, {}, status=409, code="not-decidable")
    await desk.refused("GET", at, towns[0].headers, status=403, code="forbidden")

    async def told() -> Any:
        events = await desk.told("selection.decisions", again["id"])
        return [type(event) for event in events] if len(events) == 4 else None

    assert await eventually(told, "every step is told") == [
        facts.DecisionComputed,
        facts.DecisionProposed,
        facts.DecisionApproved,
        facts.DecisionPublished,
    ]
    for town, id, outcome in zip(towns, ids, ("selected", "reserve", "not-selected"), strict=True):
        shown = await desk.ok("GET", f"/applications/{id}", town.headers)
        assert shown["outcome"] == outcome
        (event,) = [e for e in await desk.told("selection.applications", id) if isinstance(e, facts.ApplicationDecided)]
        assert (event.outcome, event.score) == (outcome, shown["score"])


async def test_an_adjustment_needs_a_second_person_and_names_the_quota_that_it_overrides(desk: Desk) -> None:
    manager, second = desk.manager(), desk.manager()
    quota = {"code": "per-country", "attribute": "country", "maximum": 1}
    call = await desk.published(manager, places=2, reserve=1, quotas=[quota])
    towns = await desk.towns("PT", "PT", "DE")
    ids = list((await desk.applied(towns, call["id"])).values())
    await desk.close(call["id"])
    await desk.score(call["id"], manager, dict(zip(ids, (5, 4, 3), strict=True)))
    decision = await desk.ok("POST", f"/calls/{call['id']}/decisions", manager, {}, status=201)
    assert decision["result"]["selected"] == [ids[0], ids[2]]
    at = f"/decisions/{decision['id']}"
    for id in ids[:2]:
        wanted = {"application_id": id, "what": "include", "why": "late-evidence"}
        await desk.ok("POST", f"{at}/adjustments", manager, wanted, status=201)
        await desk.refused("POST", f"{at}/adjustments/{id}/agreement", manager, status=403, code="forbidden")
        await desk.refused("POST", f"{at}/proposal", manager, status=409, code="adjustment-open")
        await desk.ok("POST", f"{at}/adjustments/{id}/agreement", second)
    adjusted = await desk.ok("POST", f"{at}/proposal", manager)
    assert adjusted["result"]["selected"] == ids[:2]
    overridden = [(q["value"], q["selected"]) for q in adjusted["result"]["quotas"] if q["overridden"]]
    assert overridden == [("PT", 2)]
    assert [one["what"] for one in adjusted["result"]["adjustments"]] == ["include", "include"]


async def test_quotas_that_cannot_be_kept_are_named(desk: Desk) -> None:
    manager = desk.manager()
    quotas = [
        {"code": "north", "attribute": "country", "values": ["SE", "NO"], "minimum": 2},
        {"code": "small", "attribute": "size-band", "values": ["small"], "minimum": 1},
    ]
    bands = [{"code": "small", "below_inhabitants": 10_000}, {"code": "other", "from_inhabitants": 10_000}]
    call = await desk.published(manager, quotas=quotas, size_bands=bands)
    towns = [*await desk.towns("SE", "PT"), *await desk.towns("PT", inhabitants=5000)]
    ids = await desk.applied(towns, call["id"])
    await desk.close(call["id"])
    await desk.score(call["id"], manager, dict.fromkeys(ids.values(), 3))
    path = f"/calls/{call['id']}/decisions"
    problem = await desk.refused("POST", path, manager, {}, status=409, code="quotas-infeasible")
    assert [error["params"]["quota"] for error in problem["errors"]] == ["north"]
    await desk.phase(call["id"], "review")


async def test_what_was_decided_on_must_still_be_so(desk: Desk) -> None:
    manager = desk.manager()
    call = await desk.published(manager, places=1, reserve=1)
    towns = await desk.towns("PT", "DE")
    ids = list((await desk.applied(towns, call["id"])).values())
    await desk.close(call["id"])
    await desk.score(call["id"], manager, dict(zip(ids, (5, 4), strict=True)))
    decision = await desk.ok("POST", f"/calls/{call['id']}/decisions", manager, {}, status=201)
    await desk.ok("POST", f"/applications/{ids[0]}/withdrawal", towns[0].headers)
    await desk.refused("POST", f"/decisions/{decision['id']}/proposal", manager, status=409, code="decision-outdated")
    assert (await desk.decided(call["id"], manager))["result"]["selected"] == [ids[1]]


async def test_a_merged_city_and_an_erased_person_are_followed(desk: Desk) -> None:
    manager = desk.manager()
    call = await desk.published(manager)
    gone, stays, both = await desk.towns("PT", "PT", "PT")
    ids = await desk.applied([gone, both], call["id"])
    await desk.topics.publish(
        registration.CityMerged(city_id=gone.id, into_city_id=stays.id),
        registration.PersonErased(person_id=gone.person),
    )

    async def followed() -> Any:
        items = (await desk.ok("GET", "/applications", stays.headers))["items"]
        if not items:
            return None
        shown = await desk.ok("GET", f"/applications/{items[0]['id']}", stays.headers)
        return shown if shown["representatives"] == [] else None

    shown = await eventually(followed, "the application is the other city's, without the person")
    assert (shown["id"], shown["city_id"]) == (ids[gone.id], stays.id)
    answer = await desk.apply(stays, call["id"])
    assert codes(answer.json()) == {"already-applied"}
    await desk.topics.publish(registration.CityMerged(city_id=both.id, into_city_id=stays.id), actor=desk.reviewer()[0])

    async def withdrawn() -> Any:
        items = (await desk.ok("GET", f"/calls/{call['id']}/applications?state=withdrawn", manager))["items"]
        return [one["id"] for one in items]

    assert await eventually(withdrawn, "one city has one application") == [ids[both.id]]
