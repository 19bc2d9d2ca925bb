"""One OpenAPI document of the whole platform, made from those of the services.

Each service describes itself at ``/openapi.json``. Here their paths get the prefix of the door, schemas of the same
name and another content get the service's name before theirs, and what holds for all is said once: how to sign in, and
what the door itself refuses. What services refuse they say themselves (:mod:`shared.documents`).
"""

import copy
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, Final

from services.gateway.cookies import Cookies
from services.gateway.routes import PREFIX, ROUTES
from shared.documents import CHANGING, METHODS, PROBLEM, RESPONSES, SCHEMAS, Json, add, operations

AT_THE_DOOR: Final = (429, 504)
"""What the gateway itself may answer to every request."""

AT_THE_DOOR_TO_CHANGES: Final = (403, 502)
"""The same for requests that change something: to a foreign page, and when nobody knows whether it was done."""

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
    taken = Counter(operation.get("operationId") for each in documents.values() for _, _, operation in operations(each))
    for service, document in documents.items():
        names = {name: _pascal(service) + name if name in clashing else name for name in _schemas(document)}
        _rename(document, {SCHEMAS + old: SCHEMAS + new for old, new in names.items()})
        schemas |= {new: _schemas(document)[old] for old, new in names.items()}
        seen: dict[str, None] = {}
        for path, item in document.get("paths", {}).items():
            if service != "gateway" and path.split("/")[1] not in ROUTES[service]:
                continue
            for method in (method for method in METHODS if method in item):
                operation = item[method]
                _complete(operation, service, taken)
                add(operation, AT_THE_DOOR + (AT_THE_DOOR_TO_CHANGES if method in CHANGING else ()))
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
            "responses": RESPONSES,
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
