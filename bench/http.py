"""Callers that ask the same again and again, each on a connection of its own, with little work of their own."""

import asyncio
import re
import time
from typing import Final, cast
from urllib.parse import urlsplit

LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class _Caller(asyncio.Protocol):
    """One connection: asks, waits for the whole answer, asks again until the time is over."""

    def __init__(self, request: bytes, until: float) -> None:
        self._request = request
        self._until = until
        self._sent = 0.0
        self._received = b""
        self.took: list[float] = []
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._ask()

    def _ask(self) -> None:
        self._received = b""
        self._sent = time.perf_counter()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, body = self._received.partition(b"\r\n\r\n")
        if not separator:
            return
        length = LENGTH.search(head)
        if length is None or not head.startswith(b"HTTP/1.1 200 "):
            self._end(RuntimeError(f"unexpected answer: {head[:500]!r} {body[:500]!r}"))
            return
        if len(body) < int(length[1]):
            return
        now = time.perf_counter()
        self.took.append(now - self._sent)
        if now < self._until:
            self._ask()
        else:
            self._end(None)

    def connection_lost(self, error: Exception | None) -> None:
        self._end(RuntimeError(f"the server hung up: {error}"))

    def _end(self, error: Exception | None) -> None:
        if not self.done.done():
            if error is None:
                self.done.set_result(None)
            else:
                self.done.set_exception(error)
            self._transport.close()


async def ask(url: str, connections: int, seconds: float) -> list[float]:
    """Asks for ``seconds``; gives how many seconds each answer took.

    Raises :class:`RuntimeError` when one is not a 200 with a length.
    """
    parts = urlsplit(url)
    assert parts.hostname
    assert parts.port
    where = parts.hostname, parts.port
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    request = f"GET {target} HTTP/1.1\r\nhost: {parts.netloc}\r\naccept: application/json\r\n\r\n".encode()
    loop, until = asyncio.get_running_loop(), time.perf_counter() + seconds
    callers = [(await loop.create_connection(lambda: _Caller(request, until), *where))[1] for _ in range(connections)]
    await asyncio.gather(*(caller.done for caller in callers))
    return [each for caller in callers for each in caller.took]
