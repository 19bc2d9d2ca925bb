"""Wires the service together."""

from fastapi import FastAPI

from services.events_calendar.api import ROUTERS
from services.events_calendar.handlers import inbox
from services.events_calendar.store import COLLECTIONS, EVENTS
from services.events_calendar.usecases import guests, seating
from services.events_calendar.usecases.desk import Desk
from shared.deadlines import Deadlines
from shared.kept_answers import KeptAnswers
from shared.service import Service, create_service
from shared.settings import Settings


def create_app(settings: Settings | None = None) -> FastAPI:
    """The events calendar as an HTTP app with everything that runs beside it."""
    timers = Deadlines()
    timers.on(seating.EXPIRY)(guests.expire)
    timers.on(guests.RETENTION_EXPIRY)(guests.retention_over)
    kept = KeptAnswers()

    async def follow(service: Service) -> None:
        kept.follow(service, EVENTS)

    async def end(_: Service) -> None:
        await kept.stop()

    app = create_service(
        "events-calendar",
        title="Events calendar",
        routers=ROUTERS,
        inbox=inbox,
        collections=COLLECTIONS,
        timers=timers,
        on_start=[follow],
        on_stop=[end],
        settings=settings,
        kept=kept,
    )
    app.state.desk = Desk(app.state.service.store)
    return app
