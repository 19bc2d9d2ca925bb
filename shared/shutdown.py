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
    """Stands before uvicorn's own signal handler: calls back at once, and lets uvicorn end after the drain.

    On a socket that another process keeps open (``--fd``) it listens no more: whoever comes now waits for a successor.
    """

    def __init__(self, then: Handler, server: Server, loop: asyncio.AbstractEventLoop) -> None:
        self.callbacks: list[Callable[[], None]] = []
        self._then = then
        self._server = server
        self._loop = loop
        self._asked = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self._asked:
            # Asked again: without further delay.
            self._then(number, frame)
            return
        self._asked = True
        self._loop.call_soon_threadsafe(self._prepare)
        self._loop.call_soon_threadsafe(self._loop.call_later, DRAIN_SECONDS, self._then, number, frame)

    def _prepare(self) -> None:
        for callback in self.callbacks:
            callback()
        if self._server.config.fd is not None:
            for each in self._server.servers:
                each.close()


def served() -> bool:
    """Whether uvicorn serves this process, which is then one service's alone; a test serves apps within its own.

    True once :func:`before_shutdown` was called.
    """
    return isinstance(signal.getsignal(signal.SIGTERM), _Orderly)


def before_shutdown(callback: Callable[[], None]) -> None:
    """Has ``callback`` called in the event loop when the process is asked to end, :data:`DRAIN_SECONDS` before uvicorn
    begins to.

    Does nothing where uvicorn does not handle signals (an app that is served within a test).
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        present = signal.getsignal(number)
        server = getattr(present, "__self__", None)
        if isinstance(server, Server) and callable(present):
            present = _Orderly(present, server, asyncio.get_running_loop())
            signal.signal(number, present)
        if isinstance(present, _Orderly):
            present.callbacks.append(callback)
