"""A call from its draft to its cohort."""

from collections.abc import Mapping
from typing import Any

from tests.e2e.forms import application, call, moment, text
from tests.e2e.happy_paths.world import World
from tests.e2e.people import Person
from tests.e2e.running import eventually


def path(**parameters: str) -> dict[str, Any]:
    """Where several calls go."""
    return parameters


def walk(world: World) -> None:
    """Everything that concerns calls, applications, reviews, decisions and participations."""
    towns = dict(world.officer(name) for name in ("Lamego", "Tomar", "Mafra", "Chaves"))
    host = world.city
    id = _call(world, host)
    applied = _apply(world, id, towns)
    world.platform.run("clock", "forward", "12d")
    eventually(lambda: world.api.do("GET /calls/{call_id}", call_id=id)["state"] == "review", "the call has closed")
    _review(world, id, list(applied))
    _decide(world, id, list(applied))
    _answer(world, id, applied)


def _call(world: World, host: str) -> str:
    """A call that takes applications."""
    api, manager = world.api, world.people["programme-manager"]
    id = str(api.do("POST /calls", manager, call([host]))["id"])
    api.do("GET /calls/drafts", manager)
    api.do("PUT /calls/{call_id}", manager, call([host], reserve=1), call_id=id)
    given_up = api.do("POST /calls", manager, call([host]))["id"]
    for each in (id, given_up):
        api.do("POST /calls/{call_id}/publication", manager, call_id=each)
    api.do("POST /calls/{call_id}/cancellation", manager, call_id=given_up)
    api.do("GET /calls")
    eventually(lambda: api.do("GET /calls/{call_id}", call_id=id)["state"] == "application", "the call is open")
    longer = {"reason": text("More time for all."), "closes": moment(days=11)}
    api.do("POST /calls/{call_id}/amendments", manager, longer, call_id=id)
    api.do("GET /calls/{call_id}/versions", call_id=id)
    return id


def _apply(world: World, id: str, towns: Mapping[Person, str]) -> dict[str, Person]:
    """The applications of three cities, with who submitted them; a fourth takes its own back."""
    api = world.api
    applied: dict[str, Person] = {}
    for person, city in towns.items():
        api.do("POST /calls/{call_id}/eligibility", person, {"city_id": city}, call_id=id)
        mine = api.do("POST /calls/{call_id}/applications", person, application(city), call_id=id)["id"]
        applied[mine] = person
    api.do("GET /applications", person)
    api.do("GET /applications/{application_id}", person, application_id=mine)
    better = {"answers": {"motivation": "To learn from a Mission City."}}
    api.do("PUT /applications/{application_id}", person, better, application_id=mine)
    api.do("POST /applications/{application_id}/withdrawal", person, application_id=mine)
    del applied[mine]
    return applied


def _review(world: World, id: str, applied: list[str]) -> None:
    api, manager, reviewer = world.api, world.people["programme-manager"], world.people["reviewer"]
    member, at = world.people["member"], path(call_id=id)
    host = at | {"host_id": api.do("GET /calls/{call_id}", **at)["rules"]["hosts"][0]["host_id"]}
    api.do("GET /calls/{call_id}/applications", manager, **at)
    api.do("GET /calls/{call_id}/refusals", manager, **at)
    api.do("GET /calls/{call_id}/hosts/{host_id}/candidates", member, **host)
    api.do("PUT /calls/{call_id}/hosts/{host_id}/preferences", member, {"applications": applied}, **host)

    def pairs(person: Person, ids: list[str]) -> dict[str, Any]:
        return {"assignments": [{"application_id": each, "reviewer": person.id} for each in ids]}

    too_much = api.do("POST /calls/{call_id}/reviews", manager, pairs(world.people["anybody"], applied[:1]), **at)
    api.do("POST /reviews/{review_id}/release", manager, review_id=too_much["assigned"][0]["id"])
    api.do("POST /calls/{call_id}/reviews", manager, pairs(reviewer, applied), **at)
    first, *others = (each["review"] for each in api.do("GET /reviews", reviewer)["items"])
    api.do("GET /reviews/{review_id}", reviewer, review_id=first["id"])
    api.do("PUT /reviews/{review_id}", reviewer, {"scores": {"ambition": 4}}, review_id=first["id"])
    scored = [{"application_id": each["application_id"], "scores": {"ambition": 3}} for each in others]
    api.do("PUT /calls/{call_id}/scores", reviewer, {"reviews": scored}, **at)
    api.do("GET /calls/{call_id}/reviews", manager, **at)
    api.do("GET /calls/{call_id}/reviews/progress", manager, **at)


def _decide(world: World, id: str, applied: list[str]) -> None:
    api, manager = world.api, world.people["programme-manager"]
    second = world.hire("programme-manager", mail="second-manager@mission.example")
    decision = api.do("POST /calls/{call_id}/decisions", manager, {}, call_id=id)
    at = path(decision_id=decision["id"])
    api.do("GET /calls/{call_id}/decisions", manager, call_id=id)
    api.do("GET /decisions/{decision_id}", manager, **at)
    (reserve,) = decision["result"]["reserve"]
    change = {"application_id": reserve, "what": "include", "why": "late-evidence"}
    api.do("POST /decisions/{decision_id}/adjustments", manager, change, **at)
    agreement = "POST /decisions/{decision_id}/adjustments/{application_id}/agreement"
    api.do(agreement, second, **at, application_id=reserve)
    api.do("POST /decisions/{decision_id}/proposal", manager, **at)
    api.do("POST /decisions/{decision_id}/approval", second, **at)
    api.do("POST /decisions/{decision_id}/publication", manager, **at)
    api.do("GET /calls/{call_id}/decision", call_id=id)


def _answer(world: World, id: str, applied: Mapping[str, Person]) -> None:
    """One accepts by the mailed button and completes, one accepts and leaves, who moves up declines."""
    api, manager = world.api, world.people["programme-manager"]

    def offers() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = api.do("GET /calls/{call_id}/participations", manager, call_id=id)["items"]
        return found

    stays, leaves = (each for each in offers())
    officer = applied[stays["application_id"]]
    api.do("GET /participations", officer)
    api.do("GET /participations/{participation_id}", officer, participation_id=stays["id"])
    token = world.link(officer.mail, "/participations/links/")
    api.do("GET /participations/links/{token}", token=token)
    api.do("POST /participations/links/{token}", query={"choice": "accept"}, token=token)
    api.do("POST /participations/{participation_id}/completion", manager, participation_id=stays["id"])
    officer, at = applied[leaves["application_id"]], path(participation_id=leaves["id"])
    api.do("POST /participations/{participation_id}/acceptance", officer, **at)
    api.do("POST /participations/{participation_id}/withdrawal", officer, {"reason": "lack-of-staff"}, **at)
    (risen,) = eventually(lambda: [each for each in offers() if each["from_reserve"]], "the reserve list moves up")
    officer, at = applied[risen["application_id"]], path(participation_id=risen["id"])
    api.do("POST /participations/{participation_id}/decline", officer, **at)
    api.do("POST /calls/{call_id}/refill", manager, call_id=id)
