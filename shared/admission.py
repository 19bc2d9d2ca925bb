"""A process that cannot serve now says so before it has done anything, so that another instance can serve."""

from collections.abc import Callable
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from shared.problem_answers import response
from shared.problems import Problem

NOT_TAKEN_HEADER: Final = "mission-not-taken"
"""On a 503 of a process that has not looked at the request; the gateway gives it to another instance."""

ALWAYS: Final = ("/health/", "/metrics")


class Admission:
    """ASGI middleware: 503 for what ``hindrance`` speaks against.

    It is told whether the request carries credentials, and says why the process cannot take it, None when it can.
    """

    def __init__(self, app: ASGIApp, hindrance: Callable[[bool], str | None]) -> None:
        self._app = app
        self._hindrance = hindrance

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request, or refuses it."""
        if scope["type"] == "http" and not scope["path"].startswith(ALWAYS):
            signed = any(name == b"authorization" for name, _ in scope["headers"])
            if why := self._hindrance(signed):
                headers = {"Retry-After": "1", "Connection": "close", NOT_TAKEN_HEADER: why}
                problem = Problem(503, "unavailable", f"This instance is {why}; try again.", headers=headers)
                await response(problem)(scope, receive, send)
                return
        await self._app(scope, receive, send)
