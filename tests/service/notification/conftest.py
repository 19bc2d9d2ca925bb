"""What notification's tests share: the service on the real stack, and its mail."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx
import pytest

from infra.local.stack import LocalStack
from services.notification.main import create_app
from services.notification.settings import NotificationSettings
from shared.testing import serving
from tests.service.conftest import SettingsFor
from tests.service.notification.world import Mails

Serve = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture
def serve(settings_for: SettingsFor) -> Serve:
    """``serve(instance=0, **settings)``: one process of the service, and a client of it."""

    def start(instance: int = 0, **changes: Any) -> AbstractAsyncContextManager[httpx.AsyncClient]:
        settings = settings_for("notification", instance, NotificationSettings, **changes)
        assert isinstance(settings, NotificationSettings)
        return serving(create_app(settings))

    return start


@pytest.fixture
async def notification(serve: Serve, tokens: object) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the running service, which sends to the stack's mail server."""
    async with serve() as client:
        yield client


@pytest.fixture
def mails(stack: LocalStack) -> Mails:
    """What the stack's mail server has accepted."""
    return Mails(stack.maildir)
