"""One round: a platform of its own, the load, the faults one after the other, rest, and the verdict."""

import asyncio
import json
import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final
from unittest.mock import patch

from contracts.registry import STORING
from infra.local.errors import LocalError
from infra.local.ports import Ports
from infra.local.stack import ROOT, LocalStack
from mission import lifecycle, place
from mission.demo.door import Door
from tests.e2e import running
from tests.e2e.running import Platform
from tests.faults import check_effects, check_log, check_model, check_writes, recovery
from tests.faults.evidence import Evidence
from tests.faults.history import Fault, History, Writer
from tests.faults.nemesis import SUPERVISOR, Nemesis
from tests.faults.outsider import BAD
from tests.faults.plan import CALM, SCALE, Planned
from tests.faults.proxy import Proxy
from tests.faults.recovery import Watch
from tests.faults.stack import links
from tests.faults.verdict import Violation, shown
from tests.faults.workload import Load
from tests.faults.world import build

HOME: Final = ROOT / ".local" / "faults"
CALM_SECONDS: Final = (0.5, 1.5)
WARM_SECONDS: Final = 2.0
LONG_SECONDS: Final = 5.0
"""A recovery that takes longer is told with what came last."""

SHOWN_ROWS: Final = 3
"""So many rows of each kind are shown that do not come to rest."""

KEPT: Final = 100
"""So many findings of each check are in the report."""

SETTINGS: Final = {
    **running.SETTINGS,
    # Everybody signs in from one address, too.
    "MISSION_ATTEMPTS_PER_CLIENT": "1000000",
}
CHECKS: Final = (check_log.check, check_writes.check, check_effects.check, check_model.check)


@dataclass(frozen=True)
class Round:
    """What a round is made of. ``rate`` is in writes per second, by so many ``offices``.

    ``patience`` is how many seconds it waits, after each fault and at the end, until all is worked off.
    """

    seed: int
    faults: Sequence[Planned]
    rate: float = 10.0
    offices: int = 24
    patience: float = 120.0


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a round. ``report`` is also in ``report.json``; ``text`` is for people, empty when all holds."""

    report: dict[str, Any]
    violations: list[Violation]
    text: str


Told = Callable[[str], None]


def play(round: Round, told: Told = print, enough: Callable[[], bool] = lambda: False) -> Result:
    """Plays a round on a platform of its own under ``.local/faults``; after a failure its data stays there.

    Once there is ``enough``, no further fault comes, and what was done until then is checked.
    """
    home = HOME / "platform"
    ports = Ports.from_environment() if "MISSION_PORT_BASE" in os.environ else Ports.free()
    settings = {"MISSION_HOME": str(home), "MISSION_PORT_BASE": str(ports.base), **SETTINGS}
    with patch.dict(os.environ, settings):
        lifecycle.stop()
        shutil.rmtree(home, ignore_errors=True)
        result = asyncio.run(_Play(round, ports, told, enough).play())
    (HOME / "report.json").write_text(json.dumps(result.report, indent=1))
    if not result.violations:
        shutil.rmtree(home, ignore_errors=True)
    return result


class _Play:
    def __init__(self, round: Round, ports: Ports, told: Told, enough: Callable[[], bool]) -> None:
        self._round = round
        self._told = told
        self._enough = enough
        self._path = HOME / "history.jsonl"
        self._proxy = Proxy(links(ports))
        self._nemesis = Nemesis(ports, self._proxy, Random(round.seed))
        self._platform = Platform(os.environ)
        self._begun = time.monotonic()
        self._found: list[Violation] = []

    async def play(self) -> Result:
        await self._proxy.start()
        try:
            await asyncio.to_thread(lifecycle.start, SCALE, supervisor=SUPERVISOR)
            ready = time.monotonic() - self._begun
            self._told(f"The platform is ready after {ready:.0f} s.")
            settled = await self._load()
            evidence = await asyncio.to_thread(Evidence.gather, place.stack())
        finally:
            await asyncio.to_thread(lifecycle.stop)
            await self._proxy.stop()
        history = History.load(self._path)
        violations = [*self._found, *settled, *(found for check in CHECKS for found in check(history, evidence))]
        text = shown(violations, history, evidence) if violations else ""
        return Result(self._report(history, evidence, violations), violations, text)

    async def _load(self) -> list[Violation]:
        writer = Writer(self._path, self._round.seed)
        try:
            async with Door(self._platform.url) as door:
                world = await build(self._platform, door, self._round.offices)
                load = Load(world, writer, Random(self._round.seed), self._round.rate)
                self._told(f"{len(world.offices)} offices are at work after {time.monotonic() - self._begun:.0f} s.")
                await load.start()
                try:
                    await self._strike(writer, load)
                finally:
                    await load.stop()
            return await asyncio.to_thread(_settled, self._round.patience)
        finally:
            writer.close()

    async def _strike(self, writer: Writer, load: Load) -> None:
        watch = Watch(place.stack())
        rng = Random(self._round.seed)
        begun, count = time.monotonic(), len(self._round.faults)
        await asyncio.sleep(WARM_SECONDS)
        try:
            for number, planned in enumerate(self._round.faults, 1):
                if self._enough():
                    break
                if planned.kind == CALM:
                    await asyncio.sleep(planned.seconds)
                    continue
                try:
                    begin, end = await self._nemesis.strike(planned)
                except LocalError as error:
                    self._told(f"{number}/{count} {planned.name} ends the round: {error}")
                    self._found.append(Violation("comes-back", planned.kind, f"{planned.name}: {error}"))
                    break
                fault = Fault(number, planned.kind, planned.name, begin, end)
                # What is not worked off for this long is for the checks to find.
                try:
                    fault.recovered = await asyncio.to_thread(watch.worked_off, self._round.patience)
                except TimeoutError:
                    fault.recovered = time.time()
                fault.last = watch.last
                writer.fault(fault)
                load.check()
                left = (time.monotonic() - begun) / number * (count - number)
                took = fault.recovered - end
                lasted = f"lasted {end - begin:.1f} s, " if end > begin else ""
                last = f", last {fault.last}" if took > LONG_SECONDS else ""
                self._told(
                    f"{number}/{count} {planned.kind} {planned.name}: {lasted}worked off after {took:.1f} s{last};"
                    f" about {left / 60:.0f} minutes to go"
                )
                await asyncio.sleep(rng.uniform(*CALM_SECONDS))
            await asyncio.sleep(WARM_SECONDS)
        finally:
            await asyncio.to_thread(watch.close)
            await self._nemesis.heal()

    def _report(self, history: History, evidence: Evidence, violations: Sequence[Violation]) -> dict[str, Any]:
        outcomes: dict[str, dict[str, int]] = {}
        for operation in history.operations.values():
            kind = outcomes.setdefault(operation.kind, {})
            kind[operation.outcome] = kind.get(operation.outcome, 0) + 1
        times = [operation.at for operation in history.operations.values()]
        return {
            "seed": self._round.seed,
            "faults": len(history.faults),
            "seconds": round(time.monotonic() - self._begun),
            "requests": outcomes,
            "writes_per_second": round(len(times) / (max(times) - min(times)), 1) if len(times) > 1 else 0,
            "recovery": recovery.figures(history.faults),
            "repeats": check_log.repeats_by_kind(evidence, history.faults),
            "records": len(evidence.told),
            "mails": {
                "delivered": len(evidence.mails),
                "extra": check_effects.extra_mails(evidence),
                "extra_allowed": check_effects.mails_allowed(history.faults),
            },
            "violations": [
                {"check": each.check, "key": each.key, "sentence": each.sentence} for each in _some(violations)
            ],
        }


def _some(violations: Sequence[Violation]) -> Iterator[Violation]:
    """The first findings of each check."""
    seen: Counter[str] = Counter()
    for violation in violations:
        seen[violation.check] += 1
        if seen[violation.check] <= KEPT:
            yield violation


def _settled(patience: float) -> list[Violation]:
    """Waits until nothing moves any more: all published, taken and mailed; says what does not come to rest."""
    stack = place.stack()
    watch = Watch(stack)
    deadline = time.monotonic() + patience
    waits: dict[str, str] = {}
    looks: Counter[str] = Counter()
    try:
        while time.monotonic() < deadline:
            try:
                waits = {f"{service}'s outbox": "rows" for service, _ in watch.unpublished()}
                waits |= {f"lag of {group}": f"{count}" for group, count in watch.behind().items() if count}
                waits |= _left(stack)
            except Exception as error:
                waits = {f"{type(error).__name__}": str(error)}
            if not waits:
                return []
            looks.update(waits.keys())
            time.sleep(0.5)
    finally:
        watch.close()
    found = ", ".join(f"{name} {count}" for name, count in looks.most_common())
    return [
        Violation("settled", name, f"after {patience:.0f} s: {what} (looks that found something: {found})")
        for name, what in waits.items()
    ]


def _left(stack: LocalStack) -> dict[str, str]:
    """What waits in the stores, by its name, with the first rows of it."""
    behind_bad = {"state": {"$not": {"$regex": f" {BAD}"}}}
    found = {}
    for service, name, query in [(s, "parked", behind_bad) for s in STORING] + [("notification", "mails", {})]:
        ask = {"find": name, "filter": query, "projection": {"value": 0, "headers": 0}, "limit": SHOWN_ROWS}
        (answer,) = stack.ask(service, ask)
        if rows := answer["cursor"]["firstBatch"]:
            found[f"{name} of {service}"] = "; ".join(str(row) for row in rows)
    return found


def path() -> Path:
    """Where the report is."""
    return HOME / "report.json"
