"""A running gateway, and small services behind it whose every move the test decides."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import Response, StreamingResponse

from services.gateway.main import create_app
from services.gateway.settings import GatewaySettings
from shared.testing import Tokens, eventually, serving
from tests.service.conftest import SettingsFor

Gateway = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


class Behind:
    """A service that answers what it was sent, or what the test wants."""

    def __init__(self, name: str = "first") -> None:
        self.name = name
        self.seen = 0
        self.release = asyncio.Event()
        self.hung_up = asyncio.Event()
        self.app = FastAPI()
        self.app.get("/health/ready")(self.ready)
        self.app.get("/stream")(self.stream)
        self.app.get("/catalogue/slow")(self.slow)
        self.app.get("/catalogue/large")(self.large)
        self.app.get("/catalogue/moved")(self.moved)
        methods = ["GET", "POST", "PUT", "DELETE"]
        self.app.api_route("/{path:path}", methods=methods, include_in_schema=False)(self.echo)

    async def ready(self) -> dict[str, str]:
        return {"status": "ready"}

    async def echo(self, request: Request) -> dict[str, Any]:
        self.seen += 1
        return {
            "by": self.name,
            "method": request.method,
            "path": request.scope["raw_path"].decode(),
            "query": request.url.query,
            "headers": dict(request.headers),
            "client": request.client.host if request.client else None,
            "bytes": len(await request.body()),
        }

    async def moved(self) -> Response:
        return Response(status_code=303, headers={"Location": "/catalogue/elsewhere", "Set-Cookie": "own=1"})

    async def slow(self) -> dict[str, str]:
        await self.release.wait()
        return {"status": "late"}

    async def large(self) -> StreamingResponse:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"first"
            await self.release.wait()
            yield b"last"

        return StreamingResponse(pieces(), media_type="application/octet-stream")

    async def stream(self) -> StreamingResponse:
        async def events() -> AsyncIterator[bytes]:
            try:
                yield b"data: one\n\n"
                await self.release.wait()
                yield b"data: two\n\n"
                await asyncio.Event().wait()
            finally:
                self.hung_up.set()

        return StreamingResponse(events(), media_type="text/event-stream")


@pytest.fixture
def behind() -> Behind:
    """What is behind the door."""
    return Behind()


@pytest.fixture
def gateway(settings_for: SettingsFor, tokens: Tokens) -> Gateway:
    """``async with gateway({"catalogue": [address]}, address_rate=1) as client``; it knows the tokens' key."""

    @asynccontextmanager
    async def make(upstreams: dict[str, list[str]], **changes: Any) -> AsyncIterator[httpx.AsyncClient]:
        settings = settings_for("gateway", model=GatewaySettings, upstreams=upstreams, **changes)
        assert isinstance(settings, GatewaySettings)
        app = create_app(settings)
        async with serving(app, until_ready=False, proxy_headers=False) as client:

            async def knows_keys() -> bool:
                return tokens.kid in app.state.service.keys._keys

            await eventually(knows_keys, "the gateway knows the key that tests sign with")
            yield client

    return make


@pytest.fixture
async def door(gateway: Gateway, behind: Behind) -> AsyncIterator[httpx.AsyncClient]:
    """The gateway in front of one service that is everything."""
    async with serving(behind.app) as service:
        address = str(service.base_url)
        async with gateway({"catalogue": [address], "notification": [address]}) as client:
            yield client


@contextlib.contextmanager
def closed_port() -> Any:
    """An address where nothing listens, for as long as the block runs."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"
