"""Examines a whole platform and says what is wrong and what to do: broker, stores, machine.

Each check is a function that yields findings. Nothing is changed, but for a consumer group of the operator's own that
tells the broker's clock.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from infra.stack import Stack

DRIFT: Final = timedelta(seconds=2)
"""How far two clocks may lie apart. Leases and claims go by the database's, tokens by the services' machines."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that was found. ``wrong`` False is worth knowing and no fault; ``do`` says what helps."""

    what: str
    do: str
    wrong: bool = True


Check = Callable[[Stack], Iterable[Finding]]


def drift(name: str, before: datetime, there: datetime, after: datetime) -> Iterator[Finding]:
    """A finding when a clock that was read between two moments of this machine's lies too far from both."""
    apart = before - there if there < before else max(there - after, timedelta())
    if apart > DRIFT:
        which = "behind" if there < before else "ahead of"
        yield Finding(
            f"The clock of {name} is {apart.total_seconds():.1f} s {which} this machine's.",
            "Let all machines take their time from the same source (chronyc tracking, timedatectl).",
        )


def some(names: Iterable[object], most: int = 4) -> str:
    """The first few of many, in words."""
    listed = sorted(map(str, names))
    more = len(listed) - most
    return ", ".join(listed[:most]) + (f" and {more} more" if more > 0 else "")
