"""What a service's OpenAPI document says of refusals: those that an operation can answer, each a problem (RFC 9457).

They follow from what an operation takes and who may call it, so that no route has to list them. What follows from
nothing (410, 412 …) a route says itself in ``responses``.
"""

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, Final

from fastapi import FastAPI

from shared.problems import MEDIA_TYPE

Json = dict[str, Any]

METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
CHANGING: Final = frozenset({"put", "post", "delete", "patch"})
SCHEMAS: Final = "#/components/schemas/"
NOT_OURS: Final = ("HTTPValidationError", "ValidationError")
"""What FastAPI says of invalid requests by itself; here they are problems."""

PROBLEM: Final[Json] = {
    "title": "Problem",
    "description": "A refusal (RFC 9457). `code` is stable; `params` are the values in `detail`.",
    "type": "object",
    "required": ["type", "title", "status", "detail", "code", "params"],
    "properties": {
        "type": {"type": "string", "format": "uri", "examples": ["urn:eu-mission:problem:invalid"]},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string", "description": "One plain English sentence"},
        "code": {"type": "string"},
        "params": {"type": "object"},
        "errors": {
            "type": "array",
            "description": "One entry per field or reason",
            "items": {
                "type": "object",
                "required": ["code"],
                "properties": {
                    "code": {"type": "string"},
                    "field": {"type": ["string", "null"]},
                    "message": {"type": "string"},
                },
            },
        },
        "trace_id": {"type": "string", "description": "Helps to find what happened"},
    },
}
MEANINGS: Final = {
    400: "The request cannot be read: a body that is no JSON, a cursor or an `Idempotency-Key` that is none",
    401: "Nobody is signed in, or the access token is expired or forged",
    403: "The caller may not do this",
    404: "There is nothing of this id, or the caller may not know of it",
    409: "The present state does not allow it; with `Retry-After` it may in a moment",
    413: "The body is too large",
    415: "The body is not of a media type that is known here",
    422: "Some fields of the request are not valid",
    429: "Too many requests; `Retry-After` says when to try again",
    502: "The connection broke while this was worked on; look whether it was done before trying again",
    503: "This part of the platform is away for a moment; `Retry-After` says when to try again",
    504: "This took too long and was given up",
}
RESPONSES: Final[Json] = {
    f"Problem{status}": {"description": meaning, "content": {MEDIA_TYPE: {"schema": {"$ref": SCHEMAS + "Problem"}}}}
    for status, meaning in MEANINGS.items()
}
"""Components that the operations' responses refer to."""


def install(app: FastAPI) -> None:
    """Makes the app's document tell of problems."""
    plain = app.openapi

    @cache
    def document() -> Json:
        return completed(plain())

    app.openapi = document  # type: ignore[method-assign]


def completed(document: Json) -> Json:
    """The document with the problems that each operation can answer."""
    for path, method, operation in operations(document):
        add(operation, _refusals(path, method, operation))
    components = document.setdefault("components", {})
    schemas = components.get("schemas", {})
    ours = {name: schema for name, schema in schemas.items() if name not in NOT_OURS}
    return document | {"components": components | {"schemas": ours | {"Problem": PROBLEM}, "responses": RESPONSES}}


def add(operation: Json, statuses: Iterable[int]) -> None:
    """Adds problems of these statuses to an operation; what it says of them itself stays."""
    responses = operation.setdefault("responses", {})
    for status, response in responses.items():
        if status == "422" and "application/json" in response.get("content", {}):
            responses[status] = {"$ref": "#/components/responses/Problem422"}
        elif status[0] in "45" and "$ref" not in response:
            response.setdefault("content", {}).update(RESPONSES["Problem400"]["content"])
    for status in statuses:
        responses.setdefault(str(status), {"$ref": f"#/components/responses/Problem{status}"})
    operation["responses"] = dict(sorted(responses.items()))


def operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    """Path, method and content of each operation of a document."""
    for path, item in document.get("paths", {}).items():
        yield from ((path, method, item[method]) for method in METHODS if method in item)


def _refusals(path: str, method: str, operation: Json) -> Iterator[int]:
    parameters = operation.get("parameters", [])
    body = "requestBody" in operation
    yield from (401, 429, 503)
    if operation.get("security"):
        yield 403
    if "{" in path or body:
        yield 404
    if body:
        yield from (413, 415)
    if method in CHANGING:
        yield from (400, 409, 422)
    elif any(parameter["name"] == "cursor" for parameter in parameters):
        yield 400
    if parameters:
        yield 422
