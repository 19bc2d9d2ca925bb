"""Transactions that collide over the documents they write, and those whose process is gone but not their locks.

The database does not notice that a process was killed in the middle of a transaction: it keeps what that one has
written locked for 60 s (``transactionLifetimeLimitSeconds``), and every other writer collides with it.
"""

import time
from typing import Any, Final

import structlog
from pymongo.errors import ConnectionFailure, PyMongoError

FIRST_SECONDS: Final = 0.5
"""After colliding for so long a writer looks who else there is."""

STILL_SECONDS: Final = 2.0
"""A transaction of which nothing was heard for so long has nobody who goes on with it, or has to begin anew."""

LISTED: Final[list[dict[str, Any]]] = [
    {"$currentOp": {"idleSessions": True}},
    {"$match": {"type": "idleSession", "transaction": {"$exists": True}}},
]
"""The open transactions of the database user that asks, and of no other, in which nothing is being done now."""

log = structlog.get_logger()


class Abandoned:
    """What one writer, who collides again and again, sees of the others, through its ``client``."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._next = time.monotonic() + FIRST_SECONDS
        self._seen: dict[bytes, tuple[int, int]] = {}

    async def end(self) -> None:
        """Ends those in which nothing has happened since the last look; does nothing when that was just now.

        Raises the driver's errors. A process that was only stopped begins the transaction anew.
        """
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + STILL_SECONDS
        before, self._seen = self._seen, {}
        async for row in self._client.admin.aggregate(LISTED):
            progress = row["transaction"]["parameters"]["txnNumber"], row["transaction"]["timeActiveMicros"]
            self._seen[row["lsid"]["id"]] = progress
        still = [{"id": id} for id, progress in self._seen.items() if before.get(id) == progress]
        if still:
            log.warning("abandoned-transactions-ended", count=len(still))
            await self._client.admin.command("killSessions", still)


def is_collision(error: BaseException) -> bool:
    """Whether a transaction ended because of others that write to the same, while the database was there."""
    transient = isinstance(error, PyMongoError) and error.has_error_label("TransientTransactionError")
    return transient and not isinstance(error, ConnectionFailure)
