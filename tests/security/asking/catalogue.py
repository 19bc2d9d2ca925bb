"""Requests about the catalogue."""

from typing import Any

from contracts.catalogue import Entry, EntryStatus
from services.catalogue.api.requests import EntryIn
from services.catalogue.store import ENTRIES, EntryRecord
from shared.ids import new_id
from shared.testing import eventually
from tests.security.asking.table import Asked, asks, nothing
from tests.security.callers import Caller
from tests.security.matrix import Side
from tests.security.world import World, now

nothing("GET /catalogue/entries", "GET /catalogue/drafts")


def body(owner: dict[str, str]) -> dict[str, Any]:
    """An entry's content."""
    text = {"en": {"text": "Heat map"}}
    code = new_id("map").replace("_", "-")
    return {"code": code, "kind": "tool", "title": text, "summary": text, "owner": owner}


def owner(world: World, side: Side, kind: str = "city") -> dict[str, str]:
    """Who answers for it."""
    where = world.sides[side]
    return {"kind": kind, "id": where.city if kind == "city" else where.platform}


async def entry(world: World, content: dict[str, Any], status: EntryStatus) -> str:
    """A stored entry in this state."""
    made: Entry = EntryIn.model_validate(content).content()
    record = EntryRecord(id=new_id("ent"), content=made, status=status)
    if status is EntryStatus.PUBLISHED:
        record = record.model_copy(update={"public": made, "revision": 1, "published_at": now()})
    await world.put("catalogue", ENTRIES, record)
    return record.id


@asks("POST /catalogue/entries")
async def draft(world: World, caller: Caller, side: Side) -> Asked:
    """A new entry."""
    return Asked(body=body(owner(world, side)))


@asks("PUT /catalogue/entries/{entry}")
async def revise(world: World, caller: Caller, side: Side) -> Asked:
    """New content of a city's entry."""
    return await _revision(world, owner(world, side))


@asks("PUT /catalogue/entries/{entry} (a platform's)")
async def revise_of_platform(world: World, caller: Caller, side: Side) -> Asked:
    """The same of a national platform's."""
    return await _revision(world, owner(world, side, "platform"))


async def _revision(world: World, owner: dict[str, str]) -> Asked:
    content = body(owner)
    id = await entry(world, content, EntryStatus.DRAFT)
    return Asked({"entry": id}, content | {"languages": ["en"]}, headers={"If-Match": '"1"'})


@asks("GET /catalogue/entries/{entry}/draft", "POST /catalogue/entries/{entry}/submission")
async def drafted(world: World, caller: Caller, side: Side) -> Asked:
    """A draft."""
    return Asked({"entry": await entry(world, body(owner(world, side)), EntryStatus.DRAFT)})


@asks("POST /catalogue/entries/{entry}/publication")
async def submitted(world: World, caller: Caller, side: Side) -> Asked:
    """An entry in review."""
    return Asked({"entry": await entry(world, body(owner(world, side)), EntryStatus.IN_REVIEW)})


@asks("POST /catalogue/entries/{entry}/return")
async def returned(world: World, caller: Caller, side: Side) -> Asked:
    """An entry in review that is not good yet."""
    id = await entry(world, body(owner(world, side)), EntryStatus.IN_REVIEW)
    return Asked({"entry": id}, {"note": "Say where the data come from."})


@asks("POST /catalogue/entries/{entry}/withdrawal")
async def withdrawn(world: World, caller: Caller, side: Side) -> Asked:
    """An entry that is of no use any more."""
    id = await entry(world, body(owner(world, side)), EntryStatus.PUBLISHED)
    return Asked({"entry": id}, {"reason": "outdated"})


@asks("GET /catalogue/entries/{entry}")
async def published(world: World, caller: Caller, side: Side) -> Asked:
    """A public entry, once the service has put it on its shelf."""
    id = await entry(world, body(owner(world, side)), EntryStatus.PUBLISHED)

    async def there() -> bool:
        url = world.url(f"/catalogue/entries/{id}", direct=True)
        return (await world.http.get(url)).status_code == 200

    await eventually(there, "the entry is on the shelf")
    return Asked({"entry": id})
