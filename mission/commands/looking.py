"""``mission lag`` and ``mission trace``: what an operator looks at; nothing is changed."""

import time
from typing import Annotated

import typer
from rich.live import Live
from rich.table import Table

from mission import groups, place, tracing
from mission.commands.common import console, ensure_running

app = typer.Typer()


@app.command("lag")
def show_lag(
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Show it again every two seconds.")] = False,
    all: Annotated[bool, typer.Option("--all", help="Also partitions that are worked off.")] = False,
) -> None:
    """Show how far every consumer group is behind, on which topic, since when, and who its members are."""
    ensure_running()
    stack = place.operated()

    def table() -> Table:
        found = groups.groups(stack)
        behind = [position for group in found for position in group.positions if position.behind]
        return groups.lag_table(found, groups.waiting_since(stack, behind), all=all)

    with Live(table(), console=console, auto_refresh=False) as live:
        while watch:
            time.sleep(2)
            live.update(table(), refresh=True)


@app.command("trace")
def show_trace(
    id: Annotated[str, typer.Argument(metavar="ID", help="Of a request (X-Request-Id), a trace or an event.")],
) -> None:
    """Show the whole way of one write: its events, when they were where, what each reader did, and mails."""
    ensure_running()
    with console.status("Reading outboxes and topics ..."):
        found = tracing.way(place.operated(), id.strip())
    console.print(tracing.tree(found), soft_wrap=True)
