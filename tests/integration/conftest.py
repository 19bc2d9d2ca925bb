"""Hands on the topics for tests of what all services stand on."""

import pytest

from tests.integration.backbone import Trap
from tests.service.conftest import settings_for, tokens, topics

__all__ = ["settings_for", "tokens", "topics"]


@pytest.fixture
def trap() -> Trap:
    """What makes the reader fail, at no city yet."""
    return Trap()
