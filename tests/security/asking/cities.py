"""Requests about cities, memberships, roles and people."""

from typing import Any

from services.registration import store
from shared.ids import new_id
from tests.security.asking.table import Asked, asks, nothing
from tests.security.callers import Caller
from tests.security.matrix import Side
from tests.security.world import World, now

EVIDENCE = {"kind": "official-letter", "reference": "Letter of appointment"}
REASON = {"reason": {"code": "not-enough-evidence"}}

nothing("GET /countries", "GET /cities", "GET /helpdesk/cities", "GET /memberships", "GET /grants")
nothing("GET /places", q="lis")


async def authority(world: World, country: str) -> dict[str, Any]:
    """A municipality at a place that nobody declared."""
    code = world.place_code()
    made = store.Place(
        id=code,
        name="Illustrative Town",
        country=country,
        latitude=40,
        longitude=8,
        population=1,
        time_zone="Europe/Lisbon",
        keys=[],
        starts=[],
        other_keys=[],
        other_starts=[],
    )
    await world.put("registration", store.PLACES, made)
    return {"name": "Illustrative Town", "kind": "municipality", "places": [code]}


@asks("POST /cities")
async def declare(world: World, caller: Caller, side: Side) -> Asked:
    """A city that is not there yet."""
    return Asked(body={"authority": await authority(world, world.sides[side].country)})


@asks("POST /helpdesk/cities")
async def register(world: World, caller: Caller, side: Side) -> Asked:
    """The same for others."""
    return Asked(body={"authority": await authority(world, world.sides[side].country), "origin": "official-list"})


@asks(
    "GET /cities/{city}",
    "GET /cities/{city}/next-steps",
    "POST /cities/{city}/onboarding/exploration",
    "DELETE /cities/{city}/commitment",
    "DELETE /cities/{city}/mailbox",
    "GET /cities/{city}/members",
)
async def city(world: World, caller: Caller, side: Side) -> Asked:
    """A public city."""
    return Asked({"city": await world.city(world.sides[side])})


@asks("GET /cities/{city} (not public)")
async def unpublished(world: World, caller: Caller, side: Side) -> Asked:
    """A city that nobody is to see yet."""
    return Asked({"city": await world.city(world.sides[side], public=False)})


@asks("PUT /cities/{city}/authority")
async def change_authority(world: World, caller: Caller, side: Side) -> Asked:
    """It turns out to be elsewhere."""
    where = world.sides[side]
    return Asked({"city": await world.city(where)}, await authority(world, where.country))


BODIES: dict[str, Any] = {
    "PUT /cities/{city}/profile": {"domains": ["mobility"]},
    "PUT /cities/{city}/commitment": {"neutral_by": 2040, "committed_on": "2024-05-01", "evidence": "Decision"},
    "PUT /cities/{city}/mailbox": {"mail_address": "climate@town.example"},
    "PUT /cities/{city}/statuses": {"statuses": []},
    "POST /cities/{city}/memberships": {"evidence": EVIDENCE},
}


def _with(row: str, body: Any) -> None:
    @asks(row)
    async def change(world: World, caller: Caller, side: Side) -> Asked:
        return Asked(await _path(world, row, side), body)


async def _path(world: World, row: str, side: Side) -> dict[str, str]:
    # Whoever asks for a membership must not have one yet.
    where = world.sides["foreign" if row.endswith("/memberships") else side]
    return {"city": await world.city(where)}


for _row, _body in BODIES.items():
    _with(_row, _body)


@asks("POST /cities/{city}/invitations")
async def invite(world: World, caller: Caller, side: Side) -> Asked:
    """A colleague."""
    body = {"mail_address": f"{new_id('new')}@people.example"}
    return Asked({"city": await world.city(world.sides[side])}, body)


@asks("POST /memberships/{membership}/approval")
async def approve(world: World, caller: Caller, side: Side) -> Asked:
    """Somebody asked."""
    return Asked({"membership": await _asked(world, side)}, {"evidence": EVIDENCE})


@asks("POST /memberships/{membership}/{decision}")
async def refuse(world: World, caller: Caller, side: Side) -> Asked:
    """Somebody asked without right."""
    return Asked({"membership": await _asked(world, side), "decision": "refusal"}, REASON)


async def _asked(world: World, side: Side) -> str:
    where = world.sides[side]
    return await world.membership(where, await world.city(where), (await world.person()).id, "requested")


@asks("DELETE /me/memberships/{membership}", personal=True)
async def leave(world: World, caller: Caller, side: Side) -> Asked:
    """The caller's own membership, or somebody else's."""
    where = world.sides["foreign"]
    whose = caller.person if side == "own" and caller.person else world.somebody.person
    return Asked({"membership": await world.membership(where, await world.city(where), whose, "approved")})


@asks("POST /helpdesk/cities/{city}/merge")
async def merge_cities(world: World, caller: Caller, side: Side) -> Asked:
    """Two that are one."""
    where = world.sides[side]
    return Asked({"city": await world.city(where)}, {"into": await world.city(where)})


@asks("POST /people/search")
async def search(world: World, caller: Caller, side: Side) -> Asked:
    """Somebody by address."""
    return Asked(body={"mail_address": (await world.person()).mail_address})


@asks("GET /people/{person}", "DELETE /people/{person}")
async def person(world: World, caller: Caller, side: Side) -> Asked:
    """Somebody."""
    return Asked({"person": (await world.person()).id})


@asks("POST /people/{person}/merge")
async def merge_people(world: World, caller: Caller, side: Side) -> Asked:
    """Somebody who came twice."""
    return Asked({"person": (await world.person()).id}, {"into": (await world.person()).id})


@asks("POST /grants")
async def give(world: World, caller: Caller, side: Side) -> Asked:
    """A role."""
    return Asked(body={"person_id": (await world.person()).id, "role": "reviewer"})


@asks("DELETE /grants/{grant}")
async def take_back(world: World, caller: Caller, side: Side) -> Asked:
    """A role that somebody has."""
    made = store.Grant(
        id=new_id("grt"),
        person_id=(await world.person()).id,
        role="reviewer",
        scope={"kind": "mission"},
        valid_from=now(),
        granted_by="bootstrap",
    )
    await world.put("registration", store.GRANTS, made)
    return Asked({"grant": made.id})
