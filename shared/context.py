"""Who causes what happens now: set at the door (HTTP or Kafka), read where events are written."""

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A client's ``Idempotency-Key`` with the digest of the request and the status that its first answer has.

    ``render`` makes the answer's body, as JSON has it, of what the transaction returns.
    """

    id: str
    digest: str
    status: int
    render: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Context:
    """The cause of the present work, as the events' extension attributes will name it."""

    actor: str | None = None
    on_behalf_of: str | None = None
    correlation: str | None = None
    causation: str | None = None
    idempotency: IdempotencyKey | None = None


_current: ContextVar[Context] = ContextVar("mission_context", default=Context())


def current() -> Context:
    """The context of the present task."""
    return _current.get()


def amend(**changes: Any) -> None:
    """Changes the context for the rest of the present task."""
    _current.set(replace(_current.get(), **changes))


class within:
    """Works in another context and comes back. A class, for it is entered for every event."""

    __slots__ = ("_context", "_token")

    def __init__(self, context: Context) -> None:
        self._context = context

    def __enter__(self) -> None:
        self._token = _current.set(self._context)

    def __exit__(self, *_: object) -> None:
        _current.reset(self._token)
