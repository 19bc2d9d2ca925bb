"""Which faults a round has, in which order: drawn from its seed, or named one by one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Final

from contracts.registry import SERVICES, STORING
from infra.local.errors import LocalError

SCALE: Final = {"events-calendar": 2, "notification": 2}
"""How many instances a platform under test has of which service, of the others one."""

STORES: Final = ("kafka", "mongodb")
LINKS: Final = (
    *(f"kafka/{name}" for name in SERVICES),
    *(f"mongo/{name}" for name in STORING),
    "smtp/notification",
)
INSTANCES: Final = tuple(f"{name}-{number}" for name in SERVICES for number in range(SCALE.get(name, 1)))

TARGETS: Final[dict[str, Sequence[str]]] = {
    "kill-service": INSTANCES,
    "kill-away": STORING,
    "kill-broker": ("kafka",),
    "kill-database": ("mongodb",),
    "stop-service": INSTANCES,
    "stop-store": STORES,
    "storm": STORING,
    "cut": LINKS,
    "slow": LINKS,
    "blackhole": LINKS,
    "two": ("",),
    "restart-all": ("in order", "by kill -9"),
}
"""Every kind of fault, and what it can hit."""

PARTS: Final = ("kill-service", "kill-broker", "kill-database", "stop-service", "stop-store", "cut", "blackhole")
"""Kinds of which two can come at once."""

LASTING: Final = frozenset({"stop-service", "stop-store", "cut", "slow", "blackhole"})
CALM: Final = "calm"
"""Can be named between faults: for so long nothing is done to anything."""

SHORT: Final = (5.0, 15.0)
LONG: Final = (5.0, 60.0)


@dataclass(frozen=True, slots=True)
class Planned:
    """A fault that is to come. ``parts`` come at once.

    ``seconds`` is how long it lasts, where that can be chosen; of a kill, after how long it comes.
    """

    kind: str
    target: str
    seconds: float = 0.0
    parts: tuple["Planned", ...] = ()

    @property
    def name(self) -> str:
        """What it hits, and for how long."""
        if self.parts:
            return " + ".join(f"{part.kind} {part.name}" for part in self.parts)
        if not self.seconds:
            return self.target
        return f"{self.target} {'after' if self.kind.startswith('kill') else 'for'} {self.seconds:.0f} s"


def drawn(seed: int, count: int, lasts: tuple[float, float]) -> list[Planned]:
    """So many faults: every kind as often as every other, the targets and the order by chance."""
    rng = Random(seed)
    kinds = [list(TARGETS)[number % len(TARGETS)] for number in range(count)]
    rng.shuffle(kinds)
    seen = dict.fromkeys(TARGETS, 0)
    found = []
    for kind in kinds:
        target = rng.choice(TARGETS[kind])
        if kind == "restart-all":
            target = TARGETS[kind][seen[kind] % 2]
        seen[kind] += 1
        found.append(_one(rng, kind, target, lasts))
    return found


def _one(rng: Random, kind: str, target: str, lasts: tuple[float, float]) -> Planned:
    if kind == "two":
        first, second = rng.sample(PARTS, 2)
        parts = [_one(rng, each, rng.choice(TARGETS[each]), lasts) for each in (first, second)]
        # A kill in the middle of what else is wrong.
        parts = [replace(part, seconds=part.seconds or rng.uniform(0, lasts[0])) for part in parts]
        return Planned(kind, target, parts=tuple(parts))
    return Planned(kind, target, _length(rng, lasts) if kind in LASTING else 0.0)


def _length(rng: Random, lasts: tuple[float, float]) -> float:
    """Evenly drawn on a logarithmic scale: of 5 to 60 s as many below 17 s as above, because long ones take long."""
    shortest, longest = lasts
    return float(shortest * (longest / shortest) ** rng.random())


def named(text: str) -> list[Planned]:
    """The faults of a list: ``stop-service@notification-0@8 cut@kafka/registration@3+kill-broker calm@5``.

    Raises :class:`LocalError` for one that there is none of.
    """
    return [_several([_named(part) for part in each.split("+")]) for each in text.split()]


def _several(parts: list[Planned]) -> Planned:
    return parts[0] if len(parts) == 1 else Planned("two", "", parts=tuple(parts))


def _named(text: str) -> Planned:
    kind, _, rest = text.partition("@")
    target, _, seconds = rest.partition("@")
    if kind == CALM:
        return Planned(CALM, "", float(target))
    if kind not in TARGETS or kind == "two" or (target and target not in TARGETS[kind]):
        raise LocalError(f"There is no fault {text!r}; kinds are {', '.join(TARGETS)}.")
    lasting = SHORT[0] if kind in LASTING else 0.0
    return Planned(kind, target or TARGETS[kind][0], float(seconds) if seconds else lasting)
