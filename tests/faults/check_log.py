"""What holds of topics and outboxes: nothing lost, nothing made up, repeats identical and few, order kept."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

from shared.relay import BATCH
from tests.faults.evidence import Evidence
from tests.faults.history import Fault, History
from tests.faults.outsider import BAD
from tests.faults.verdict import Violation

AFTER_SECONDS: Final = 12.0
"""So long after a fault was worked off a repeat can still be its: a lease lives 8 s, a request to the broker 10 s."""

IN_HAND: Final = 2 * BATCH
"""What a relay has published at most without having marked it: a batch that is being marked, and the next one."""

LOGGED: Final = {
    ("registration", "cities"): "registration.cities",
    ("registration", "memberships"): "registration.memberships",
    ("cohort-selection", "applications"): "selection.applications",
    ("events-calendar", "bookings"): "calendar.bookings",
    ("events-calendar", "events"): "calendar.events",
}
"""Aggregates of which every version is told, with the topic that tells of them."""


def check(history: History, evidence: Evidence) -> Iterator[Violation]:
    """Everything that this module knows to be wrong."""
    yield from _at_rest(evidence)
    yield from _outbox_and_topics(evidence)
    yield from _stores_and_topics(evidence)
    yield from _repeats(evidence)
    yield from _order(evidence)
    yield from _bound(evidence, history.faults)


def _at_rest(evidence: Evidence) -> Iterator[Violation]:
    for service, row in evidence.outbox():
        if not row["published"]:
            yield Violation("outbox-empty", row["aggregate"], f"{service} has not published {row['_id']}")
    for group, count in evidence.behind.items():
        if count:
            yield Violation("lag-zero", group, f"{count} records are not taken")
    for service in evidence.stores:
        for row in evidence.rows(service, "parked").values():
            aggregate = row["state"].partition(" ")[2]
            if not aggregate.startswith(BAD):
                waits = row["waiting_for"] or "an earlier event"
                yield Violation("nothing-parked", aggregate, f"waits in {service} for {waits}")


def _outbox_and_topics(evidence: Evidence) -> Iterator[Violation]:
    """What was published lies on its topic as it was written, and nothing else does."""
    told = {(each.topic, each.attributes.id): each for each in evidence.first}
    written: set[tuple[str, str]] = set()
    for service, row in evidence.outbox():
        written.add((row["topic"], row["_id"]))
        there = told.get((row["topic"], row["_id"]))
        if row["topic"].endswith(".dead-letters") or not row["published"]:
            continue
        if there is None:
            sentence = f"{service} marked {row['_id']} as published on {row['topic']}, where it is not"
            yield Violation("lost-event", row["aggregate"], sentence)
        elif there.value != row["value"]:
            yield Violation("repeat-differs", row["aggregate"], f"{row['_id']} is other bytes than in the outbox")
    for (topic, id), each in told.items():
        if (topic, id) not in written and each.attributes.source.startswith("/services/"):
            sentence = f"{topic} tells of {id}, of which the store of {each.attributes.source} knows nothing"
            yield Violation("event-without-commit", each.attributes.subject, sentence)


def _stores_and_topics(evidence: Evidence) -> Iterator[Violation]:
    """Every version of an aggregate was told, one after the other."""
    for (service, collection), topic in LOGGED.items():
        for id, row in evidence.rows(service, collection).items():
            versions = sorted({each.place[0] for each in evidence.by_aggregate.get((topic, id), ())})
            if versions != list(range(1, row["version"] + 1)):
                known = f"versions {versions} of {row['version']}"
                yield Violation("store-and-log", id, f"{topic} tells of {known} that are in {service}")


def _repeats(evidence: Evidence) -> Iterator[Violation]:
    first = {(each.topic, each.attributes.id): each for each in evidence.first}
    for each in evidence.repeats:
        if each.raw != first[each.topic, each.attributes.id].raw:
            sentence = f"{each.attributes.id} came again on {each.topic} with other bytes"
            yield Violation("repeat-differs", each.attributes.subject, sentence)


def _order(evidence: Evidence) -> Iterator[Violation]:
    partitions: dict[tuple[str, bytes | None], set[int]] = defaultdict(set)
    for each in evidence.told:
        partitions[each.topic, each.raw[0]].add(each.partition)
    for (topic, key), found in partitions.items():
        if len(found) > 1:
            name = (key or b"").decode(errors="replace")
            yield Violation("one-partition", name, f"lies on partitions {sorted(found)} of {topic}")
    for (topic, aggregate), events in evidence.by_aggregate.items():
        places = [each.place for each in sorted(events, key=lambda each: each.offset)]
        if places != sorted(places):
            yield Violation("order", aggregate, f"{topic} has its events in the order {places}")


def _bound(evidence: Evidence, faults: Sequence[Fault]) -> Iterator[Violation]:
    """Repeats come from faults alone, and a fault makes at most what each service's relay has in hand come again."""
    by_fault: Counter[tuple[int, str]] = Counter()
    for each in evidence.repeats:
        at = each.sent.timestamp()
        causes = [fault for fault in faults if fault.begin <= at <= max(fault.end, fault.recovered) + AFTER_SECONDS]
        source = each.attributes.source
        if not causes:
            sentence = f"{source} sent {each.attributes.id} again on {each.topic} although nothing was done to anything"
            yield Violation("repeats-bound", each.attributes.subject, sentence)
        else:
            by_fault[causes[-1].number, source] += 1
    for (number, source), count in by_fault.items():
        if count > IN_HAND:
            yield Violation("repeats-bound", source, f"{count} repeats after fault {number}, more than {IN_HAND}")


def repeats_by_kind(evidence: Evidence, faults: Sequence[Fault]) -> dict[str, int]:
    """How many repeats there were after faults of each kind."""
    found: Counter[str] = Counter()
    for each in evidence.repeats:
        at = each.sent.timestamp()
        causes = [fault for fault in faults if fault.begin <= at <= max(fault.end, fault.recovered) + AFTER_SECONDS]
        found[causes[-1].kind if causes else "none"] += 1
    return dict(found)
