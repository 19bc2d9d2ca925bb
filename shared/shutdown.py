"""What happens between being asked to end and ending: uvicorn tells its app only after every response has finished."""

import asyncio
import signal
from collections.abc import Callable
from types import FrameType
from typing import Final

from uvicorn import Server

DRAIN_SECONDS: Final = 0.5
"""How long a process that was asked to end still listens, so that whoever sends it requests learns to send no more."""

Handler = Callable[[int, FrameType | None], None]


class _Orderly:
    """Stands before uvicorn's own signal handler: calls back at once, and lets uvicorn end after the drain."""

    def __init__(self, then: Handler, loop: asyncio.AbstractEventLoop) -> None:
        self.callbacks: list[Callable[[], None]] = []
        self._then = then
        self._loop = loop
        self._asked = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self._asked:
            # Asked again: without further delay.
            self._then(number, frame)
            return
        self._asked = True
        for callback in self.callbacks:
            callback()
        self._loop.call_soon_threadsafe(self._loop.call_later, DRAIN_SECONDS, self._then, number, frame)


def before_shutdown(callback: Callable[[], None]) -> None:
    """Has ``callback`` called in the main thread when the process is asked to end, :data:`DRAIN_SECONDS` before
    uvicorn begins to.

    Does nothing where uvicorn does not handle signals (an app that is served within a test).
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        present = signal.getsignal(number)
        if isinstance(getattr(present, "__self__", None), Server) and callable(present):
            present = _Orderly(present, asyncio.get_running_loop())
            signal.signal(number, present)
        if isinstance(present, _Orderly):
            present.callbacks.append(callback)
