"""``mission up``, ``demo``, ``restart``, ``down``, ``clean``, ``status``, ``logs`` and ``serve``: what runs."""

import os
import time
from typing import Annotated

import typer
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from infra.compose.stack import ComposeStack
from infra.local.errors import LocalError
from infra.local.ports import bindable
from infra.local.stack import ROOT
from mission import containers, lifecycle, logs, place, rolling
from mission.commands.common import console, running
from mission.groups import lag
from mission.place import Health, State
from mission.status import crashes, process_table
from mission.supervisor import command, environment, scale_of

app = typer.Typer()

SCALE = typer.Option(help="How many of one service run, as --scale cohort-selection=3.", metavar="SERVICE=N")


@app.command()
def up(
    scale: Annotated[list[str] | None, SCALE] = None,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return when all is ready.")] = False,
    services: Annotated[bool, typer.Option(help="Also the services, not only Kafka, MongoDB and mail.")] = True,
) -> None:
    """Start everything; Ctrl-C stops it, unless it was detached."""
    if place.in_containers():
        there = containers.up(console, scale_of(scale or []))
        console.print(f"Ready at {there.public_url}, mails at {there.mail_url}. `make down STACK=compose` stops it.")
        return
    state = started(scale_of(scale or []), services=services)
    url = place.stack().public_url
    if detach:
        console.print(f"Ready at {url}. `make status` shows what runs, `make down` stops it.")
        return
    console.print(f"Ready at {url}. Ctrl-C stops everything.")
    daemon = place.supervisor()
    try:
        with Live(process_table(state), console=console, auto_refresh=False) as live:
            while daemon.process is not None:
                live.update(process_table(place.read_state() or state), refresh=True)
                time.sleep(1)
    finally:
        lifecycle.stop()


def started(scale: dict[str, int], *, services: bool = True) -> State:
    """Starts the platform with its progress shown: a table on a terminal, else a line for each process."""
    columns = TextColumn("Kafka's jars"), BarColumn(), MofNCompleteColumn()
    jars = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    task = jars.add_task("jars", total=None)
    table = Live(console=console, transient=True, auto_refresh=False)
    ready: set[str] = set()

    def preparing(done: int, total: int) -> None:
        jars.update(task, completed=done, total=total)

    def watching(state: State) -> None:
        jars.stop()
        if console.is_terminal:
            table.start()
            table.update(process_table(state), refresh=True)
        else:
            for process in state.processes:
                if process.health is Health.READY and process.name not in ready:
                    ready.add(process.name)
                    console.print(f"{process.name} is ready")

    try:
        jars.start()
        return lifecycle.start(scale, services=services, preparing=preparing, watching=watching)
    finally:
        jars.stop()
        table.stop()


@app.command()
def demo() -> None:
    """Start an empty platform and play the whole story on it."""
    # Imported here, so that the other commands start without what only the story needs.
    from mission.demo import command

    command.demo(console, started)


@app.command()
def restart(service: Annotated[str, typer.Argument(help="Such as catalogue.")]) -> None:
    """Restart a service instance by instance, so that no request fails (after an update of its code, say)."""
    rolling.restart(running(), service, console.print)


@app.command()
def down() -> None:
    """Stop everything; the data stays."""
    stopped = containers.down() if place.in_containers() else lifecycle.stop()
    console.print("Stopped." if stopped else "Nothing was running.")


@app.command()
def clean() -> None:
    """Stop everything and remove its data, secrets included; downloads stay."""
    if place.in_containers():
        ComposeStack().clean()
    else:
        lifecycle.clean()
    console.print("The platform's data is gone.")


@app.command()
def status(
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Show it again every two seconds.")] = False,
) -> None:
    """Show what runs: state, memory, how far consumers are behind, and why something crashed."""
    if place.in_containers():
        console.print(containers.status_table())
        return
    state = running()
    with Live(console=console, auto_refresh=False) as live:
        while True:
            try:
                behind = lag(place.stack())
            except LocalError:
                behind = {}
            live.update(process_table(state, behind), refresh=True)
            if not watch:
                break
            time.sleep(2)
            state = running()
    for crash in crashes(state):
        console.print(crash, markup=False)


@app.command("logs")
def show_logs(
    service: Annotated[list[str] | None, typer.Argument(help="Services or processes; all when none is named.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what is written.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="How many of the last lines.")] = 50,
) -> None:
    """Show the logs, readable; those of Kafka, MongoDB and mail only when they are named."""
    if place.in_containers():
        containers.logs(console, service or [], follow=follow, lines=lines)
        return
    paths = logs.files(service or [])
    for text in logs.last(paths, lines):
        console.print(text, soft_wrap=True)
    if follow:
        for text in logs.follow(paths):
            console.print(text, soft_wrap=True)


@app.command()
def serve(
    service: Annotated[str, typer.Argument(help="The service to run.")],
    instance: Annotated[int, typer.Option(min=0, help="Its number; one that is not running yet.")] = 0,
) -> None:
    """Run one service in this terminal, beside a running platform."""
    if service not in place.services():
        raise LocalError(f"There is no service {service!r}; there are {', '.join(place.services()) or 'none yet'}.")
    stack = place.stack()
    port = stack.ports.service(service, instance)
    if not bindable(port):
        raise LocalError(f"Port {port} is in use, likely by {service} itself; choose another with --instance.")
    scale = state.scale if (state := place.read_state()) else {}
    os.chdir(ROOT)
    settings = os.environ | environment(stack, service, instance, scale)
    arguments = command(service, port)
    os.execve(arguments[0], arguments, settings)
