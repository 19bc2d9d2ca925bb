"""``mission clock``: the platform's time."""

from typing import Annotated

import typer

from mission import clock
from mission.commands.common import console

app = typer.Typer(help="The clock of this platform, which can be moved forward.", no_args_is_help=True)


@app.command("show")
def show_clock() -> None:
    """Show the platform's time and how far it is ahead."""
    console.print(f"{clock.now():%Y-%m-%d %H:%M:%S} UTC, {clock.shift()} ahead of this machine.")


@app.command("forward")
def forward_clock(by: Annotated[str, typer.Argument(help="How far, as 30d, 12h or 1d12h.")]) -> None:
    """Move the clock of all services forward."""
    clock.forward(clock.duration(by))
    show_clock()


@app.command("reset")
def reset_clock() -> None:
    """Take the clock back to this machine's."""
    clock.reset()
    show_clock()
