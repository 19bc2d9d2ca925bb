"""The gateway's own pages."""

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from shared.identity import Public
from shared.service import ServiceDep

health = APIRouter(include_in_schema=False)


@health.get("/health/ready")
async def ready(caller: Public, service: ServiceDep) -> JSONResponse:
    """Whether the platform can be used."""
    missing = await service.missing()
    return JSONResponse({"status": "waiting" if missing else "ready", "missing": missing}, 503 if missing else 200)
