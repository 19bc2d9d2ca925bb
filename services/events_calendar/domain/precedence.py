"""Which of two messages about the same event says how it stands (RFC 5545's SEQUENCE, then time, then place)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a message stands among those about its event. ``offset`` is its place on the platform's topic."""

    sequence: int
    said_at: datetime
    offset: int
    digest: str


def weigh(new: Standing, known: Standing) -> Literal["newer", "same", "stale"]:
    """Whether a message replaces what is known, repeats it, or comes too late."""
    if new.digest == known.digest:
        return "same"
    order = (new.sequence, new.said_at, new.offset)
    return "newer" if order > (known.sequence, known.said_at, known.offset) else "stale"
