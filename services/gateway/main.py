"""Puts the gateway together."""

from fastapi import FastAPI
from starlette.middleware import Middleware

from services.gateway.api import documents, health, sessions
from services.gateway.door import Door
from services.gateway.proxy import Proxy
from services.gateway.sessions import Sessions
from services.gateway.settings import GatewaySettings
from services.gateway.upstreams import Upstreams
from shared.service import Service, create_service
from shared.settings import secrets_dir
from shared.shutdown import before_shutdown


def create_app(settings: GatewaySettings | None = None) -> FastAPI:
    """The gateway. Serve it without uvicorn's own handling of proxies' headers (``--no-proxy-headers``).

    uvicorn believes ``X-Forwarded-For`` from loopback by itself; here a setting says whose is believed.
    """
    settings = settings or GatewaySettings(_secrets_dir=secrets_dir(), service="gateway")
    upstreams = Upstreams(settings.upstreams, settings.connect_seconds)
    proxy = Proxy(upstreams, settings.total_seconds, settings.max_body_bytes, settings.open_streams)
    browsers = Sessions(settings, proxy)

    async def start(_: Service) -> None:
        before_shutdown(proxy.end_streams)

    async def close(_: Service) -> None:
        await upstreams.close()

    return create_service(
        "gateway",
        title="Cities Mission Platform",
        routers=[
            health.router(health.Readiness(upstreams)),
            sessions.router(browsers, settings.origin),
            documents.router(documents.Documents(upstreams, browsers.cookies), browsers.cookies),
        ],
        inbox=None,
        on_start=[start],
        on_stop=[close],
        settings=settings,
        middleware=[Middleware(Door, settings=settings, proxy=proxy, sessions=browsers)],
    )
