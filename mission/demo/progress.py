"""Shows how far the story is: which step of how many, how far within it, and how long it took."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

QUIET_SECONDS: Final = 5.0
"""Without a terminal, how often a long step says how far it is."""


class Step:
    """One step of the story while it runs."""

    def __init__(self, show: "Show", task: TaskID, name: str) -> None:
        self._show = show
        self._task = task
        self._name = name
        self._done = self._total = 0
        self._said = time.monotonic()

    def plan(self, more: int) -> None:
        """Adds to what there is to do in this step."""
        self._total += more
        self._show.bars.update(self._task, total=self._total)

    def done(self, count: int = 1) -> None:
        """So much of it is done."""
        self._done += count
        self._show.bars.advance(self._task, count)
        if not self._show.live and time.monotonic() - self._said > QUIET_SECONDS:
            self._said = time.monotonic()
            self._show.console.print(f"      {self._done} of {self._total}", style="dim")

    def doing(self, what: str) -> None:
        """Says what is going on at this moment."""
        self._show.bars.update(self._task, description=f"{self._name}: {what}")

    def say(self, text: str) -> None:
        """Tells something that came true, in a line of its own that stays."""
        self._show.console.print(f"      [green]✓[/] {text}", highlight=False)


class Show:
    """The terminal's view of the story."""

    def __init__(self, console: Console, steps: int) -> None:
        self.console = console
        self.live = console.is_terminal
        self.seconds: dict[str, float] = {}
        self._steps = steps
        self._number = 0
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        self.bars = Progress(*columns, console=console, transient=True, disable=not self.live, refresh_per_second=5)

    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        """Runs one step; its time is kept under its name."""
        self._number += 1
        title = f"{self._number}/{self._steps} {name}"
        self.console.print(f"[bold]{title}[/]")
        began = time.monotonic()
        task = self.bars.add_task(title, total=None)
        try:
            yield Step(self, task, title)
        finally:
            self.bars.remove_task(task)
            self.seconds[name] = round(time.monotonic() - began, 1)
        self.console.print(f"      [dim]{self.seconds[name]:.1f} s[/]", highlight=False)
