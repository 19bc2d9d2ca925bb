"""The HTTP door: routes with their request and response models."""

from fastapi import APIRouter

from services.events_calendar.api import bookings, events, feeds, platforms, sessions
from services.events_calendar.usecases.seating import LINKS

ROUTERS: tuple[APIRouter, ...] = (
    events.router,
    feeds.router,
    sessions.router,
    LINKS.router,
    bookings.router,
    platforms.router,
)
