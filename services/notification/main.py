"""Puts notification together."""

from fastapi import FastAPI

from services.notification import api
from services.notification.feed import Feed
from services.notification.handlers import inbox
from services.notification.sender import Sender
from services.notification.settings import NotificationSettings
from services.notification.store import COLLECTIONS
from services.notification.usecases import selection
from shared.deadlines import Deadlines
from shared.service import Service, create_service
from shared.settings import secrets_dir


def create_app(settings: NotificationSettings | None = None) -> FastAPI:
    """The notification service."""
    settings = settings or NotificationSettings(_secrets_dir=secrets_dir(), service="notification")
    timers = Deadlines()
    timers.on(selection.BROADCAST)(selection.broadcast)
    sender = Sender(settings)
    feed = Feed(sender.wake)

    async def start(service: Service) -> None:
        sender.start(service.store)
        feed.start(service.store)

    async def stop(_: Service) -> None:
        await feed.stop()
        await sender.stop()

    app = create_service(
        "notification",
        title="Notification",
        routers=[api.router],
        inbox=inbox,
        collections=COLLECTIONS,
        timers=timers,
        on_start=[start],
        on_stop=[stop],
        settings=settings,
    )
    app.state.feed = feed
    return app
