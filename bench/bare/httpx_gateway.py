"""The platform's gateway with httpx in the place of aiohttp's client, and nothing else changed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from fastapi import FastAPI
from yarl import URL

from services.gateway import main, upstreams


class Answer:
    """An answer of httpx, by the names that the gateway uses."""

    def __init__(self, answer: httpx.Response) -> None:
        self._answer = answer
        self.status = answer.status_code
        self.headers = answer.headers
        self.raw_headers = answer.headers.raw
        self.content_type = answer.headers.get("content-type", "")
        self.content_length = int(answer.headers["content-length"])

    async def read(self) -> bytes:
        """The whole body."""
        return await self._answer.aread()


class Client:
    """httpx's client, by the names that the gateway uses."""

    def __init__(self) -> None:
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
        self._client = httpx.AsyncClient(timeout=30, limits=limits, trust_env=False)

    @asynccontextmanager
    async def request(
        self, method: str, url: URL, *, headers: list[tuple[str, str]], data: Any, allow_redirects: bool
    ) -> AsyncIterator[Answer]:
        """One exchange."""
        stream = self._client.stream(method, str(url), headers=headers, content=data, follow_redirects=allow_redirects)
        async with stream as answer:
            yield Answer(answer)

    async def close(self) -> None:
        """Closes all connections."""
        await self._client.aclose()


class Upstreams(upstreams.Upstreams):
    """The gateway's upstreams, asked by httpx."""

    @property
    def client(self) -> Any:
        """The client of all instances."""
        if self._client is None:
            self._client = Client()  # type: ignore[assignment]
        return self._client


def create_app() -> FastAPI:
    """The gateway."""
    main.Upstreams = Upstreams  # type: ignore[attr-defined]
    return main.create_app()
