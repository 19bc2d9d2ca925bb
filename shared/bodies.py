"""Limits on what comes in through the HTTP door, before any of it is parsed."""

from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.problem_answers import response
from shared.problems import Problem


class Body(BaseModel):
    """Base of every request body: unknown fields are refused, text is stripped of blanks at its ends."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True, frozen=True)


class BodyLimits:
    """ASGI middleware: refuses bodies that are too large (413), compressed or not JSON (415)."""

    def __init__(self, app: ASGIApp, max_bytes: int, other_types: tuple[str, ...] = ()) -> None:
        self._app = app
        self._max = max_bytes
        self._types = ("application/json", *other_types)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        length = headers.get(b"content-length", b"0")
        announced = int(length) if length.isdigit() else 0
        has_body = announced > 0 or b"transfer-encoding" in headers
        kind = headers.get(b"content-type", b"").decode("latin-1").partition(";")[0].strip().lower()
        if announced > self._max:
            await response(self._too_large())(scope, receive, send)
            return
        if has_body and scope["method"] in {"POST", "PUT", "PATCH"} and kind not in self._types:
            known = " or ".join(self._types)
            problem = Problem(415, "unsupported-media-type", f"The body must be {known}.", params={"given": kind[:100]})
            await response(problem)(scope, receive, send)
            return
        if has_body and headers.get(b"content-encoding", b"identity").lower() != b"identity":
            # A small body would have to be unpacked to learn how large it is.
            problem = Problem(
                415, "encoding-unsupported", "The body must not be compressed.", headers={"Accept-Encoding": "identity"}
            )
            await response(problem)(scope, receive, send)
            return
        received = 0

        async def bounded() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max:
                problem = self._too_large()
                # FastAPI lets only its own exception through while it reads a body.
                raise HTTPException(problem.status, problem.detail)
            return message

        await self._app(scope, bounded, send)

    def _too_large(self) -> Problem:
        return Problem(413, "too-large", f"The body is larger than {self._max} bytes.", params={"limit": self._max})
