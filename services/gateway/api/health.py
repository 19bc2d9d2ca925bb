"""Whether the platform can be used."""

import asyncio
import time
from typing import Any, Final

import aiohttp
from fastapi import APIRouter
from fastapi.responses import JSONResponse

from services.gateway.routes import ROUTES
from services.gateway.upstreams import Upstreams
from shared.identity import Public
from shared.service import Service, ServiceDep

FRESH_SECONDS: Final = 0.5
PATIENCE_SECONDS: Final = 1.5
"""Below what a prober waits for this answer."""


class Readiness:
    """What the platform still waits for, asked at most twice a second, however many want to know."""

    def __init__(self, upstreams: Upstreams) -> None:
        self._upstreams = upstreams
        self._asked_at = -FRESH_SECONDS
        self._missing: dict[str, Any] = {}
        self._turn = asyncio.Lock()

    async def missing(self, gateway: Service) -> dict[str, Any]:
        """What is missing, by service: of each service, at least one instance must be ready."""
        async with self._turn:
            if time.monotonic() - self._asked_at >= FRESH_SECONDS:
                found = await asyncio.gather(gateway.missing(), *map(self._missing_of, ROUTES))
                named = zip(["gateway", *ROUTES], found, strict=True)
                self._missing = {name: missing for name, missing in named if missing}
                self._asked_at = time.monotonic()
            return self._missing

    async def _missing_of(self, service: str) -> list[str]:
        found = await asyncio.gather(*map(self._ask, self._upstreams.in_turn(service)))
        return min(found, key=len, default=["no address is set"])

    async def _ask(self, address: str) -> list[str]:
        try:
            async with (
                asyncio.timeout(PATIENCE_SECONDS),
                self._upstreams.client.get(f"{address}/health/ready") as answer,
            ):
                if answer.status == 200:
                    return []
                missing = (await answer.json()).get("missing")
                return [str(part) for part in missing] if missing else [f"status {answer.status}"]
        except (aiohttp.ClientError, TimeoutError, ValueError, AttributeError):
            return ["does not answer"]


def router(readiness: Readiness) -> APIRouter:
    """``/health/ready``: the platform's readiness, in place of this process's alone."""
    router = APIRouter(include_in_schema=False)

    @router.get("/health/ready")
    async def platform_ready(_: Public, gateway: ServiceDep) -> JSONResponse:
        missing = await readiness.missing(gateway)
        return JSONResponse({"status": "waiting" if missing else "ready", "missing": missing}, 503 if missing else 200)

    return router
