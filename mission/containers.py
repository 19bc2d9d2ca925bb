"""The commands of a platform in containers; ``docker compose`` does the rest."""

import subprocess
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from contracts.registry import SERVICES
from infra.compose.stack import ComposeStack
from infra.local.errors import LocalError
from infra.local.stack import ROOT
from mission.groups import lag
from mission.logs import render


def up(console: Console, scale: Mapping[str, int]) -> ComposeStack:
    """Starts everything and waits until it can be used."""
    stack = ComposeStack()
    stack.start(scale, waiting=lambda missing: console.print(f"waits for {missing}", highlight=False))
    return stack


def down() -> bool:
    """Ends and removes the containers; tells whether there were any."""
    stack = ComposeStack()
    found = stack.running()
    stack.stop()
    return found


def running() -> ComposeStack:
    """The platform that runs. Raises :class:`LocalError` when there is none."""
    stack = ComposeStack()
    if not stack.running():
        raise LocalError("The platform is not running in containers; `make up STACK=compose` starts it.")
    return stack


def status_table() -> Table:
    """Every container with its state and memory, every service with how far it is behind."""
    stack = running()
    try:
        behind = lag(stack)
    except LocalError:
        behind = {}
    table = Table("container", "state", "memory", "behind")
    for container in stack.containers():
        records = behind.get(container.name.rpartition("-")[0])
        size = f"{container.memory / 2**20:.0f} MB" if container.memory else ""
        table.add_row(container.name, container.state, size, "" if records is None else str(records))
    return table


def logs(console: Console, services: Sequence[str], *, follow: bool, lines: int) -> None:
    """Shows the containers' own logs, readable; of those that are named, or of all services."""
    stack = running()
    command = stack.command("logs", f"--tail={lines}", "--no-color", *(["--follow"] if follow else []))
    command += services or SERVICES
    with subprocess.Popen(command, cwd=ROOT, env=stack.environment(), stdout=subprocess.PIPE, text=True) as program:
        for written in program.stdout or ():
            if text := readable(written):
                console.print(text, soft_wrap=True)


def readable(written: str) -> Text | None:
    """A line of Docker Compose (``catalogue-1  | {...}``) as ``mission logs`` shows it; None for Compose's own."""
    container, bar, line = written.partition("| ")
    return render(container.strip().replace("_", "-"), line.rstrip()) if bar else None
