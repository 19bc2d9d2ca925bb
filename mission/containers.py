"""The commands of a platform in containers; ``docker compose`` does the rest."""

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from infra.compose.stack import ComposeStack
from infra.local.errors import LocalError
from mission.groups import lag


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
    """Every container with its memory, every service with how far it is behind."""
    stack = running()
    behind = lag(stack)
    table = Table("container", "memory", "behind")
    for name, size in sorted(stack.memory().items()):
        records = behind.get(name.rpartition("-")[0])
        table.add_row(name, f"{size / 2**20:.0f} MB", "" if records is None else str(records))
    return table


def logs(services: Sequence[str], *, follow: bool, lines: int) -> None:
    """Shows the containers' own logs."""
    running().compose("logs", f"--tail={lines}", *(["--follow"] if follow else []), *services)
