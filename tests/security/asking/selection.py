"""Requests about calls, applications, reviews, decisions and participations."""

from datetime import timedelta

from shared.ids import new_id
from tests.security.asking.accounts import link
from tests.security.asking.calendar import moment
from tests.security.asking.calls import ANSWERS, SERVICE, Call, body, call, review, text
from tests.security.asking.table import Asked, asks, nothing
from tests.security.callers import Caller
from tests.security.matrix import Side
from tests.security.world import World, now

nothing("GET /calls", "GET /calls/drafts", "GET /applications", "GET /participations", "GET /reviews")
SCORES = {"scores": {"ambition": 4}}


async def drafted(world: World, side: Side) -> str:
    """A draft."""
    made = await world.do(world.callers["manager"], "POST /calls", body(world, side))
    return str(made["id"])


@asks("POST /calls")
async def draft(world: World, caller: Caller, side: Side) -> Asked:
    """A new call."""
    return Asked(body=body(world, side))


@asks("GET /calls/{call_id} (a draft)", "POST /calls/{call_id}/publication")
async def a_draft(world: World, caller: Caller, side: Side) -> Asked:
    """A draft."""
    return Asked({"call_id": await drafted(world, side)})


@asks("PUT /calls/{call_id}")
async def redraft(world: World, caller: Caller, side: Side) -> Asked:
    """A draft with other content."""
    return Asked({"call_id": await drafted(world, side)}, body(world, side))


@asks(
    "GET /calls/{call_id}",
    "GET /calls/{call_id}/versions",
    "POST /calls/{call_id}/cancellation",
    "GET /calls/{call_id}/applications",
    "GET /calls/{call_id}/refusals",
    "GET /calls/{call_id}/reviews",
    "GET /calls/{call_id}/reviews/progress",
    "GET /calls/{call_id}/decisions",
    "GET /calls/{call_id}/participations",
)
async def opened(world: World, caller: Caller, side: Side) -> Asked:
    """A call that takes applications."""
    return Asked({"call_id": (await call(world, side)).id()})


@asks("GET /calls/{call_id}/decision", "POST /calls/{call_id}/refill")
async def decided(world: World, caller: Caller, side: Side) -> Asked:
    """A call that is decided."""
    return Asked({"call_id": (await call(world, side, "decided")).id()})


@asks("POST /calls/{call_id}/amendments")
async def amend(world: World, caller: Caller, side: Side) -> Asked:
    """More time for all."""
    longer = {"reason": text("More time."), "closes": moment(now() + timedelta(days=11))}
    return Asked({"call_id": (await call(world, side)).id()}, longer)


@asks("POST /calls/{call_id}/eligibility")
async def eligibility(world: World, caller: Caller, side: Side) -> Asked:
    """May this city apply?"""
    return Asked({"call_id": (await call(world, side)).id()}, {"city_id": world.sides[side].city})


@asks("POST /calls/{call_id}/applications")
async def apply(world: World, caller: Caller, side: Side) -> Asked:
    """A city's application."""
    empty = await call(world, side, empty=True)
    return Asked({"call_id": empty.id()}, {"city_id": world.sides[side].city, **ANSWERS})


async def _application(world: World, side: Side) -> tuple[Call, str]:
    made = await call(world, side)
    return made, made.id("applications", city_id=world.sides[side].city)


@asks("GET /applications/{application_id}")
async def read_application(world: World, caller: Caller, side: Side) -> Asked:
    """An application; the own half's is assigned to the reviewer."""
    made, id = await _application(world, side)
    if side == "own":
        await review(world, made, id, reviewer=world.callers["reviewer"].person)
    return Asked({"application_id": id})


@asks("POST /applications/{application_id}/withdrawal")
async def withdraw_application(world: World, caller: Caller, side: Side) -> Asked:
    """An application that is taken back."""
    return Asked({"application_id": (await _application(world, side))[1]})


@asks("PUT /applications/{application_id}")
async def replace_application(world: World, caller: Caller, side: Side) -> Asked:
    """A better application."""
    return Asked({"application_id": (await _application(world, side))[1]}, ANSWERS)


async def _hosted(world: World, side: Side) -> tuple[Call, dict[str, str]]:
    made = await call(world, side, "review", host=world.sides[side].city)
    return made, {"call_id": made.id(), "host_id": made.host}


@asks("GET /calls/{call_id}/hosts/{host_id}/candidates")
async def candidates(world: World, caller: Caller, side: Side) -> Asked:
    """Whom a host can rank."""
    return Asked((await _hosted(world, side))[1])


@asks("PUT /calls/{call_id}/hosts/{host_id}/preferences")
async def preferences(world: World, caller: Caller, side: Side) -> Asked:
    """Whom a host wants."""
    made, path = await _hosted(world, side)
    wanted = made.id("applications", city_id=world.sides[side].second)
    return Asked(path, {"applications": [wanted]})


@asks("POST /calls/{call_id}/reviews")
async def assign(world: World, caller: Caller, side: Side) -> Asked:
    """A reviewer for an application."""
    made = await call(world, side, "review", unreviewed=True)
    pair = {"application_id": made.id("applications"), "reviewer": new_id("prs")}
    return Asked({"call_id": made.id()}, {"assignments": [pair]})


async def _review(world: World, side: Side) -> tuple[Call, str, str]:
    made = await call(world, side, "review", unreviewed=True)
    application = made.id("applications")
    reviewer = world.callers["reviewer"].person if side == "own" else world.somebody.person
    return made, application, await review(world, made, application, reviewer=reviewer)


@asks("PUT /calls/{call_id}/scores")
async def scores(world: World, caller: Caller, side: Side) -> Asked:
    """Scores of an application; in the own half it is assigned to the reviewer."""
    made, application, _ = await _review(world, side)
    return Asked({"call_id": made.id()}, {"reviews": [{"application_id": application, **SCORES}]})


@asks("GET /reviews/{review_id}", "POST /reviews/{review_id}/release")
async def a_review(world: World, caller: Caller, side: Side) -> Asked:
    """A review; in the own half the reviewer's."""
    return Asked({"review_id": (await _review(world, side))[2]})


@asks("PUT /reviews/{review_id}")
async def score(world: World, caller: Caller, side: Side) -> Asked:
    """Scores of one's review."""
    return Asked({"review_id": (await _review(world, side))[2]}, SCORES)


@asks("POST /calls/{call_id}/decisions")
async def compute(world: World, caller: Caller, side: Side) -> Asked:
    """A call whose applications are all reviewed."""
    return Asked({"call_id": (await call(world, side, "review")).id()}, {})


async def _computed(world: World, side: Side) -> tuple[str, str]:
    made = await call(world, side, "review")
    decision = await world.do(world.other_manager, f"POST /calls/{made.id()}/decisions", {})
    return str(decision["id"]), str(decision["result"]["reserve"][0])


@asks("GET /decisions/{decision_id}", "POST /decisions/{decision_id}/proposal")
async def computed(world: World, caller: Caller, side: Side) -> Asked:
    """A decision that was computed."""
    return Asked({"decision_id": (await _computed(world, side))[0]})


@asks("POST /decisions/{decision_id}/adjustments")
async def adjust(world: World, caller: Caller, side: Side) -> Asked:
    """Somebody is to be taken in."""
    decision, application = await _computed(world, side)
    return Asked({"decision_id": decision}, {"application_id": application, "what": "include", "why": "late-evidence"})


@asks("POST /decisions/{decision_id}/adjustments/{application_id}/agreement")
async def agree(world: World, caller: Caller, side: Side) -> Asked:
    """Somebody else wants somebody taken in."""
    decision, application = await _computed(world, side)
    change = {"application_id": application, "what": "include", "why": "late-evidence"}
    await world.do(world.other_manager, f"POST /decisions/{decision}/adjustments", change)
    return Asked({"decision_id": decision, "application_id": application})


@asks("POST /decisions/{decision_id}/approval")
async def approve(world: World, caller: Caller, side: Side) -> Asked:
    """A decision that somebody else proposed."""
    decision, _ = await _computed(world, side)
    await world.do(world.other_manager, f"POST /decisions/{decision}/proposal")
    return Asked({"decision_id": decision})


@asks("POST /decisions/{decision_id}/publication")
async def publish(world: World, caller: Caller, side: Side) -> Asked:
    """A decision that two have agreed on."""
    decision, _ = await _computed(world, side)
    await world.do(world.other_manager, f"POST /decisions/{decision}/proposal")
    await world.do(world.callers["manager"], f"POST /decisions/{decision}/approval")
    return Asked({"decision_id": decision})


async def _participation(world: World, side: Side, state: str = "offered") -> str:
    return (await call(world, side, "decided", participation=state)).id("participations")


@asks(
    "GET /participations/{participation_id}",
    "POST /participations/{participation_id}/acceptance",
    "POST /participations/{participation_id}/decline",
)
async def offered(world: World, caller: Caller, side: Side) -> Asked:
    """A place that is offered to a city."""
    return Asked({"participation_id": await _participation(world, side)})


@asks("POST /participations/{participation_id}/completion")
async def complete(world: World, caller: Caller, side: Side) -> Asked:
    """A city that took part."""
    return Asked({"participation_id": await _participation(world, side, "accepted")})


@asks("POST /participations/{participation_id}/withdrawal")
async def withdraw(world: World, caller: Caller, side: Side) -> Asked:
    """A city that cannot take part after all."""
    return Asked({"participation_id": await _participation(world, side, "accepted")}, {"reason": "lack-of-staff"})


@asks("GET /participations/links/{token}", "POST /participations/links/{token}")
async def offered_by_mail(world: World, caller: Caller, side: Side) -> Asked:
    """The mailed link of such an offer."""
    data = {"participation_id": await _participation(world, side)}
    token = await link(world, SERVICE, "answer-offer", person_id=world.somebody.person, data=data)
    return Asked({"token": token}, query={"choice": "accept"})
