"""Leases: what one process of a service does at a time, by the database's own clock."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from pymongo.errors import PyMongoError

from shared.store import Store

COLLECTION = "leases"
POLL_SECONDS = 0.02


class Lease:
    """A process's share in a lease, which is free again when its holder has not renewed it for ``seconds``.

    It makes rare that two do the same; it cannot exclude it, because nobody is told that time is up. ``contended``
    says, as of the last time it was taken, that another process had sought it within that time.
    """

    def __init__(self, store: Store, name: str, owner: str, seconds: float) -> None:
        self._store = store
        self._name = name
        self._owner = owner
        self._seconds = seconds
        self.contended = False

    async def take(self) -> bool:
        """Takes or renews it; returns whether it is ours. Who does not get it leaves a note of having sought it."""
        ours = {"$or": [{"$eq": ["$owner", self._owner]}, {"$lt": [{"$ifNull": ["$expires", None]}, "$$NOW"]}]}
        until = {"$add": ["$$NOW", int(self._seconds * 1000)]}
        lately = {"$gt": ["$sought.at", {"$subtract": ["$$NOW", int(self._seconds * 1000)]}]}
        take = [
            {"$set": {"free": ours}},
            {"$set": {"owner": {"$cond": ["$free", self._owner, "$owner"]}}},
            {"$set": {"expires": {"$cond": ["$free", until, "$expires"]}}},
            {"$set": {"sought": {"$cond": ["$free", "$sought", {"by": self._owner, "at": "$$NOW"}]}}},
            {"$set": {"contended": {"$and": [{"$ne": ["$sought.by", self._owner]}, lately]}}},
        ]
        lease = await self._store.claim(COLLECTION, {"_id": self._name}, take, upsert=True)
        self.contended = bool(lease and lease["contended"])
        return bool(lease and lease["free"])

    async def give_back(self) -> None:
        """Lets others have it at once, if it is ours."""
        await self._store.raw(COLLECTION).delete_one({"_id": self._name, "owner": self._owner})

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Works while it is ours, and waits for that."""
        while True:
            if await self.take():
                break
            await asyncio.sleep(POLL_SECONDS)
        try:
            yield
        finally:
            # Where the database is away it ends by itself.
            with suppress(PyMongoError):
                await self.give_back()
