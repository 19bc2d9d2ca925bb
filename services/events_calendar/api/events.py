"""The calendar: every public event, of national platforms and our own, for everybody."""

from dataclasses import replace

from fastapi import APIRouter, Request

from services.events_calendar.api.common import EventPath, Filters
from services.events_calendar.usecases import listing
from services.events_calendar.usecases.views import EventView
from shared.identity import Public
from shared.kept_answers import keep
from shared.paging import CursorParam, Limit, Page
from shared.service import ServiceDep, StoreDep

router = APIRouter(tags=["events"])
HINT = "No event fits. Ask for fewer words or themes, for more countries and languages, or for an earlier `begin`."


@router.get("/events", status_code=200, summary="Upcoming events, filtered")
async def list_events(
    request: Request, service: ServiceDep, _: Public, wanted: Filters, limit: Limit = 50, cursor: CursorParam = None
) -> Page[EventView]:
    """Events by their beginning; those that have ended are there when `begin` says so. Cancelled ones say so."""
    scope = f"events {wanted}"
    upcoming = wanted.begin is None
    if upcoming:
        wanted = replace(wanted, begin=service.clock.now())
    after = service.cursors.decode(scope, cursor) if cursor else None
    items, next_ = await listing.events(service.store, wanted, after, limit)
    # Until the first of them has ended; what ends elsewhere changes nothing here.
    keep(request, min((item.ends_at for item in items), default=None) if upcoming else None)
    return Page(
        items=items,
        next=service.cursors.encode(scope, next_) if next_ else None,
        hint=None if items or cursor else HINT,
    )


@router.get("/events/{event_id}", status_code=200, summary="One event")
async def get_event(event_id: EventPath, request: Request, store: StoreDep, _: Public) -> EventView:
    """A public event in full."""
    found = await listing.event(store, event_id)
    keep(request)
    return found
