"""What tests of services share: settings from the stack, tokens that services accept, and hands on the topics."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from infra.local.stack import LocalStack
from shared.settings import Settings
from shared.testing import Tokens, Topics

SettingsFor = Callable[..., Settings]


@pytest.fixture
def settings_for(stack: LocalStack) -> SettingsFor:
    """``settings_for("catalogue", instance=0, model=Settings, **changes)``: what a process of that service gets."""

    def make(service: str, instance: int = 0, model: type[Settings] = Settings, **changes: Any) -> Settings:
        environment = stack.settings_for(service, instance)
        values = {name.removeprefix("MISSION_").lower(): value for name, value in environment.items()}
        values.pop("traces_file", None)
        return model(_secrets_dir=values.pop("secrets_dir"), **(values | changes))

    return make


@pytest.fixture
async def topics(stack: LocalStack) -> AsyncIterator[Topics]:
    """Publishes as any service, and reads what services published."""
    hands = Topics(stack.kafka.aiokafka())
    yield hands
    await hands.close()


@pytest.fixture
async def tokens(topics: Topics) -> Tokens:
    """Signs tokens that every service accepts."""
    signer = Tokens()
    await topics.publish(signer.published())
    return signer
