"""Problems as HTTP answers: an app answers every error as one, and none with a stack trace."""

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from opentelemetry import trace
from starlette.exceptions import HTTPException

from shared.problems import MEDIA_TYPE, Problem, body

log = structlog.get_logger()

TITLES = {
    400: "bad-request",
    401: "not-signed-in",
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
    406: "not-acceptable",
    409: "conflict",
    413: "too-large",
    415: "unsupported-media-type",
    422: "invalid",
    429: "too-many-requests",
    500: "internal",
    503: "unavailable",
    504: "timed-out",
}


def response(problem: Problem) -> JSONResponse:
    """The problem as an HTTP response."""
    return JSONResponse(body(problem), problem.status, problem.headers, MEDIA_TYPE)


def _of_validation(error: RequestValidationError) -> Problem:
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return Problem(400, "malformed-json", "The body is not valid JSON.", params={"position": first["loc"][-1]})
    errors = [
        {"code": e["type"].replace("_", "-"), "field": ".".join(str(part) for part in e["loc"]), "message": e["msg"]}
        for e in error.errors()
    ]
    return Problem(422, "invalid", "Some fields of the request are not valid.", errors=errors[:50])


def install(app: FastAPI) -> None:
    """Makes the app answer every error as a problem and none with a stack trace.

    A :class:`Problem` itself is answered by :mod:`shared.idempotency`, which may know an earlier answer.
    """

    async def on_invalid(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        return response(_of_validation(error))

    async def on_http(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        code = TITLES.get(error.status_code, "error")
        return response(Problem(error.status_code, code, str(error.detail), headers=error.headers))

    async def on_crash(request: Request, error: Exception) -> JSONResponse:
        # Starlette answers for a crash outside all middleware, where the request's span has ended.
        with trace.use_span(request.scope.get("span", trace.INVALID_SPAN)):
            log.exception("request-failed", exc_info=error)
            return response(Problem(500, "internal", "Something went wrong here; the trace id helps us to find it."))

    app.add_exception_handler(Exception, on_crash)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(HTTPException, on_http)
