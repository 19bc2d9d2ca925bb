"""The shift of this platform's clock, in the file that all its services read."""

import json
import re
import time
from datetime import UTC, datetime, timedelta
from typing import Final

from infra.local.errors import LocalError
from mission import place
from shared.clock import REREAD_SECONDS

UNITS: Final = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
DURATION: Final = re.compile(r"(?:\d+[wdhms])+")


def duration(text: str) -> timedelta:
    """Reads ``30d``, ``12h`` or ``1d12h`` (weeks, days, hours, minutes, seconds).

    Raises :class:`LocalError` for anything else.
    """
    if not DURATION.fullmatch(text):
        raise LocalError(f"{text!r} is not a length of time; write it as 30d, 12h or 1d12h.")
    parts = re.findall(r"(\d+)([wdhms])", text)
    try:
        return sum((timedelta(**{UNITS[unit]: int(number)}) for number, unit in parts), timedelta())
    except OverflowError as error:
        raise LocalError(f"{text!r} is longer than a calendar reaches.") from error


def shift() -> timedelta:
    """How far this platform's clock is ahead of the machine's."""
    try:
        return timedelta(seconds=json.loads(place.clock_file().read_text())["offset_seconds"])
    except FileNotFoundError:
        return timedelta()


def forward(by: timedelta) -> None:
    """Moves the clock of all services of this platform forward; on return all of them tell the new time."""
    _write(shift() + by)


def reset() -> None:
    """Takes the clock back to the machine's. What has happened in the future stays."""
    _write(timedelta())


def now() -> datetime:
    """The present instant of this platform, in UTC.

    Raises :class:`LocalError` when the clock is moved beyond what a calendar can hold.
    """
    try:
        return datetime.now(UTC) + shift()
    except OverflowError as error:
        raise LocalError("That is further than a calendar reaches; `bin/mission clock reset` takes it back.") from error


def _write(offset: timedelta) -> None:
    path = place.clock_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps({"offset_seconds": offset.total_seconds()}))
    draft.chmod(0o644)  # in a container its reader is somebody else
    draft.replace(path)
    # Until then processes may tell different times, and what one closes another still takes.
    time.sleep(REREAD_SECONDS)
