"""What the tests of the platform's security share: a backbone without services, and the whole platform."""

import os
import shutil
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from infra.access import ensure_users
from infra.local.ports import Ports
from infra.local.stack import LocalStack
from tests.conftest import TEST_HOMES, sweep
from tests.e2e.conftest import pytest_runtest_makereport, running_platform
from tests.e2e.running import Platform
from tests.security.asking import calls, operations
from tests.security.world import World
from tests.security.world import world as made

__all__ = ["pytest_runtest_makereport"]

PLATFORMS = ("se-viable-cities", "es-cities-2030")
STRANGER = "stranger"
IMPATIENT = {"MISSION_HEAD_SECONDS": "3", "MISSION_BODY_SECONDS": "5"}
"""Slow requests are given up sooner than in production, so that the tests need not wait as long."""


@pytest.fixture(scope="package")
def backbone(request: pytest.FixtureRequest) -> Iterator[LocalStack]:
    """A backbone of its own, to which everything is done: two national platforms, and a user whom no rule names."""
    sweep()
    failed_before = request.session.testsfailed
    stack = LocalStack(TEST_HOMES / f"run-{os.getpid()}-backbone", Ports.free())
    with stack:
        stack.add_platforms(PLATFORMS)
        ensure_users(stack.kafka.admin(), dict([stack.secrets.kafka(STRANGER)]))
        yield stack
    if request.session.testsfailed == failed_before:
        shutil.rmtree(stack.home, ignore_errors=True)


@pytest.fixture(scope="package")
def platform(request: pytest.FixtureRequest) -> Iterator[Platform]:
    """The whole platform, whose limits on how often somebody may ask are lifted; after a failure its logs stay."""
    with running_platform(request.session, "-security", settings=IMPATIENT) as platform:
        yield platform


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def world(platform: Platform) -> AsyncIterator[World]:
    """The world of the matrix, with everything that takes time to make."""
    async with made(platform.stack) as world:
        await calls.prepare(world)
        await operations.prepare(world)
        yield world
