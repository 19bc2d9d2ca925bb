"""Bugs that the suite must find: where each is in ``plants/``, what is to be done to the platform, which checks see it.

A plant is a patch of a few lines. Where a bug shows only in a coincidence, the round is made so that the coincidence
comes often; where the code has a second guard against it, the patch takes that away too and says so.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests import releases

PATCHES: Final = Path(__file__).with_name("plants")


@dataclass(frozen=True, slots=True)
class Plant:
    """A bug by the name of its patch, and the faults that bring it to light.

    One of ``checks`` must fail, with a sentence that holds ``says``.
    """

    name: str
    plan: str
    checks: frozenset[str]
    rate: float = 20.0
    offices: int = 16
    says: str = ""

    def put(self, root: Path) -> None:
        """Plants the bug in the copy at ``root``. Raises :class:`LookupError` when the code is another by now."""
        releases.patch(root, PATCHES / f"{self.name}.patch")


LOSSES: Final = frozenset({"lost-write", "lost-event", "store-and-log", "event-without-commit", "half-write"})
EFFECTS: Final = frozenset({"effects-once", "model", "rebuild"})
KILLS: Final = "kill-service@registration-0 kill-service@events-calendar-0 kill-service@cohort-selection-0"

PLANTS: Final = (
    Plant(
        "faststreams-default-ack-policy",
        # Its consumers commit by the clock, also what they have in hand while the database is silent.
        "blackhole@mongo/notification@14+kill-service@notification-0@10"
        " blackhole@mongo/registration@14+kill-service@registration-0@10",
        EFFECTS,
    ),
    Plant("acknowledged-although-the-handler-raises", "kill-database cut@mongo/notification@5 kill-database", EFFECTS),
    Plant("batches-without-a-partition", "calm@10", frozenset({"one-partition", "order"})),
    Plant(
        "outbox-written-after-the-commit", f"{KILLS} kill-database {KILLS} kill-database", LOSSES, rate=40, offices=24
    ),
    Plant(
        "outbox-marked-before-the-acknowledgement",
        # What is marked is gone with the process that holds it while the broker does not answer.
        "blackhole@kafka/registration@9+kill-service@registration-0@6"
        " blackhole@kafka/cohort-selection@9+kill-service@cohort-selection-0@6",
        frozenset({"lost-event"}),
    ),
    Plant(
        "no-inbox",
        "storm@notification stop-service@notification-0@9 storm@events-calendar stop-service@events-calendar-0@9"
        " kill-broker",
        frozenset({"effects-once", "dead-letters"}),
    ),
    Plant(
        "inbox-outside-the-transaction",
        "kill-database storm@notification cut@mongo/notification@4 cut@mongo/registration@4 kill-database",
        EFFECTS,
    ),
    # Only of transactions: claims that others cannot see yet would keep a mail, and the round, from its beginning. What
    # is lost is what came in the last moment before the kill, for the journal is flushed all the time.
    Plant(
        "write-concern-1",
        " ".join(["kill-database"] * 8),
        LOSSES | EFFECTS,
        rate=40,
        offices=24,
    ),
    # Within one transaction the database itself sees that two write the same: the bug needs a read before it. And of
    # two events of one version the outbox refuses the second: the bug needs the version that the database counts.
    Plant("update-without-the-version-filter", "calm@45", frozenset({"model"}), rate=40, offices=12),
    Plant("seat-claimed-by-reading-then-writing", "calm@45", frozenset({"seats"}), rate=40),
    Plant("relay-without-lease", "calm@15", frozenset({"repeats-bound"})),
    Plant(
        "outage-taken-for-a-bad-message",
        "kill-database blackhole@mongo/notification@6 kill-database",
        frozenset({"dead-letters"}),
    ),
    Plant("parked-key-overtaken", "calm@15", frozenset({"overtaken"})),
    # The inbox knows a repeat before it can collide, and two that collide in time are parted by the database itself:
    # the bug needs an inbox that does not know. What it loses is all else that came with the repeat.
    Plant(
        "duplicate-key-acknowledged",
        "storm@notification stop-service@notification-0@9 storm@notification stop-service@notification-1@9",
        EFFECTS,
        says="0 inbox entries",
    ),
    Plant("dead-letter-swallowed", "calm@15", frozenset({"dead-letters"})),
)
