"""From which states a membership can go where."""

from typing import Final, Literal

State = Literal["invited", "requested", "approved", "refused", "suspended", "ended"]

OPEN: Final[tuple[State, ...]] = ("invited", "requested", "approved", "suspended")
"""A person has at most one open membership per city."""

_ALLOWED: Final[dict[State, frozenset[State]]] = {
    "invited": frozenset({"approved", "refused", "ended"}),
    "requested": frozenset({"approved", "refused", "ended"}),
    "approved": frozenset({"suspended", "ended"}),
    "suspended": frozenset({"approved", "ended"}),
    "refused": frozenset(),
    "ended": frozenset(),
}


def allowed(present: State, wanted: State) -> bool:
    """Whether a membership may change so."""
    return wanted in _ALLOWED[present]
