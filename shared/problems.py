"""Errors as RFC 9457 problems, with a stable ``type``, a ``code`` and ``params`` that a portal can translate."""

from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry import trace

MEDIA_TYPE = "application/problem+json"


class Problem(Exception):
    """A refusal that its receiver can understand and act on.

    ``code`` is stable and in kebab case, ``detail`` one plain English sentence, ``params`` the values in it,
    ``errors`` one entry per field or reason, each with ``code``, ``field`` and ``message``.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        params: Mapping[str, Any] | None = None,
        errors: Sequence[Mapping[str, Any]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{code}: {detail}")
        self.status = status
        self.code = code
        self.detail = detail
        self.params = dict(params or {})
        self.errors = list(errors)
        self.headers = dict(headers or {})


def not_found(kind: str, id: str) -> Problem:
    """404 for an object that is not there, or that the caller may not know of."""
    return Problem(404, f"{kind}-not-found", f"There is no {kind} with this id.", params={"id": id[:200]})


def forbidden(detail: str = "You may not do this.") -> Problem:
    """403 for a caller who is known and has no right."""
    return Problem(403, "forbidden", detail)


def conflict(code: str, detail: str, **params: Any) -> Problem:
    """409 for a request that the object's present state does not allow."""
    return Problem(409, code, detail, params=params)


class NotYetKnown(Problem):
    """Something that the work refers to has not arrived here yet.

    Over HTTP this is a 409 with ``Retry-After``; a handler that raises it has its event parked until an event of the
    aggregate ``id`` is applied.
    """

    def __init__(self, kind: str, id: str) -> None:
        super().__init__(
            409,
            "not-yet-known",
            f"This {kind} is not known here yet; try again in a moment.",
            params={"kind": kind, "id": id},
            headers={"Retry-After": "1"},
        )
        self.id = id


def trace_id() -> str | None:
    """The present trace's id as 32 hex digits, None outside a trace."""
    context = trace.get_current_span().get_span_context()
    return f"{context.trace_id:032x}" if context.is_valid else None


def body(problem: Problem) -> dict[str, Any]:
    """The problem as the JSON object of RFC 9457."""
    members = {
        "type": f"urn:eu-mission:problem:{problem.code}",
        "title": problem.code.replace("-", " ").capitalize(),
        "status": problem.status,
        "detail": problem.detail,
        "code": problem.code,
        "params": problem.params,
        "errors": problem.errors or None,
        "trace_id": trace_id(),
    }
    return {name: value for name, value in members.items() if value is not None}
