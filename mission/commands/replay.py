"""``mission replay``: builds a service's projections again from the log."""

from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from contracts.registry import STORING
from infra.local.errors import LocalError
from mission import place, replaying
from mission.commands.common import console, ensure_running

app = typer.Typer()


@app.command()
def replay(
    service: Annotated[str, typer.Argument(help="Whose projections.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Build and compare, then throw it away.")] = False,
    switch_anyway: Annotated[
        bool, typer.Option("--switch-anyway", help="Take the new generation also when it differs.")
    ] = False,
    anew: Annotated[bool, typer.Option("--anew", help="From the beginning, also when one was cut off.")] = False,
) -> None:
    """Build a service's projections again from the log, compare, and switch; the service goes on meanwhile.

    Mails and other effects outside are not sent again. Ends with 1 when the generations differ, unless that was
    wanted; then the present one stays.
    """
    ensure_running()
    if service not in STORING:
        raise LocalError(f"There is no service {service!r} with projections; those are {', '.join(STORING)}.")
    columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(service, total=None)

        def show(read: int, all: int) -> None:
            doing = "reading the log" if read < all else "comparing and switching"
            bar.update(task, completed=read, total=all, description=f"{service}: {doing}")

        report = replaying.replay(
            place.operated(),
            service,
            show,
            dry_run=dry_run,
            accept=switch_anyway,
            anew=anew,
        )
    console.print(replaying.table(report))
    for line in replaying.outcome(report):
        console.print(line, markup=False, soft_wrap=True)
    if not report.equal and not switch_anyway:
        raise LocalError("The generations differ; --switch-anyway takes the new one.")
