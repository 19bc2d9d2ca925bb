"""The cohort-selection service, wired together."""

from fastapi import FastAPI

from services.cohort_selection.api import applications, calls, decisions, links, participations, reviews
from services.cohort_selection.handlers import inbox, make_timers
from services.cohort_selection.store import COLLECTIONS
from shared.service import create_service
from shared.settings import Settings


def create_app(settings: Settings | None = None) -> FastAPI:
    """The service's application."""
    return create_service(
        "cohort-selection",
        title="Cohort selection",
        routers=[
            calls.router,
            applications.router,
            reviews.router,
            decisions.router,
            links.links.router,
            participations.router,
        ],
        inbox=inbox,
        collections=COLLECTIONS,
        timers=make_timers(),
        settings=settings,
    )
