"""Hands on the topics for tests of what all services stand on."""

from collections.abc import AsyncIterator

import pytest

from infra.local.stack import LocalStack
from shared.service import Service
from tests.integration import backbone
from tests.integration.backbone import Trap
from tests.service.conftest import settings_for, tokens, topics

__all__ = ["settings_for", "tokens", "topics"]


@pytest.fixture
def trap() -> Trap:
    """What makes the reader fail, at no city yet."""
    return Trap()


@pytest.fixture
async def producer(stack: LocalStack) -> AsyncIterator[Service]:
    async with backbone.running(stack, backbone.PRODUCER) as service:
        yield service
