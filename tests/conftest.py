"""What all tests share: one running stack for the whole run, chosen by ``--stack``."""

import os
import shutil
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from infra.local.errors import LocalError, NotOurs
from infra.local.ports import Ports
from infra.local.process import end, running
from infra.local.stack import LocalStack

TEST_HOMES = Path(__file__).resolve().parents[1] / ".local" / "test"
SHARING = frozenset({"e2e", "integration", "security", "service"})
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


class Together(LoadScopeScheduling):
    """Keeps together, where several processes share the run, the tests that share what is started for them."""

    def _split_scope(self, nodeid: str) -> str:
        path = Path(nodeid.partition("::")[0])
        return (path.parent if SHARING & set(path.parts) else path).as_posix()


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Together:
    """Chooses how the tests of a parallel run are shared out."""
    return Together(config, log)


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
