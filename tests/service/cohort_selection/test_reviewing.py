"""Reviewing on the real stack: only who is assigned, without ties, within the scales."""

from typing import Any

from contracts import cohort_selection as facts
from contracts.registration import Evidence, MembershipApproved
from services.cohort_selection.store import MEMBERS
from shared.identity import Grant
from shared.ids import new_id
from shared.testing import eventually
from tests.service.cohort_selection.desk import Desk, codes


def scored(application: str, ambition: int = 4, capacity: int = 3) -> dict[str, Any]:
    """Scores of one application."""
    return {"application_id": application, "scores": {"ambition": ambition, "capacity": capacity}}


async def test_ties_of_city_and_country_are_refused(desk: Desk) -> None:
    manager = desk.manager()
    call = await desk.published(manager)
    path = f"/calls/{call['id']}"
    lisbon, porto, bonn = await desk.towns("PT", "PT", "DE")
    ids = await desk.applied([lisbon, porto, bonn], call["id"])
    pairs = {"assignments": [{"application_id": id, "reviewer": lisbon.person} for id in ids.values()]}
    await desk.refused("POST", f"{path}/reviews", manager, pairs, status=409, code="not-in-review")
    await desk.close(call["id"])
    problem = await desk.refused("POST", f"{path}/reviews", manager, pairs, status=409, code="assignment-refused")
    assert [(error["field"], error["params"]["tie"]) for error in problem["errors"]] == [
        ("assignments.0", "own-city"),
        ("assignments.1", "own-country"),
    ]

    reviewer, headers = desk.reviewer(porto.id)
    pairs = {"assignments": [{"application_id": id, "reviewer": reviewer} for id in ids.values()]}
    await desk.ok("POST", f"{path}/reviews", manager, pairs, status=201)
    tied = {"reviews": [scored(ids[lisbon.id]), scored(ids[bonn.id])]}
    problem = await desk.refused("PUT", f"{path}/scores", headers, tied, status=403, code="conflict-of-interest")
    assert codes(problem) == {"conflict-of-interest"}, "the token says what the projection has not heard of yet"
    progress = await desk.ok("GET", f"{path}/reviews/progress", manager)
    assert (progress["conflicted"], progress["recorded"]) == (1, 0)
    own = [task["review"]["application_id"] for task in (await desk.ok("GET", "/reviews", headers))["items"]]
    assert own == [ids[porto.id], ids[bonn.id]], "another reviewer is needed for the tied one"
    await desk.ok("PUT", f"{path}/scores", headers, {"reviews": [scored(ids[bonn.id])]})


async def test_a_tie_that_came_later_is_found_too(desk: Desk) -> None:
    manager = desk.manager()
    call = await desk.published(manager)
    (town,) = await desk.towns("PT")
    ids = await desk.applied([town], call["id"])
    await desk.close(call["id"])
    reviewer, headers = desk.reviewer()
    pairs = {"assignments": [{"application_id": ids[town.id], "reviewer": reviewer}]}
    (assigned,) = (await desk.ok("POST", f"/calls/{call['id']}/reviews", manager, pairs, status=201))["assigned"]
    await desk.topics.publish(
        MembershipApproved(
            membership_id=new_id("mem"),
            city_id=town.id,
            person_id=reviewer,
            role="expert",
            approved_by=None,
            evidence=Evidence(kind="colleague"),
        )
    )

    async def member() -> int:
        return await desk.service.store.count(MEMBERS, {"person_id": reviewer})

    await eventually(member, "the membership is known")
    body = {"scores": {"ambition": 1, "capacity": 1}}
    await desk.refused("PUT", f"/reviews/{assigned['id']}", headers, body, status=403, code="conflict-of-interest")


async def test_only_the_assigned_score_within_the_scales_and_once(desk: Desk) -> None:
    manager = desk.manager()
    call = await desk.published(manager)
    path = f"/calls/{call['id']}"
    first, second = await desk.towns("PT", "DE")
    ids = await desk.applied([first, second], call["id"])
    await desk.close(call["id"])
    reviewer, headers = desk.reviewer()
    _, other = desk.reviewer()
    mine = {"assignments": [{"application_id": ids[first.id], "reviewer": reviewer}]}
    (review,) = (await desk.ok("POST", f"{path}/reviews", manager, mine, status=201))["assigned"]
    await desk.refused("POST", f"{path}/reviews", manager, mine, status=409, code="assignment-refused")
    unknown = {"assignments": [{"application_id": new_id("app"), "reviewer": reviewer}]}
    await desk.refused("POST", f"{path}/reviews", manager, unknown, status=422, code="assignment-refused")

    await desk.refused(
        "PUT", f"{path}/scores", other, {"reviews": [scored(ids[first.id])]}, status=403, code="not-assigned"
    )
    await desk.refused("GET", f"/reviews/{review['id']}", other, status=404, code="review-not-found")
    elsewhere = desk.tokens.bearer(reviewer, roles=[Grant("reviewer", "call", new_id("call"))])
    await desk.refused(
        "PUT", f"{path}/scores", elsewhere, {"reviews": [scored(ids[first.id])]}, status=403, code="forbidden"
    )
    wrong = {"reviews": [scored(ids[first.id], 6), {**scored(ids[first.id]), "scores": {"charm": 1}}]}
    problem = await desk.refused("PUT", f"{path}/scores", headers, wrong, status=422, code="invalid")
    assert codes(problem) == {"score-off-scale", "review-repeated", "criterion-unknown", "score-missing"}
    task = await desk.ok("GET", f"/reviews/{review['id']}", headers)
    assert task["review"]["state"] == "assigned", "nothing was recorded"
    assert task["answers"]["motivation"] == "To learn."

    for ambition in (2, 5):
        body = {"scores": {"ambition": ambition, "capacity": 3}, "comment": "Not for the city."}
        await desk.ok("PUT", f"/reviews/{review['id']}", headers, body)
    shown = await desk.ok("GET", f"/applications/{ids[first.id]}", first.headers)
    assert "comment" not in str(shown)

    async def told() -> Any:
        events = await desk.told("selection.applications", review["id"])
        return events if len(events) == 2 else None

    records = await eventually(told, "both records are told")
    assert [record.scores["ambition"] for record in records] == [2, 5]
    assert all(isinstance(record, facts.ReviewRecorded) for record in records)
    await desk.refused("POST", f"/reviews/{review['id']}/release", manager, status=409, code="wrong-state")
    progress = await desk.ok("GET", f"{path}/reviews/progress", manager)
    assert [one["application_id"] for one in progress["missing"]] == [ids[second.id]]
    problem = await desk.refused("POST", f"{path}/decisions", manager, {}, status=409, code="reviews-missing")
    assert problem["params"]["missing"] == 1
