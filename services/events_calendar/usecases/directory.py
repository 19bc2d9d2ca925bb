"""The directory of national platforms, as operators maintain it, and how each platform fares."""

from datetime import date, datetime

from pydantic import BaseModel

from contracts.national_platforms import PlatformListed, PlatformState
from services.events_calendar.store import PLATFORM_HEALTH, PLATFORMS, PlatformHealth
from shared.identity import Caller
from shared.problems import not_found
from shared.store import Reader, Transaction

MINDERS = ("editor", "helpdesk", "administrator")


def listed(tx: Transaction, platform: PlatformListed) -> None:
    """Keeps a platform as the directory has it now; messages of it that waited are taken up."""
    tx.project(PLATFORMS, platform.platform, {"listed": platform.model_dump(mode="json")})


def unlisted(tx: Transaction, platform: str) -> None:
    """A platform was taken out of the directory: what it sends from now on is rejected."""
    tx.project(PLATFORMS, platform, {"listed": None})


class PlatformView(BaseModel):
    """A national platform."""

    id: str
    name: str
    kind: str
    country: str
    since: date
    state: PlatformState
    website: str | None
    languages: tuple[str, ...]


class HealthView(BaseModel):
    """What came from a platform: counts of receipts, the last message, and how often each problem occurred."""

    platform: str
    last_message_at: datetime | None
    last_accepted_at: datetime | None
    last_rejected_at: datetime | None
    accepted: int
    unchanged: int
    rejected: int
    problems: dict[str, int]


async def platforms(reader: Reader) -> list[PlatformView]:
    """All platforms that are listed, by country and name."""
    rows = await reader.find(PLATFORMS, {"listed": {"$ne": None}}, sort=[("listed.country", 1), ("listed.name", 1)])
    listings = [row.listed for row in rows if row.listed]
    return [PlatformView(id=one.platform, **one.model_dump(exclude={"platform", "sources"})) for one in listings]


async def health(reader: Reader, caller: Caller, platform: str) -> HealthView:
    """How a platform fares, for those who look after it. Raises 403 and 404 problems."""
    caller.require_role(*MINDERS, scope=("platform", platform))
    known = await reader.get(PLATFORMS, platform)
    if known is None:
        raise not_found("platform", platform)
    counted = await reader.get(PLATFORM_HEALTH, platform) or PlatformHealth(id=platform)
    return HealthView(platform=platform, **counted.model_dump(exclude={"id", "version"}))
