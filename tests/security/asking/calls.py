"""Calls in every state with what belongs to them, copied from two that were made by the API."""

from datetime import timedelta
from typing import Any

from services.cohort_selection import store
from services.cohort_selection.domain.states import ReviewState
from shared.ids import new_id
from shared.testing import eventually
from tests.security.asking.calendar import moment
from tests.security.matrix import Side
from tests.security.world import Row, Template, World, now

SERVICE = "cohort-selection"


def text(english: str) -> dict[str, dict[str, str]]:
    """A text in English."""
    return {"en": {"text": english}}


def body(world: World, side: Side) -> dict[str, Any]:
    """A small call that is open now; one is chosen, one waits."""
    where = world.sides[side]
    return {
        "programme": where.programme,
        "cohort": "twinning-illustrative",
        "title": text("Twinning Learning Programme"),
        "summary": text("Twelve months of learning with a Mission City."),
        "rules": {
            "window": {"opens": moment(now() - timedelta(hours=1)), "closes": moment(now() + timedelta(days=10))},
            "eligibility": [{"code": "once", "kind": "one-application", "sentence": text("A city applies once.")}],
            "form": [{"code": "motivation", "kind": "text", "label": text("Why?"), "required": True}],
            "review": {"per_application": 1},
            "criteria": [{"code": "ambition", "label": text("Ambition"), "weight": 100}],
            "places": 1,
            "reserve": 1,
            "hosts": [{"cities": [where.host], "title": text("Illustrative host"), "at_most": 2}],
            "matching": {},
            "offers": {"days": 14},
            "illustrative": True,
        },
    }


ANSWERS = {"answers": {"motivation": "To learn."}}
OF_CALL = ("call_versions", "intakes", "applications", "reviews", "decisions", "participations")


class Call:
    """A copy of a call with everything that belongs to it. Its documents' ids are new."""

    def __init__(self, template: Template, ids: dict[str, str]) -> None:
        self._template, self._ids = template, ids

    def id(self, collection: str = "calls", **fits: Any) -> str:
        """The copy's document that fits."""
        rows = self._template[collection]
        return self._ids[next(row["_id"] for row in rows if fits.items() <= row.items())]

    @property
    def host(self) -> str:
        """Its host."""
        return self._ids[self._template["calls"][0]["rules"]["hosts"][0]["host_id"]]


async def _captured(world: World, call: str) -> Template:
    of_call = {name: {"call_id": call} for name in OF_CALL}
    return await world.capture(SERVICE, {"calls": {"_id": call}, **of_call})


async def open_call(world: World, side: Side) -> Template:
    """A call that takes applications, with those of two cities; made once, by the API."""
    where, manager = world.sides[side], world.callers["manager"]
    made = await world.do(manager, "POST /calls", body(world, side))
    await world.do(manager, f"POST /calls/{made['id']}/publication")

    async def opened() -> bool:
        return bool((await world.do(manager, f"GET /calls/{made['id']}"))["state"] == "application")

    await eventually(opened, "the call is open")
    for city, member in ((where.city, where.member), (where.second, where.second_member)):
        await world.do(member, f"POST /calls/{made['id']}/applications", {"city_id": city, **ANSWERS})
    return await _captured(world, made["id"])


async def call(world: World, side: Side, state: str = "application", **edits: Any) -> Call:
    """A fresh call in this state: ``application``, ``review`` with recorded reviews, or ``decided``."""
    kind = "decided" if state == "decided" else "open"
    template = world.templates[f"{kind} {side}"]

    def edit(name: str, row: Row) -> None:
        if name == "calls" and kind == "open":
            row["state"] = state
            if "host" in edits:
                row["rules"]["hosts"][0]["cities"] = [edits["host"]]
        if name == "intakes" and state != "application":
            row["closed"] = True
        if name == "participations":
            row["state"] = edits.get("participation", row["state"])

    if edits.get("empty"):
        template = template | {"applications": []}
    made = Call(template, await world.copy(SERVICE, template, edit))
    if state == "review" and not edits.get("unreviewed"):
        for city, points in ((world.sides[side].city, 5), (world.sides[side].second, 3)):
            reviewed = {
                "reviewer": world.somebody.person,
                "state": ReviewState.RECORDED,
                "scores": {"ambition": points},
            }
            await review(world, made, made.id("applications", city_id=city), **reviewed)
    return made


async def prepare(world: World) -> None:
    """Makes what calls are copied from, in both halves."""
    for side in world.sides:
        world.templates[f"open {side}"] = await open_call(world, side)
        made, manager = await call(world, side, "review"), world.callers["manager"]
        decision = await world.do(manager, f"POST /calls/{made.id()}/decisions", {})
        path = f"/decisions/{decision['id']}"
        await world.do(manager, f"POST {path}/proposal")
        await world.do(world.other_manager, f"POST {path}/approval")
        await world.do(manager, f"POST {path}/publication")
        decided = await _captured(world, made.id())
        assert decided["participations"], "a place is offered"
        world.templates[f"decided {side}"] = decided


async def review(world: World, of: Call, application: str, **fields: Any) -> str:
    """A review."""
    made = store.Review(id=new_id("rev"), call_id=of.id(), application_id=application, **fields)
    await world.put(SERVICE, store.REVIEWS, made)
    return made.id
