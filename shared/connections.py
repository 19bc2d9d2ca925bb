"""Limits on a connection before there is a request: how large its head may be, and how long it may take to arrive.

Uvicorn waits for ever for the rest of a request and keeps whatever comes until then; a handful of clients that send a
byte now and then would hold as many connections (CWE-400). Serve with ``--http shared.connections:Connection``.
"""

import asyncio
import json
import os
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from shared import problems
from shared.problems import Problem

MAX_HEAD_BYTES: Final = 32 * 1024
MAX_HEADERS: Final = 100
HEAD_SECONDS: Final = float(os.environ.get("MISSION_HEAD_SECONDS", "10"))
"""For the head of a request, from when the connection is made or the head begins."""

BODY_SECONDS: Final = float(os.environ.get("MISSION_BODY_SECONDS", "30"))
"""For its body, from the end of its head."""

LINGER_SECONDS: Final = 2.0
"""For the client to read why it was refused."""

PHRASES: Final = {400: "Bad Request", 408: "Request Timeout", 431: "Request Header Fields Too Large"}

SLOW: Final = Problem(408, "too-slow", "The request took too long to arrive.")
LARGE: Final = Problem(431, "head-too-large", "The request's head is too large, or has too many fields.")
BROKEN: Final = Problem(400, "malformed-request", "This is not a request of HTTP/1.1.")


class Connection(HttpToolsProtocol):
    """A connection that is refused and closed when a request's head is too large or the request comes too slowly."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._arriving = "head"
        self._head_bytes = 0
        self._refused = False
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client is there; its first request has to come."""
        super().connection_made(transport)
        self._wait(HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._no_longer_wait()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Takes what has come, and waits for the rest only so long."""
        if self._refused:
            return
        before = self._arriving
        if before == "head":
            self._head_bytes += len(data)
        super().data_received(data)
        if self._refused or self.transport.is_closing():
            return
        if self._arriving == "head" and self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(LARGE)
        elif self._arriving == "nothing":
            self._no_longer_wait()
        elif self._timer is None or self._arriving != before:
            self._wait(HEAD_SECONDS if self._arriving == "head" else BODY_SECONDS)

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()
        if self._arriving != "head":
            self._arriving, self._head_bytes = "head", 0

    def on_headers_complete(self) -> None:
        """A head is whole, and its body may follow."""
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if len(self.headers) > MAX_HEADERS or size > MAX_HEAD_BYTES:
            self._refuse(LARGE)
        if not self._refused:
            self._arriving = "body"
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of a body."""
        if not self._refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """A request is whole."""
        self._arriving, self._head_bytes = "nothing", 0
        if not self._refused:
            super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuses what cannot be read as a request."""
        self._refuse(BROKEN)

    def _should_upgrade_to_ws(self) -> bool:
        # Nothing here speaks WebSocket, and its connections would know none of these limits.
        return False

    def _wait(self, seconds: float) -> None:
        self._no_longer_wait()
        self._timer = self.loop.call_later(seconds, self._refuse, SLOW)

    def _no_longer_wait(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _refuse(self, problem: Problem) -> None:
        """Answers where an answer is due, and closes the connection."""
        self._refused = True
        cycle = self.cycle
        at_work = cycle is not None and not cycle.response_complete
        due = not at_work and self._head_bytes if self._arriving == "head" else at_work and not cycle.response_started
        if due:
            content = json.dumps(problems.body(problem)).encode()
            head = (
                f"HTTP/1.1 {problem.status} {PHRASES[problem.status]}\r\ncontent-type: {problems.MEDIA_TYPE}\r\n"
                f"content-length: {len(content)}\r\nconnection: close\r\n\r\n"
            )
            self.transport.write(head.encode() + content)
        if at_work:
            # What the service still says would come behind the refusal.
            cycle.disconnected = True
            cycle.message_event.set()
        # The refusal would be lost if the connection were reset while the client still sends.
        self._no_longer_wait()
        self.flow.resume_reading()
        self.transport.write_eof()
        self._timer = self.loop.call_later(LINGER_SECONDS, self.transport.close)
