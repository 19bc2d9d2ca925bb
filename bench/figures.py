"""What a benchmark found: rounds of ours beside rounds of the baseline, and how they compare."""

import json
import os
import platform
import statistics
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TypeVar

from rich.console import Console
from rich.table import Table

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the report. ``ours`` and ``bare`` hold one value per round, in ``unit``, in the order of the rounds.

    ``reach`` bounds the ratio ours/bare: ``at most`` for times, ``at least`` for rates; None where there is nothing
    to reach, or where there is no baseline and ``ours`` itself is bounded.
    """

    what: str
    size: str
    unit: str
    ours: Sequence[float]
    bare: Sequence[float] = ()
    reach: float | None = None
    kind: Literal["at most", "at least"] = "at most"

    @property
    def ratios(self) -> list[float]:
        """Ours over bare, round by round; ours itself where there is no baseline."""
        if not self.bare:
            return list(self.ours)
        return [ours / bare for ours, bare in zip(self.ours, self.bare, strict=True)]

    @property
    def ratio(self) -> float:
        """The middle one of the rounds' ratios."""
        return statistics.median(self.ratios)

    @property
    def reached(self) -> bool | None:
        """Whether the bound holds for the middle round."""
        if self.reach is None:
            return None
        return self.ratio <= self.reach if self.kind == "at most" else self.ratio >= self.reach


@dataclass(frozen=True, slots=True)
class Run:
    """How a row was measured: in how many seconds, at which load average (1 minute, at its end), and what went wrong.

    A machine that does other things too makes both sides slow, and not always alike.
    """

    seconds: float
    load_average: float
    error: str | None = None

    def __str__(self) -> str:
        return f"{'failed' if self.error else 'took'} {self.seconds:.0f} s; load average {self.load_average:.1f}"


async def interleaved(rounds: int, one: Callable[[str, int], Awaitable[T]]) -> tuple[list[T], list[T]]:
    """Measures ``one("ours", n)`` and ``one("bare", n)`` of round n in turn; returns what each round gave.

    Who goes first changes, so that neither always has the warmer machine.
    """
    found: dict[str, list[T]] = {"ours": [], "bare": []}
    for number in range(rounds):
        for side in ("ours", "bare") if number % 2 else ("bare", "ours"):
            found[side].append(await one(side, number))
    return found["ours"], found["bare"]


def show(figures: Sequence[Figure], console: Console) -> None:
    """Prints the table: the middle round of each side, their ratio with its spread, and what was to be reached."""
    table = Table(title="Ours beside a bare baseline, interleaved in one run", title_justify="left")
    for name in ("what", "size"):
        table.add_column(name)
    for name in ("ours", "bare", "ratio", "spread", "to reach"):
        table.add_column(name, justify="right")
    table.add_column("")
    for one in figures:
        ratios = one.ratios
        bound = "" if one.reach is None else f"{'≤' if one.kind == 'at most' else '≥'} {one.reach:g}"
        table.add_row(
            one.what,
            one.size,
            _said(statistics.median(one.ours), one.unit),
            _said(statistics.median(one.bare), one.unit) if one.bare else "",
            f"{one.ratio:.2f}" if one.bare else "",
            f"{min(ratios):.2f}-{max(ratios):.2f}" if one.bare else "",
            bound,
            {True: "reached", False: "not reached", None: ""}[one.reached],
        )
    console.print(table)


def write(figures: Sequence[Figure], runs: Mapping[str, Run], path: Path) -> None:
    """Writes the report with every round's value, so that an outlier is seen."""
    path.parent.mkdir(parents=True, exist_ok=True)
    report = {
        "made": datetime.now(UTC).isoformat(),
        "machine": {
            "processor": platform.machine(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
        },
        "runs": {name: asdict(run) for name, run in runs.items()},
        "figures": [asdict(one) | {"ratio": one.ratio, "reached": one.reached} for one in figures],
    }
    path.write_text(json.dumps(report, indent=2, default=list))


def _said(value: float, unit: str) -> str:
    digits = 0 if value >= 1000 else 1 if value >= 10 else 2
    return f"{value:,.{digits}f} {unit}"
