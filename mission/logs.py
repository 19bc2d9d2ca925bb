"""The services' logs, one JSON object per line, made readable in a terminal."""

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from rich.text import Text

from infra.local.errors import LocalError
from infra.local.process import tail
from mission import place
from mission.terminal import one_line

STYLES: Final = {"debug": "dim", "info": "green", "warning": "yellow", "error": "red", "critical": "bold red"}
POLL_SECONDS: Final = 0.2
INFRASTRUCTURE: Final = ("kafka", "mongo", "mail")
"""Their logs are shown only when they are asked for."""


def files(names: Sequence[str]) -> list[Path]:
    """The log files of these services or processes, or of all services.

    Raises :class:`LocalError` for a name that has none.
    """
    present = sorted((place.home() / "logs").glob("*.log"))
    if not names:
        return [path for path in present if path.stem not in INFRASTRUCTURE]
    chosen = [path for path in present if path.stem in names or path.stem.rpartition("-")[0] in names]
    for name in names:
        if not any(name in (path.stem, path.stem.rpartition("-")[0]) for path in chosen):
            known = ", ".join(path.stem for path in present)
            raise LocalError(f"{name} has no log yet; there are logs of {known or 'nothing'}.")
    return chosen


def last(paths: Iterable[Path], lines: int) -> list[Text]:
    """The last lines of these files together, in the order of time."""
    entries: list[tuple[str, Text]] = []
    for path in paths:
        moment = ""
        for line in tail(path, lines).splitlines():
            fields = _fields(line)
            moment = str(fields.get("timestamp", moment)) if fields else line[:30] if line[:4].isdigit() else moment
            entries.append((moment, render(path.stem, line)))
    entries.sort(key=lambda entry: entry[0])
    return [text for _, text in entries[-lines:]]


def follow(paths: Iterable[Path]) -> Iterator[Text]:
    """New lines as they are written, without end; a file that begins anew is read from its beginning."""
    offsets = {path: path.stat().st_size for path in paths}
    while True:
        for path, offset in offsets.items():
            if not path.exists():
                continue
            with path.open("rb") as file:
                file.seek(offset if path.stat().st_size >= offset else 0)
                whole, _, rest = file.read().rpartition(b"\n")
                offsets[path] = file.tell() - len(rest)
            for line in whole.splitlines():
                yield render(path.stem, line.decode(errors="replace"))
        time.sleep(POLL_SECONDS)


def render(process: str, line: str) -> Text:
    """One line for people: time, process, level, what happened, and the rest as ``name=value``."""
    fields = _fields(line)
    if fields is None:
        return Text.assemble((f"{process:<22} ", "cyan"), line)
    level = str(fields.pop("level", "info"))
    moment = str(fields.pop("timestamp", ""))[11:23]
    event = one_line(str(fields.pop("event", "")))
    trace = fields.pop("exception", "")
    text = Text.assemble(
        (f"{moment} ", "dim"), (f"{process:<22} ", "cyan"), (f"{level:<8} ", STYLES.get(level, "")), (event, "bold")
    )
    for name, value in fields.items():
        text.append(f" {name}=", "dim").append(one_line(str(value)))
    return text.append(f"\n{trace}", "red") if trace else text


def _fields(line: str) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
