"""Starts the building of a service's projections where the service runs, follows it, and says what came of it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from rich.table import Column, Table

from infra.compose.stack import ComposeStack
from infra.local.errors import LocalError
from infra.local.stack import ROOT, LocalStack
from infra.stack import Stack


@dataclass(frozen=True, slots=True)
class Report:
    """What came of it: rows and differing rows per projection, the first difference, and whether it was switched."""

    generation: int
    rows: dict[str, int]
    differing: dict[str, int]
    aside: int
    first: str | None
    switched: bool

    @property
    def equal(self) -> bool:
        """Whether both generations say the same."""
        return self.first is None


def replay(
    stack: Stack, service: str, progress: Callable[[int, int], None], *, dry_run: bool, accept: bool, anew: bool
) -> Report:
    """Builds, compares and switches; ``progress`` hears how many records of how many were read.

    Raises :class:`LocalError` when it cannot be done; the present generation is then untouched.
    """
    options = [name for name, on in (("--dry-run", dry_run), ("--accept", accept), ("--anew", anew)) if on]
    problem = "the building was ended from outside; the same command goes on where it was"
    for told in _lines(stack, service, options):
        if "read" in told:
            progress(told["read"], told["all"])
        elif report := told.get("report"):
            comparison = report["comparison"]
            rows, differing, aside = comparison["rows"], comparison["differing"], comparison["aside"]
            return Report(report["generation"], rows, differing, aside, report["first"], report["switched"])
        else:
            problem = told["problem"]
    raise LocalError(f"{service}: {problem}")


def _lines(stack: Stack, service: str, options: list[str]) -> Iterator[dict[str, Any]]:
    module = ["-m", "infra.rebuild", *options]
    if isinstance(stack, ComposeStack):
        command, environment = stack.inside(service, "python", *module), stack.environment()
    else:
        assert isinstance(stack, LocalStack)
        command, environment = [sys.executable, *module], os.environ | stack.settings_for(service, 0)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment) as process:
        assert process.stdout is not None
        for line in process.stdout:
            yield json.loads(line)


def table(report: Report) -> Table:
    """The projections with their rows."""
    found = Table("projection", Column("rows", justify="right"), Column("different", justify="right"))
    for name, rows in report.rows.items():
        found.add_row(name, str(rows), str(report.differing[name] or ""))
    return found


def outcome(report: Report) -> Iterator[str]:
    """In sentences: whether both are equal, the first difference, and which generation is the present one."""
    if report.equal:
        yield "The new generation says the same as the present one."
    else:
        yield f"Rows that differ: {sum(report.differing.values())}. The first (present -> new): {report.first}"
    if report.aside:
        yield f"Rows of erased persons, left aside: {report.aside}."
    if report.switched:
        yield f"Generation {report.generation} is the present one now."
    else:
        yield "Nothing was switched; the new generation is thrown away."
