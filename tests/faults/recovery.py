"""When all that waited at a fault's end was worked off: outboxes published, and all of it taken by every consumer."""

import asyncio
import time
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from statistics import median
from typing import Any, Final

from aiokafka.errors import KafkaError
from pymongo import MongoClient
from pymongo.errors import PyMongoError
from rich.table import Table

from contracts.registry import OPERATOR, STORING
from infra.databases import database
from infra.local.stack import LocalStack
from mission.groups import Asker, Group, expected
from tests.faults.history import Fault
from tests.faults.plan import TARGETS

POLL_SECONDS: Final = 0.1
REACH: Final[Mapping[str, float]] = {
    "kill-service": 3,
    "kill-away": 10,
    "kill-broker": 15,
    "kill-database": 15,
}
"""Seconds that recovery shall take at most, where that is promised."""

Places = set[tuple[str, str, int]]


class Watch:
    """Looks at outboxes and consumer groups, past the proxy.

    ``last`` names what was waited for when it was last found not to be worked off yet.
    """

    def __init__(self, stack: LocalStack) -> None:
        self._options = stack.kafka.aiokafka(OPERATOR)
        self._runner = asyncio.Runner()
        self._open = AsyncExitStack()
        self._asker: Asker | None = None
        self.last = ""
        self._wanted = expected(stack.platforms())
        self._mongo: MongoClient[dict[str, Any]] = MongoClient(stack.mongo.admin_url, serverSelectionTimeoutMS=1000)

    def close(self) -> None:
        """Hangs up."""
        self._hang_up()
        self._runner.close()
        self._mongo.close()

    def groups(self) -> list[Group]:
        """All consumer groups as they are now. Raises ``KafkaError`` or ``OSError`` when the broker does not answer."""
        try:
            return self._runner.run(self._groups())
        except (KafkaError, OSError):
            # After the broker's restart it may have another coordinator.
            self._hang_up()
            raise

    async def _groups(self) -> list[Group]:
        if self._asker is None:
            self._asker = await self._open.enter_async_context(Asker(self._options))
        return await self._asker.groups(self._wanted)

    def _hang_up(self) -> None:
        self._asker = None
        self._runner.run(self._open.aclose())

    def unpublished(self) -> set[tuple[str, str]]:
        """The outbox rows that wait for the relay, by service and id."""
        waiting = {"published": False}
        return {
            (name, row["_id"])
            for name in STORING
            for row in self._mongo[database(name)]["outbox"].find(waiting, {"_id": 1})
        }

    def behind(self) -> dict[str, int]:
        """How many records each consumer group has not taken yet."""
        return {group.name: group.behind for group in self.groups()}

    def worked_off(self, patience: float) -> float:
        """Waits until what waits at this moment was published and taken, while more comes; returns when that was.

        Raises :class:`TimeoutError` after so many seconds.
        """
        deadline = time.monotonic() + patience
        rows: set[tuple[str, str]] | None = None
        ends: dict[tuple[str, str, int], int] | None = None
        self.last = ""
        while time.monotonic() < deadline:
            try:
                if rows is None or rows:
                    now = self.unpublished()
                    rows = now if rows is None else rows & now
                if rows:
                    self.last = " and ".join(sorted({f"the outbox of {name}" for name, _ in rows}))
                else:
                    found = [each for group in self.groups() for each in group.positions]
                    if ends is None:
                        ends = {(each.group, each.topic, each.partition): each.end for each in found}
                    behind = {
                        each.group
                        for each in found
                        if each.next < ends.get((each.group, each.topic, each.partition), 0)
                    }
                    if not behind:
                        return time.time()
                    self.last = " and ".join(sorted(behind))
            except (PyMongoError, KafkaError, OSError):
                pass
            time.sleep(POLL_SECONDS)
        raise TimeoutError(f"What waited was not worked off within {patience:.0f} s.")


def figures(faults: Iterable[Fault]) -> dict[str, dict[str, Any]]:
    """By kind: how often, how long it took from begin to end, and how long from the end until all was worked off."""
    found: dict[str, dict[str, Any]] = {}
    listed = list(faults)
    for kind in TARGETS:
        those = [fault for fault in listed if fault.kind == kind]
        if not those:
            continue
        took = [round(fault.recovered - fault.end, 1) for fault in those]
        found[kind] = {
            "faults": len(those),
            "lasted": round(median(fault.end - fault.begin for fault in those), 1),
            "recovery": {"median": round(median(took), 1), "worst": max(took)},
            "reach": REACH.get(kind),
            "reached": kind not in REACH or max(took) <= REACH[kind],
        }
    return found


def table(found: Mapping[str, Mapping[str, Any]]) -> Table:
    """The same for people."""
    shown = Table(title="Seconds from a fault's end until all that waited was worked off", title_justify="left")
    for column in ("kind", "faults", "lasted", "median", "worst", "to reach"):
        shown.add_column(column, justify="left" if column == "kind" else "right")
    for kind, each in found.items():
        reach = f"{each['reach']:.0f}" if each["reach"] else ""
        worst = f"{each['recovery']['worst']}"
        shown.add_row(
            *(kind, str(each["faults"]), str(each["lasted"]), str(each["recovery"]["median"])),
            *(worst if each["reached"] else f"[red]{worst}[/]", reach),
        )
    return shown
