"""Hands on the topics for tests of what all services stand on."""

from tests.service.conftest import settings_for, tokens, topics

__all__ = ["settings_for", "tokens", "topics"]
