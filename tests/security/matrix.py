"""The reviewed file of who may call what, as cells: one per row, caller and whose object it is."""

import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

Side = Literal["own", "foreign"]

FILE = Path(__file__).with_name("matrix.toml")
ANONYMOUS = "anonymous"
OK = 200


@dataclass(frozen=True, slots=True)
class Cell:
    """What a caller is to get: ``status`` 200 stands for any success."""

    row: str
    caller: str
    side: Side
    status: int

    @property
    def operation(self) -> str:
        """Method and path, without the name of the row's case."""
        return self.row.partition(" (")[0]

    @property
    def method(self) -> str:
        """The method."""
        return self.row.partition(" ")[0]

    @property
    def path(self) -> str:
        """The path's template, below ``/api/v1`` or at the service itself."""
        return self.operation.partition(" ")[2]

    @property
    def allowed(self) -> bool:
        """Whether the caller may."""
        return self.status == OK

    def __str__(self) -> str:
        return f"{self.row} | {self.caller} | {self.side}"


class Matrix:
    """The file, read. Raises :class:`AssertionError` for a word in it that means nothing."""

    def __init__(self, path: Path = FILE) -> None:
        content = tomllib.loads(path.read_text())
        self.callers: dict[str, str] = content.pop("callers")
        self._groups: dict[str, list[str]] = content.pop("groups")
        self.rows: dict[str, dict[str, Any]] = content
        known = {"own", "foreign", "refused", "hidden", "forbidden", "anonymous"}
        for name, row in self.rows.items():
            assert re.fullmatch(r"[A-Z]+ /[^ ]*( \(.+\))?", name), name
            assert row.keys() <= known, f"{name}: {row.keys() - known}"

    def _named(self, words: Iterable[str]) -> set[str]:
        found: set[str] = set()
        for word in words:
            assert word in self.callers or word in self._groups, f"{word} is no caller and no group"
            found |= self._named(self._groups[word]) if word in self._groups else {word}
        return found

    def _cells(self) -> Iterator[Cell]:
        sides: tuple[Side, ...] = ("own", "foreign")
        for name, row in self.rows.items():
            for side in sides:
                if side not in row:
                    continue
                may = self._named(row[side])
                assert ANONYMOUS in may or may < self.callers.keys(), name
                for caller in self.callers:
                    yield Cell(name, caller, side, OK if caller in may else self._refusal(name, row, caller))

    def _refusal(self, name: str, row: dict[str, Any], caller: str) -> int:
        if caller == ANONYMOUS:
            return int(row.get("anonymous", 401))
        if caller in self._named(row.get("hidden", ())):
            return 404
        if caller in self._named(row.get("forbidden", ())):
            return 403
        assert row.get("refused") in (403, 404), f"{name} does not say what {caller} gets"
        return int(row["refused"])

    @cached_property
    def cells(self) -> list[Cell]:
        """Every cell, in the file's order."""
        return list(self._cells())

    @property
    def operations(self) -> set[str]:
        """Every operation that has a row."""
        return {name.partition(" (")[0] for name in self.rows}
