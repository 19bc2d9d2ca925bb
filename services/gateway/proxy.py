"""Hands a request on to a service and its answer back, both as streams.

This is plain ASGI and not a FastAPI route: it is on the way of every request, and routing, dependencies and response
models would cost more than all that is done here.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Final

import aiohttp
import structlog
from opentelemetry import propagate
from prometheus_client import Counter
from starlette.types import Receive, Scope, Send
from yarl import URL

from services.gateway import headers
from services.gateway.routes import PREFIX
from services.gateway.upstreams import Upstreams
from shared import problem_answers
from shared.admission import NOT_TAKEN_HEADER
from shared.identity import ARRIVAL_HEADER
from shared.problems import Problem

REPEATABLE: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
"""Idempotent methods (RFC 9110, section 9.2.2): doing them twice does no more than doing them once."""

SMALL_BYTES: Final = 64 * 1024
"""Answers up to this size are handed back in one piece, which saves a packet."""

RETRY_AFTER: Final = {"Retry-After": "2"}

FAILURES = Counter(
    "mission_gateway_upstream_failures_total", "Requests that a service did not answer", ["upstream", "why"]
)
log = structlog.get_logger()


class Gone(Exception):
    """The client hung up."""


class Body:
    """A request's body on its way: whole when it came in one piece, else a stream that can be sent only once."""

    def __init__(self, scope: Scope, receive: Receive, max_bytes: int) -> None:
        length = headers.value(scope["headers"], b"content-length")
        self._present = headers.value(scope["headers"], b"transfer-encoding") is not None or length not in (None, b"0")
        self._receive = receive
        self._max = max_bytes
        self._rest = False
        self._whole = b""
        self.streaming = False
        self.failure: Exception | None = None

    async def open(self) -> None:
        """Waits for the first piece. Raises a 413 problem, and :class:`Gone`."""
        if self._present:
            self._whole, self._rest = await self._next(0)

    async def _next(self, received: int) -> tuple[bytes, bool]:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise Gone
        piece: bytes = message.get("body", b"")
        if received + len(piece) > self._max:
            raise too_large(self._max)
        return piece, message.get("more_body", False)

    def data(self) -> bytes | AsyncIterator[bytes] | None:
        """What aiohttp sends."""
        if not self._present:
            return None
        return self._stream() if self._rest else self._whole

    async def _stream(self) -> AsyncIterator[bytes]:
        # What goes wrong here ends in aiohttp's hands, so it is kept for the proxy to find.
        self.streaming = True
        received, more = len(self._whole), True
        yield self._whole
        try:
            while more:
                piece, more = await self._next(received)
                received += len(piece)
                yield piece
        except (Gone, Problem) as failure:
            self.failure = failure
            raise


def too_large(limit: int) -> Problem:
    """413 for a body above the limit, in bytes."""
    return Problem(413, "too-large", f"The body is larger than {limit} bytes.", params={"limit": limit})


def away(service: str) -> Problem:
    """503 for a service of which no instance can be reached."""
    detail = "This part of the platform is away for a moment; the rest works. Try again."
    return Problem(503, "service-unavailable", detail, params={"service": service}, headers=RETRY_AFTER)


class Streams:
    """The streams of events that callers hold open, each at most ``most``."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: dict[str, int] = {}
        self.ending = asyncio.Event()
        """Set when they have to end, because the gateway does; browsers come back by themselves."""

    @contextmanager
    def one(self, caller: str) -> Iterator[None]:
        """One more for this caller, for as long as the block runs. Raises a 429 problem when there are too many."""
        count = self._open.get(caller, 0)
        if count >= self._most:
            detail = f"You hold {count} streams open; close one first."
            raise Problem(429, "too-many-streams", detail, params={"streams": count}, headers={"Retry-After": "10"})
        self._open[caller] = count + 1
        try:
            yield
        finally:
            self._open[caller] -= 1
            if not self._open[caller]:
                del self._open[caller]


class Proxy:
    """The way to the services and back. ``total_seconds`` bounds an exchange from start to end, streams apart."""

    def __init__(self, upstreams: Upstreams, total_seconds: float, max_body_bytes: int, open_streams: int) -> None:
        self._upstreams = upstreams
        self._total = total_seconds
        self._max_body = max_body_bytes
        self._streams = Streams(open_streams)

    def end_streams(self) -> None:
        """Ends every stream of events, for the process ends."""
        self._streams.ending.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send, service: str) -> None:
        """Serves one request by a service.

        The door has put into the scope: ``arrival``, the signed statement of when the request arrived,
        ``client_address``, and ``caller_bucket``, whose limits it counts towards.
        """
        body = Body(scope, receive, self._max_body)
        exchange = Exchange(self._upstreams, self._streams, scope, receive, send, service, body)
        try:
            async with asyncio.timeout(self._total) as limit:
                await exchange.run(limit)
            return
        except Problem as found:
            problem = found
        except TimeoutError:
            FAILURES.labels(service, "timed-out").inc()
            problem = Problem(
                504,
                "timed-out",
                "This took too long and was given up.",
                params={"service": service},
                headers=RETRY_AFTER,
            )
        except Gone:
            return
        if exchange.answering:
            # Too late for a problem: ending without the end is what tells the client that something is missing.
            log.warning("answer-broken-off", service=service, code=problem.code)
            return
        await problem_answers.response(problem)(scope, receive, send)


class Exchange:
    """One request and its answer."""

    def __init__(
        self,
        upstreams: Upstreams,
        streams: Streams,
        scope: Scope,
        receive: Receive,
        send: Send,
        service: str,
        body: Body,
    ) -> None:
        self._upstreams = upstreams
        self._streams = streams
        self._scope = scope
        self._receive = receive
        self._send = send
        self._service = service
        self._body = body
        self.answering = False

    async def run(self, limit: asyncio.Timeout) -> None:
        """Tries the instances in turn until one takes the request, then hands its answer back."""
        await self._body.open()
        target = self._target()
        sent_headers = self._headers()
        repeatable = self._scope["method"] in REPEATABLE or any(name == "idempotency-key" for name, _ in sent_headers)
        for address in self._upstreams.in_turn(self._service):
            try:
                async with self._upstreams.client.request(
                    self._scope["method"],
                    URL(address + target, encoded=True),
                    headers=sent_headers,
                    data=self._body.data(),
                    allow_redirects=False,
                ) as answer:
                    if NOT_TAKEN_HEADER not in answer.headers or self._body.streaming:
                        self._upstreams.answered(address)
                        await self._hand_back(answer, limit)
                        return
                    self._upstreams.rest(address)
            except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
                # Nothing was sent, so another instance may have it, whatever it is.
                self._upstreams.rest(address)
            except aiohttp.ClientError as error:
                if self._body.failure is not None:
                    raise self._body.failure from None
                self._broken(error, repeatable)
        FAILURES.labels(self._service, "unreachable").inc()
        raise away(self._service)

    def _broken(self, error: aiohttp.ClientError, repeatable: bool) -> None:
        """The connection broke after the request was sent. Returns when it may be sent again."""
        FAILURES.labels(self._service, "connection-lost").inc()
        log.warning("connection-lost", service=self._service, error=repr(error))
        if self.answering or not repeatable or self._body.streaming:
            detail = "The connection broke while this was worked on; look whether it was done before you try again."
            raise Problem(502, "connection-lost", detail, params={"service": self._service}) from None

    def _target(self) -> str:
        path: bytes = self._scope["raw_path"]
        query: bytes = self._scope["query_string"]
        return (path[len(PREFIX) :] + (b"?" + query if query else b"")).decode("latin-1")

    def _headers(self) -> list[tuple[str, str]]:
        scope = self._scope
        carrier: dict[str, str] = {}
        propagate.inject(carrier)
        client = scope["client_address"]
        return [
            *headers.to_service(scope["headers"]),
            *carrier.items(),
            (ARRIVAL_HEADER, scope["arrival"]),
            ("x-request-id", scope["request_id"]),
            ("x-forwarded-for", client),
        ]

    async def _hand_back(self, answer: aiohttp.ClientResponse, limit: asyncio.Timeout) -> None:
        start = {
            "type": "http.response.start",
            "status": answer.status,
            "headers": headers.from_service(answer.raw_headers),
        }
        length = answer.content_length
        if length is not None and length <= SMALL_BYTES:
            content = await answer.read()
            self.answering = True
            await self._send(start)
            await self._send({"type": "http.response.body", "body": content})
            return
        if answer.content_type == "text/event-stream":
            with self._streams.one(self._scope["caller_bucket"]):
                limit.reschedule(None)
                self.answering = True
                await self._send(start)
                await self._stream(answer)
        else:
            self.answering = True
            await self._send(start)
            await self._pump(answer)

    async def _pump(self, answer: aiohttp.ClientResponse) -> None:
        async for piece in answer.content.iter_any():
            await self._send({"type": "http.response.body", "body": piece, "more_body": True})
        await self._send({"type": "http.response.body", "body": b""})

    async def _stream(self, answer: aiohttp.ClientResponse) -> None:
        """Hands a stream of events on until one side ends it; a client that has gone does not hold the service."""
        pump = asyncio.create_task(self._pump(answer))
        hung_up = asyncio.create_task(self._until_hung_up())
        ending = asyncio.create_task(self._streams.ending.wait())
        try:
            await asyncio.wait({pump, hung_up, ending}, return_when=asyncio.FIRST_COMPLETED)
            if not pump.done() and not hung_up.done():
                pump.cancel()
                await asyncio.gather(pump, return_exceptions=True)
                await self._send({"type": "http.response.body", "body": b""})
        finally:
            for task in (pump, hung_up, ending):
                task.cancel()
            await asyncio.gather(pump, hung_up, ending, return_exceptions=True)

    async def _until_hung_up(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
