"""The table of valid requests: for each row of the matrix how its request is made, with an object that can take it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.security.callers import Caller
from tests.security.matrix import Side
from tests.security.world import World


@dataclass(frozen=True)
class Asked:
    """A request, without method and path template. ``instead`` is who sends it when the caller itself must stay."""

    path: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    instead: Caller | None = None


Make = Callable[[World, Caller, Side], Awaitable[Asked]]


@dataclass(frozen=True)
class Entry:
    """How a row's request is made. ``personal``: the own object is the caller's, so that each caller needs another."""

    make: Make
    personal: bool


TABLE: dict[str, Entry] = {}


def asks(*rows: str, personal: bool = False) -> Callable[[Make], Make]:
    """Makes the decorated function the maker of these rows' requests."""

    def register(make: Make) -> Make:
        for row in rows:
            assert row not in TABLE, row
            TABLE[row] = Entry(make, personal)
        return make

    return register


def nothing(*rows: str, **query: str) -> None:
    """These rows' requests need nothing but their address."""

    async def make(world: World, caller: Caller, side: Side) -> Asked:
        return Asked(query=query)

    asks(*rows)(make)
