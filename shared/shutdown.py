"""Tells streams that the process is asked to end: uvicorn tells its app only after every response has finished."""

import signal
from collections.abc import Callable
from types import FrameType

from uvicorn import Server

Handler = Callable[[int, FrameType | None], None]


def before_shutdown(callback: Callable[[], None]) -> None:
    """Has ``callback`` called in the main thread when the process is asked to end, before uvicorn's own handler.

    Does nothing where uvicorn does not handle signals (an app that is served within a test).
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        present = signal.getsignal(number)
        if callable(present) and isinstance(getattr(present, "__self__", None), Server):
            signal.signal(number, _first(callback, present))


def _first(callback: Callable[[], None], then: Handler) -> Handler:
    def handle(number: int, frame: FrameType | None) -> None:
        callback()
        then(number, frame)

    return handle
