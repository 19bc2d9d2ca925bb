"""The API's documentation: one OpenAPI document, pages that load nothing from other hosts, and the front page."""

import asyncio
import time
from importlib.resources import files
from typing import Annotated, Any, Final

import aiohttp
from fastapi import APIRouter, Path, Request
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, Response

from services.gateway import openapi
from services.gateway.cookies import Cookies
from services.gateway.routes import PREFIX, ROUTES
from services.gateway.upstreams import Upstreams
from shared.identity import Public
from shared.problems import Problem

FRESH_SECONDS: Final = 60.0
INCOMPLETE_FRESH_SECONDS: Final = 2.0
PATIENCE_SECONDS: Final = 10.0

SWAGGER_UI: Final = files("fastapi_swagger.resources")
ASSETS: Final = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon-32x32.png": "image/png",
}
DOCS_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Scripts, styles and requests of the documentation's pages: all from here, and nothing inline."""

DOCS_PAGE: Final = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<title>API - Cities Mission Platform</title>
<link rel="icon" href="{PREFIX}/docs/favicon-32x32.png">
<link rel="stylesheet" href="{PREFIX}/docs/swagger-ui.css">
</head>
<body>
<div id="docs"></div>
<noscript>These pages need JavaScript; the same is in <a href="{PREFIX}/openapi.json">openapi.json</a>.</noscript>
<script src="{PREFIX}/docs/swagger-ui-bundle.js"></script>
<script src="{PREFIX}/docs/start.js"></script>
</body>
</html>
"""

FRONT_PAGE: Final = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<title>Cities Mission Platform</title>
<style>
body{{font:1.125rem/1.5 system-ui,sans-serif;color:#1a1a1a;background:#fff;margin:0 auto;max-width:40rem;
padding:2rem 1rem}}
h1{{font-size:1.75rem;line-height:1.25}}
a{{color:#0b4fa0}}
a:focus-visible{{outline:3px solid #ffbf00;outline-offset:2px}}
dt{{font-weight:600;margin-top:1rem}}
dd{{margin:0}}
</style>
</head>
<body>
<main>
<h1>Cities Mission Platform</h1>
<p>One place where cities on their way to climate neutrality register, learn, meet, are selected fairly, and hear in
time what concerns them. This is the door for programs and for the portal.</p>
<dl>
<dt><a href="{PREFIX}/docs">The API, to read and to try</a></dt>
<dd>Every operation with its fields and answers; as one file: <a href="{PREFIX}/openapi.json">openapi.json</a></dd>
<dt><a href="{PREFIX}/catalogue/entries">The catalogue</a></dt>
<dd>Tools, knowledge, courses, programmes and support, without an account</dd>
<dt><a href="{PREFIX}/events">The calendar</a></dt>
<dd>Events of national platforms and our own, also <a href="{PREFIX}/feeds/calendar.ics">as a feed</a> for your
calendar program</dd>
<dt><a href="/health/ready">Is everything up?</a></dt>
<dd>What the platform still waits for, if anything</dd>
</dl>
</main>
</body>
</html>
"""


def start_script(cookies: Cookies) -> str:
    """Starts Swagger UI; what is tried out there by cookie repeats the CSRF token."""
    return f"""const csrf = () => document.cookie.split("; ").find((each) => each.startsWith("{cookies.csrf}="));
SwaggerUIBundle({{
  url: "{PREFIX}/openapi.json",
  dom_id: "#docs",
  deepLinking: true,
  filter: true,
  docExpansion: "none",
  defaultModelsExpandDepth: 0,
  validatorUrl: null,
  requestInterceptor: (request) => {{
    const token = csrf();
    if (token && request.method !== "GET") request.headers["X-CSRF-Token"] = token.split("=")[1];
    return request;
  }},
}});
"""


class Documents:
    """The merged document, made when somebody asks and kept for a minute."""

    def __init__(self, upstreams: Upstreams, cookies: Cookies) -> None:
        self._upstreams = upstreams
        self._cookies = cookies
        self._turn = asyncio.Lock()
        self._until = 0.0
        self._document: dict[str, Any] = {}

    async def document(self, own: dict[str, Any]) -> dict[str, Any]:
        """The document; ``own`` is the gateway's part."""
        async with self._turn:
            if time.monotonic() >= self._until:
                found = await asyncio.gather(*map(self._of, ROUTES))
                parts = {service: part for service, part in zip(ROUTES, found, strict=True) if part}
                self._document = openapi.merged({"gateway": own, **parts}, self._cookies, "1")
                fresh = FRESH_SECONDS if len(parts) == len(ROUTES) else INCOMPLETE_FRESH_SECONDS
                self._until = time.monotonic() + fresh
            return self._document

    async def _of(self, service: str) -> dict[str, Any] | None:
        for address in self._upstreams.in_turn(service):
            try:
                async with (
                    asyncio.timeout(PATIENCE_SECONDS),
                    self._upstreams.client.get(f"{address}/openapi.json") as answer,
                ):
                    if answer.status == 200:
                        document: dict[str, Any] = await answer.json()
                        return document
            except (aiohttp.ClientError, TimeoutError):
                continue
        return None


def router(documents: Documents, cookies: Cookies) -> APIRouter:
    """The pages; none of them is part of the API itself."""
    router = APIRouter(include_in_schema=False)
    script = start_script(cookies)

    @router.get("/")
    async def front_page(_: Public) -> HTMLResponse:
        return HTMLResponse(FRONT_PAGE)

    @router.get(f"{PREFIX}/openapi.json")
    async def openapi_document(request: Request, _: Public) -> JSONResponse:
        return JSONResponse(await documents.document(request.app.openapi()))

    @router.get(f"{PREFIX}/docs")
    async def docs_page(_: Public) -> HTMLResponse:
        return HTMLResponse(DOCS_PAGE, headers={"Content-Security-Policy": DOCS_POLICY})

    @router.get(f"{PREFIX}/docs/start.js")
    async def docs_start(_: Public) -> Response:
        return Response(script, media_type="text/javascript")

    @router.get(f"{PREFIX}/docs/{{asset}}")
    async def docs_asset(asset: Annotated[str, Path(max_length=40)], _: Public) -> FileResponse:
        kind = ASSETS.get(asset)
        if kind is None:
            raise Problem(404, "not-found", "Not Found")
        path = str(SWAGGER_UI.joinpath(asset))
        return FileResponse(path, media_type=kind, headers={"Cache-Control": "public, max-age=86400"})

    return router
