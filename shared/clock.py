"""The clock that everything about the domain is judged by. Tokens are not: they live by the machine's clock."""

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

REREAD_SECONDS = 0.2


class Clock:
    """Tells the present instant in UTC, to the millisecond (the store's resolution).

    A local platform can be moved forward for all its processes at once by a file that holds
    ``{"offset_seconds": n}``; without a file the clock is the machine's.
    """

    def __init__(self, shift_file: Path | None = None) -> None:
        self._file = shift_file
        self._offset = timedelta()
        self._read_at = -REREAD_SECONDS

    def now(self) -> datetime:
        """The present instant, shifted when the platform's clock was moved."""
        instant = datetime.now(UTC) + self._shift()
        return instant.replace(microsecond=instant.microsecond // 1000 * 1000)

    def _shift(self) -> timedelta:
        if self._file is not None and time.monotonic() - self._read_at >= REREAD_SECONDS:
            self._read_at = time.monotonic()
            try:
                self._offset = timedelta(seconds=json.loads(self._file.read_text())["offset_seconds"])
            except FileNotFoundError:
                self._offset = timedelta()
        return self._offset
