"""Limits on attempts, counted in the store so that they hold across instances, by the machine's clock."""

import hashlib
import time
from datetime import UTC, datetime
from typing import Any

from services.registration.settings import LIMIT_WINDOW_SECONDS
from services.registration.store import ATTEMPTS
from shared.problems import Problem
from shared.store import Store


async def prepare(store: Store) -> None:
    """Lets counters expire."""
    await store.raw(ATTEMPTS).create_index("expires_at", expireAfterSeconds=0)


async def spend(store: Store, kind: str, key: str, limit: int) -> None:
    """Counts one attempt of a key (a mail address, a network address, a person).

    Raises a 429 problem with ``Retry-After`` when there were ``limit`` in this window. The key is kept as a hash only.
    """
    counter = await _count(store, _id(kind, key), 1)
    if counter > limit:
        wait = LIMIT_WINDOW_SECONDS - int(time.time()) % LIMIT_WINDOW_SECONDS
        raise Problem(
            429,
            "too-many-attempts",
            f"Too many attempts; try again in {wait // 60 + 1} minutes.",
            params={"retry_after": wait},
            headers={"Retry-After": str(wait)},
        )


async def forgive(store: Store, kind: str, key: str) -> None:
    """Forgets the attempts of a key after a success."""
    await store.raw(ATTEMPTS).delete_one({"_id": _id(kind, key)})


def _id(kind: str, key: str) -> str:
    window = int(time.time()) // LIMIT_WINDOW_SECONDS
    return f"{kind}/{window}/{hashlib.sha256(key.encode()).hexdigest()}"


async def _count(store: Store, id: str, step: int) -> int:
    expires = datetime.fromtimestamp((int(time.time()) // LIMIT_WINDOW_SECONDS + 1) * LIMIT_WINDOW_SECONDS, UTC)
    change: list[dict[str, Any]] = [
        {"$set": {"count": {"$add": [{"$ifNull": ["$count", 0]}, step]}, "expires_at": expires}}
    ]
    row = None
    while row is None:
        # None: another instance made the counter at the same moment.
        row = await store.claim(ATTEMPTS, {"_id": id}, change, upsert=True)
    return int(row["count"])
