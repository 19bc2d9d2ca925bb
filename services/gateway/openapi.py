"""One OpenAPI document of the whole platform, made from those of the services.

Each service describes itself at ``/openapi.json``. Here their paths get the prefix of the door, schemas of the same
name and another content get the service's name before theirs, and what holds for all is said once: how to sign in,
and that every error is a problem (RFC 9457).
"""

import copy
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, Final

from services.gateway.cookies import Cookies
from services.gateway.routes import PREFIX, ROUTES

Json = dict[str, Any]

SCHEMAS: Final = "#/components/schemas/"
METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
NOT_OURS: Final = frozenset({"HTTPValidationError", "ValidationError"})
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
PROBLEM_CONTENT: Final[Json] = {"application/problem+json": {"schema": {"$ref": SCHEMAS + "Problem"}}}

IDEMPOTENCY_KEY: Final[Json] = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "Any text of your own: a request repeated with it gets the first answer again, without effect.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$"},
}
DESCRIPTION: Final = (
    "Everything that the platform can do, through one door. Programs send access tokens as bearer tokens; browsers"
    " hold sessions in cookies and repeat the CSRF token in `X-CSRF-Token` when they change something. Who asks too"
    " often gets 429 with `Retry-After`."
)


def merged(documents: Mapping[str, Json], cookies: Cookies, version: str) -> Json:
    """The platform's document from those of the services (and the gateway's own, under ``gateway``).

    A service that is not among them is named in ``info.x-missing-services``.
    """
    documents = {service: copy.deepcopy(document) for service, document in documents.items()}
    clashing = _clashing({service: _schemas(document) for service, document in documents.items()})
    schemas: Json = {"Problem": PROBLEM}
    paths: Json = {}
    tags: list[Json] = []
    taken = Counter(operation.get("operationId") for each in documents.values() for operation in _operations(each))
    for service, document in documents.items():
        names = {
            name: _pascal(service) + name if name in clashing else name
            for name in _schemas(document)
            if name not in NOT_OURS
        }
        _rename(document, {SCHEMAS + old: SCHEMAS + new for old, new in names.items()})
        schemas |= {new: _schemas(document)[old] for old, new in names.items()}
        seen: dict[str, None] = {}
        for path, item in document.get("paths", {}).items():
            if service != "gateway" and path.split("/")[1] not in ROUTES[service]:
                continue
            for operation in (item[method] for method in METHODS if method in item):
                _complete(operation, service, taken)
                seen |= dict.fromkeys(operation["tags"])
            if "post" in item:
                item["post"].setdefault("parameters", []).append({"$ref": "#/components/parameters/IdempotencyKey"})
            paths[path if service == "gateway" else PREFIX + path] = item
        tags += [{"name": tag} for tag in seen]
    missing = sorted(ROUTES.keys() - documents.keys())
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Cities Mission Platform",
            "version": version,
            "description": DESCRIPTION,
            **({"x-missing-services": missing} if missing else {}),
        },
        "servers": [{"url": "/"}],
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": schemas,
            "parameters": {"IdempotencyKey": IDEMPOTENCY_KEY},
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "An access token; where an operation names roles, any one of them suffices.",
                },
                "cookie": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": cookies.access,
                    "description": "A browser's session; see the operations of `session`.",
                },
            },
        },
    }


def _schemas(document: Json) -> Json:
    found: Json = document.get("components", {}).get("schemas", {})
    return found


def _operations(document: Json) -> Iterator[Json]:
    for item in document.get("paths", {}).values():
        yield from (item[method] for method in METHODS if method in item)


def _pascal(service: str) -> str:
    return "".join(part.capitalize() for part in service.split("-"))


def _clashing(schemas: Mapping[str, Json]) -> set[str]:
    """The names that mean different things in different services, also by what they refer to."""
    variants: dict[str, list[Json]] = defaultdict(list)
    for each in schemas.values():
        for name, schema in each.items():
            variants[name].append(schema)
    shared = {name for name, found in variants.items() if len(found) > 1}
    clashing = {name for name in shared if any(other != variants[name][0] for other in variants[name])}
    clashing |= {"Problem"} & variants.keys()
    while True:
        more = {
            name
            for name in shared - clashing
            if any(ref.removeprefix(SCHEMAS) in clashing for schema in variants[name] for ref in _references(schema))
        }
        if not more:
            return clashing
        clashing |= more


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref" and isinstance(value, str):
                yield value
            else:
                yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)


def _rename(node: Any, names: Mapping[str, str]) -> None:
    """Changes references in place, those of discriminators too."""
    if isinstance(node, dict):
        for key, value in node.items():
            if isinstance(value, str) and value in names:
                node[key] = names[value]
            else:
                _rename(value, names)
    elif isinstance(node, list):
        for value in node:
            _rename(value, names)


def _complete(operation: Json, service: str, taken: Mapping[str | None, int]) -> None:
    """Adds to an operation what holds for all, and makes its tags and its id the only ones of their name."""
    own = [tag for tag in operation.get("tags", []) if tag != service]
    operation["tags"] = [f"{service}: {own[0]}" if own else service]
    if taken[operation.get("operationId")] > 1:
        operation["operationId"] = f"{service.replace('-', '_')}_{operation['operationId']}"
    roles = next((each["bearer"] for each in operation.get("security", []) if "bearer" in each), None)
    operation["security"] = [] if roles is None else [{"bearer": roles}, {"cookie": roles}]
    responses = operation.setdefault("responses", {})
    for status, response in responses.items():
        if status == "422" or (status[0] in "45" and "content" not in response):
            response["content"] = PROBLEM_CONTENT
            if status == "422":
                response["description"] = "Some fields of the request are not valid"
    responses["default"] = {"description": "A problem", "content": PROBLEM_CONTENT}
