"""What all tests share: one running stack for the whole run, chosen by ``--stack``."""

import os
import shutil
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from infra.local.errors import LocalError, NotOurs
from infra.local.ports import Ports
from infra.local.process import end, running
from infra.local.stack import LocalStack

TESTS = Path(__file__).resolve().parent
TEST_HOMES = TESTS.parent / ".local" / "test"
SHARING = frozenset({"e2e", "security", "service"})
"""Directories whose tests share what is slow to start; elsewhere only those of one file may."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds ``--stack``."""
    parser.addoption(
        "--stack",
        choices=["local", "containers", "external"],
        default="local",
        help="where Kafka and MongoDB come from: started on this machine (local), started in containers by Docker"
        " (containers), or named by MISSION_TEST_... variables (external)",
    )


def stack_class(config: pytest.Config) -> type[LocalStack]:
    """What ``--stack`` chose; imported when it is chosen, for not every machine has what it needs."""
    match config.getoption("--stack"):
        case "containers":
            from infra import containers

            containers.check()
            return containers.ContainerStack
        case "external":
            from infra import external

            external.check()
            return external.ExternalStack
        case _:
            return LocalStack


def pytest_configure(config: pytest.Config) -> None:
    """Says in one sentence when the chosen stack cannot be had, before anything runs."""
    try:
        stack_class(config)
    except LocalError as error:
        raise pytest.UsageError(str(error)) from error


def pytest_itemcollected(item: pytest.Item) -> None:
    """Keeps together, where several processes share the run, the tests that share what is started for them."""
    path = item.path.relative_to(TESTS)
    together = path.parent if path.parts[0] in SHARING else path
    item.add_marker(pytest.mark.xdist_group(together.as_posix()))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """A test that has to end what runs elsewhere is skipped, and says so."""
    try:
        return (yield)
    except NotOurs as error:
        pytest.skip(str(error))


def sweep() -> None:
    """Removes what test runs left behind that were killed: their processes and their data."""
    for home in TEST_HOMES.glob("run-*"):
        owner = home.name.split("-")[1]
        if Path(f"/proc/{owner}").exists():
            continue
        for pid_file in home.glob("run/*.pid"):
            if process := running(pid_file):
                end(process, timeout=10)
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest) -> Iterator[LocalStack]:
    """A started stack with the registry's topics, users and access rules; data and ports are of this run alone."""
    sweep()
    stack = stack_class(request.config)(TEST_HOMES / f"run-{os.getpid()}", Ports.free())
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()
        if not request.session.testsfailed:
            shutil.rmtree(stack.home, ignore_errors=True)
