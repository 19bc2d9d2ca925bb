"""Making an event visible in the calendar: what lists are filtered and sorted by, beside the event itself."""

from datetime import datetime
from typing import Any

from contracts.events_calendar import PublicEvent
from services.events_calendar.domain import finding


def shown_as(event: PublicEvent, ends: datetime | None, *words: str) -> dict[str, Any]:
    """The fields of a stored event that show this public event. ``ends``: of a series' last instance, in UTC."""
    starts_at, ends_at = finding.extent(event)
    return {
        "event": event,
        "shown": True,
        "starts_at": starts_at,
        "ends_at": ends or ends_at,
        "words": finding.words_of(event, *words),
    }
