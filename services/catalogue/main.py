"""Puts the catalogue together."""

from fastapi import FastAPI

from services.catalogue.api import editing, reading
from services.catalogue.handlers import inbox
from services.catalogue.store import COLLECTIONS, LiveShelf
from shared.kept_answers import KeptAnswers
from shared.service import Service, create_service
from shared.settings import Settings


def create_app(settings: Settings | None = None) -> FastAPI:
    """The catalogue service."""
    kept = KeptAnswers()
    live = LiveShelf(kept.forget)

    async def begin(service: Service) -> None:
        await live.start(service.store)

    async def end(_: Service) -> None:
        await live.stop()

    return create_service(
        "catalogue",
        title="Catalogue",
        routers=[reading.router(live), editing.router],
        inbox=inbox,
        collections=COLLECTIONS,
        on_start=[begin],
        on_stop=[end],
        settings=settings,
        kept=kept,
    )
