"""What all tests share: one running stack for the whole run, chosen by ``--stack``."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local.ports import Ports
from infra.local.process import end, running
from infra.local.stack import LocalStack

TEST_HOMES = Path(__file__).resolve().parents[1] / ".local" / "test"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds ``--stack``."""
    parser.addoption(
        "--stack",
        choices=["local"],
        default="local",
        help="where Kafka, MongoDB and mail come from: started on this machine (local)",
    )


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
    stack = LocalStack(TEST_HOMES / f"run-{os.getpid()}", Ports.free())
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()
        if not request.session.testsfailed:
            shutil.rmtree(stack.home, ignore_errors=True)
