"""A whole call on the real stack, from the draft to a cohort that has moved up."""

from datetime import timedelta

from contracts import cohort_selection as facts
from contracts.registration import LinkIssued, TaskClosed, TaskOpened
from shared.ids import new_id
from shared.testing import eventually
from tests.service.cohort_selection.desk import Desk, en


async def test_a_call_runs_from_draft_to_a_cohort_that_moved_up(desk: Desk) -> None:
    manager = desk.manager()
    north, south = await desk.towns("SE", "IT", statuses=["mission-city"])
    hosts = [
        {"cities": [north.id], "title": en("North"), "at_most": 2},
        {"cities": [south.id], "title": en("South"), "at_most": 2},
    ]
    call = await desk.published(
        manager,
        hosts=hosts,
        matching={"preferences_at_most": 2},
        quotas=[{"code": "per-country", "attribute": "country", "maximum": 2}],
    )
    first, second = (host["host_id"] for host in call["rules"]["hosts"])
    towns = await desk.towns("PT", "PT", "PT", "DE", "DE", "NO")
    a, b, c, d, e, f = towns
    wishes = {a.id: [first, second], b.id: [first], c.id: [second], d.id: [first], e.id: [second], f.id: []}
    ids = {}
    for town in towns:
        answer = await desk.apply(town, call["id"], preferences=wishes[town.id])
        assert answer.status_code == 201
        ids[town.id] = answer.json()["id"]
        assert answer.json()["digest"].startswith("sha256:")

    await desk.close(call["id"])
    scores = dict(zip(ids.values(), (5, 5, 4, 3, 2, 1), strict=True))
    await desk.score(call["id"], manager, scores)
    ranked = await desk.ok("GET", f"/calls/{call['id']}/hosts/{first}/candidates", north.headers)
    assert {one["city_id"] for one in ranked["items"]} == {a.id, b.id, d.id, f.id}, "those who accept the host"
    wanted = {"applications": [ids[d.id], ids[b.id], ids[a.id]]}
    await desk.ok("PUT", f"/calls/{call['id']}/hosts/{first}/preferences", north.headers, wanted)

    decision = await desk.decided(call["id"], manager)
    assert set(decision["result"]["selected"]) == {ids[a.id], ids[b.id], ids[d.id]}, "two of one country at most"
    found = {match["city_id"]: match["host_id"] for match in decision["result"]["matches"]}
    assert found == {d.id: first, b.id: first, a.id: second}, "the first host wants the others more than its best"
    waiting = await desk.ok("GET", f"/applications/{ids[c.id]}", c.headers)
    assert (waiting["outcome"], waiting["reserve_rank"]) == ("reserve", 1)
    assert waiting["reasons"] == [
        {"code": "quota", "params": {"quota": "per-country", "side": "maximum", "value": "PT"}}
    ]

    offered = await desk.participation(d)
    await desk.ok("POST", f"/participations/{offered['id']}/acceptance", d.headers)
    for town in (a, b):
        offer = await desk.participation(town)
        await desk.ok("POST", f"/participations/{offer['id']}/decline", town.headers)

    moved = await desk.participation(c)
    assert (moved["host_id"], moved["from_reserve"]) == (second, True)
    public = await desk.ok("GET", f"/calls/{call['id']}/decision")
    assert {place["city_id"] for place in public["announced"]} == {a.id, b.id, d.id}
    assert {place["city_id"] for place in public["now"] if place["state"] in ("offered", "accepted")} >= {c.id, d.id}
    in_now = [place for place in public["now"] if place["state"] in ("offered", "accepted")]
    assert len(in_now) <= call["rules"]["places"]


async def test_study_visit_places_go_by_selection(desk: Desk) -> None:
    manager = desk.manager()
    (visited,) = await desk.towns("SE", statuses=["mission-city"])
    session = new_id("ses")
    host = {"cities": [visited.id], "title": en("Visit"), "at_most": 1, "session_id": session}
    call = await desk.published(manager, hosts=[host], matching={}, places=1, reserve=1)
    first, second = await desk.towns("PT", "DE")
    ids = await desk.applied([first, second], call["id"])
    await desk.close(call["id"])
    await desk.score(call["id"], manager, {ids[first.id]: 5, ids[second.id]: 4})
    await desk.decided(call["id"], manager)

    offer = await desk.participation(first)
    assert offer["session_id"] == session
    await desk.ok("POST", f"/participations/{offer['id']}/acceptance", first.headers)
    await desk.ok("POST", f"/participations/{offer['id']}/withdrawal", first.headers, {"reason": "lack-of-staff"})
    moved = await desk.participation(second)
    await desk.ok("POST", f"/participations/{moved['id']}/acceptance", second.headers)

    async def granted() -> bool:
        told = await desk.told("selection.participations", offer["id"], moved["id"])
        return sum(isinstance(event, facts.PlaceGranted) for event in told) == 2

    await eventually(granted, "both places were granted")
    told = await desk.told("selection.participations", offer["id"])
    assert [type(event) for event in told] == [
        facts.ParticipationOffered,
        facts.ParticipationAccepted,
        facts.PlaceGranted,
        facts.ParticipationWithdrawn,
        facts.PlaceReleased,
        facts.ParticipationReplaced,
    ]
    grant = next(event for event in told if isinstance(event, facts.PlaceGranted))
    assert (grant.session_id, grant.places, grant.persons) == (session, 1, (first.person,))
    assert told[-1].replaced_by == moved["id"]  # type: ignore[attr-defined]  # a ParticipationReplaced


async def test_an_offer_can_be_answered_by_mail_and_ends_by_itself(desk: Desk) -> None:
    manager = desk.manager()
    call = await desk.published(manager, places=2, reserve=1)
    towns = await desk.towns("PT", "DE", "SE")
    ids = await desk.applied(towns, call["id"])
    await desk.close(call["id"])
    await desk.score(call["id"], manager, dict(zip(ids.values(), (5, 4, 3), strict=True)))
    await desk.decided(call["id"], manager)
    first, second, third = towns
    offer, silent = await desk.participation(first), await desk.participation(second)

    async def mailed() -> LinkIssued | None:
        issued = [one.event for one in await desk.topics.read("registration.links")]
        mine = [one for one in issued if isinstance(one, LinkIssued) and one.person_id == first.person]
        return mine[0] if mine else None

    link = await eventually(mailed, "the link is on its way")
    assert link.about == offer["id"]
    page = await desk.client.get(link.path, headers={"accept": "text/html", "accept-language": "pt"})
    assert "Programa de Geminação" in page.text
    assert (await desk.participation(first))["state"] == "offered", "opening a link decides nothing"
    await desk.ok("POST", f"{link.path}?choice=accept")
    assert (await desk.participation(first, "accepted"))["id"] == offer["id"]

    await desk.move_clock(timedelta(days=15))
    assert (await desk.participation(third))["from_reserve"]
    problem = await desk.refused(
        "POST", f"/participations/{silent['id']}/acceptance", second.headers, status=409, code="wrong-state"
    )
    assert problem["params"]["present"] == "replaced"

    async def closed() -> bool:
        tasks = [one.event for one in await desk.topics.read("city.tasks")]
        opened = {t.city_id for t in tasks if isinstance(t, TaskOpened)}
        outcomes = {t.city_id: t.outcome for t in tasks if isinstance(t, TaskClosed)}
        ours = {first.id: "done", second.id: "expired"}
        return {first.id, second.id, third.id} <= opened and ours.items() <= outcomes.items()

    await eventually(closed, "tasks were opened and closed")


async def test_an_answer_can_be_changed_while_the_place_is_free(desk: Desk) -> None:
    manager = desk.manager()
    call = await desk.published(manager, places=1, reserve=0)
    (town,) = await desk.towns("PT")
    ids = await desk.applied([town], call["id"])
    await desk.close(call["id"])
    await desk.score(call["id"], manager, {ids[town.id]: 3})
    await desk.decided(call["id"], manager)
    path = f"/participations/{(await desk.participation(town))['id']}"
    await desk.ok("POST", f"{path}/decline", town.headers)
    assert (await desk.ok("POST", f"{path}/acceptance", town.headers))["state"] == "accepted"
    assert (await desk.ok("POST", f"{path}/decline", town.headers))["state"] == "declined"


async def test_a_manager_fills_places_where_the_rules_leave_it_to_people(desk: Desk) -> None:
    manager = desk.manager()
    call = await desk.published(manager, places=1, reserve=1, offers={"days": 14, "refill": False})
    path = f"/calls/{call['id']}/refill"
    first, second = await desk.towns("PT", "DE")
    ids = await desk.applied([first, second], call["id"])
    await desk.refused("POST", path, manager, status=409, code="not-decided")
    await desk.close(call["id"])
    await desk.score(call["id"], manager, {ids[first.id]: 5, ids[second.id]: 4})
    await desk.decided(call["id"], manager)
    assert await desk.ok("POST", path, manager) == [], "no place is free"
    offer = await desk.participation(first)
    await desk.ok("POST", f"/participations/{offer['id']}/decline", first.headers)
    (moved,) = await desk.ok("POST", path, manager)
    assert (moved["city_id"], moved["from_reserve"]) == (second.id, True)
