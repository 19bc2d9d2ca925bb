"""The HTTP door: routes with their request and response models."""

from fastapi import APIRouter

from services.events_calendar.api.bookings import router as bookings
from services.events_calendar.api.events import router as events
from services.events_calendar.api.feeds import router as feeds
from services.events_calendar.api.platforms import router as platforms
from services.events_calendar.api.sessions import router as sessions
from services.events_calendar.usecases.seating import LINKS

ROUTERS: tuple[APIRouter, ...] = (
    events,
    feeds,
    sessions,
    LINKS.router,
    bookings,
    platforms,
)
