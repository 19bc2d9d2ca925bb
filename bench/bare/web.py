"""HTTP servers of the libraries alone."""

import os
from typing import Any

import aiohttp
from fastapi import FastAPI, Response
from starlette.types import Receive, Scope, Send

from bench.bare.parts import application


def constant() -> FastAPI:
    """A FastAPI route that answers with constant bytes, as many as ``BENCH_BYTES`` says."""
    app = application()
    content = b"x" * int(os.environ["BENCH_BYTES"])

    @app.get("/constant")
    async def read() -> Response:
        return Response(content, media_type="application/json")

    return app


class Stub:
    """The service behind a gateway: answers everything at once, as cheaply as ASGI can."""

    def __init__(self) -> None:
        self._body = b"x" * int(os.environ["BENCH_BYTES"])
        length = str(len(self._body)).encode()
        self._headers = [(b"content-type", b"application/json"), (b"content-length", length)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": self._headers})
            await send({"type": "http.response.body", "body": self._body})


class Forwarding:
    """A gateway that is aiohttp's client and nothing else, to the server at ``BENCH_UPSTREAM``."""

    def __init__(self) -> None:
        self._upstream = os.environ["BENCH_UPSTREAM"]
        self._client: aiohttp.ClientSession | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http":
            return
        if self._client is None:
            self._client = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        async with self._client.get(self._upstream + scope["path"]) as answer:
            content = await answer.read()
            headers: list[Any] = [
                (b"content-type", b"application/json"),
                (b"content-length", str(len(content)).encode()),
            ]
            await send({"type": "http.response.start", "status": answer.status, "headers": headers})
            await send({"type": "http.response.body", "body": content})
