"""What the tests of the platform's security share: a backbone without services, and the whole platform."""

import os
import shutil
from collections.abc import Iterator

import pytest

from infra.access import ensure_users
from infra.local.ports import Ports
from infra.local.stack import LocalStack
from tests.conftest import TEST_HOMES, sweep

PLATFORMS = ("se-viable-cities", "es-cities-2030")
STRANGER = "stranger"


@pytest.fixture(scope="module")
def backbone(request: pytest.FixtureRequest) -> Iterator[LocalStack]:
    """A backbone of its own, to which everything is done: two national platforms, and a user whom no rule names."""
    sweep()
    failed_before = request.session.testsfailed
    stack = LocalStack(TEST_HOMES / f"run-{os.getpid()}-backbone", Ports.free())
    with stack:
        for platform in PLATFORMS:
            stack.add_platform(platform)
        ensure_users(stack.kafka.admin(), dict([stack.secrets.kafka(STRANGER)]))
        yield stack
    if request.session.testsfailed == failed_before:
        shutil.rmtree(stack.home, ignore_errors=True)
