"""The directory of national platforms, and how they fare."""

from typing import Annotated

from fastapi import APIRouter, Path

from services.events_calendar.usecases import directory
from services.events_calendar.usecases.directory import HealthView, PlatformView
from shared.identity import Caller, Public, may
from shared.paging import Page
from shared.service import StoreDep

router = APIRouter(tags=["platforms"])
Minder = Annotated[Caller, may(roles=directory.MINDERS)]
PlatformPath = Annotated[str, Path(pattern=r"^[a-z]{2}(?:-[a-z0-9]+)+$", max_length=60)]


@router.get("/platforms", status_code=200, summary="The national platforms")
async def list_platforms(store: StoreDep, _: Public) -> Page[PlatformView]:
    """All platforms of the directory, by country and name."""
    items = await directory.platforms(store)
    return Page(items=items, total=len(items), hint=None if items else "No national platform is listed yet.")


@router.get("/platforms/{platform}/health", status_code=200, summary="What comes from a platform")
async def get_platform_health(platform: PlatformPath, store: StoreDep, caller: Minder) -> HealthView:
    """When it sent last, how much was taken, and which problems its messages had; for editors and the helpdesk."""
    return await directory.health(store, caller, platform)
