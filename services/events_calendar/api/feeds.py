"""Calendar feeds (RFC 5545, RFC 7986) that calendar programs subscribe to."""

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from contracts.common import LanguageTag
from services.events_calendar.api.common import Filters
from services.events_calendar.usecases import listing
from shared.identity import Public
from shared.service import ServiceDep

router = APIRouter(tags=["feeds"])
FORMAT = "1"
"""Changes with how feeds are written, so that readers fetch them again."""


@router.get(
    "/feeds/calendar.ics",
    status_code=200,
    summary="The calendar as a feed to subscribe to, filtered",
    response_class=Response,
    responses={200: {"content": {"text/calendar": {}}}, 304: {"description": "Nothing has changed"}},
)
async def get_calendar_feed(
    request: Request,
    service: ServiceDep,
    _: Public,
    wanted: Filters,
    lang: Annotated[list[LanguageTag] | None, Query(max_length=10, description="Languages to read it in")] = None,
) -> Response:
    """Events from 30 days ago on (or from `begin`), the first 5,000 of them; cancelled ones as cancelled."""
    # Imported when the first feed is asked for: the library is large, and many instances never need it.
    from services.events_calendar.api import ics

    languages = tuple(lang or ("en",))
    if wanted.begin is None:
        today = service.clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
        wanted = replace(wanted, begin=today - listing.FEED_PAST)
    tag = f'"{await listing.fingerprint(service.store, wanted, FORMAT, ics.VERSION, *languages)}"'
    headers = {"ETag": tag, "Cache-Control": "public, max-age=900"}
    if tag in (known.strip().removeprefix("W/") for known in request.headers.get("if-none-match", "").split(",")):
        return Response(status_code=304, headers=headers)
    content = ics.calendar(await listing.feed(service.store, wanted), languages, service.settings.public_url)
    return Response(content, media_type="text/calendar; charset=utf-8", headers=headers)
