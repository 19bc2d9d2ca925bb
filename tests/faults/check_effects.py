"""What consumers made of events: each effect once, none left out, never more seats than there are, few extra mails."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Final

from contracts import registry
from contracts.envelope import EVENT_TYPES
from contracts.events_calendar import BookingCancelled, BookingConfirmed, BookingWaitlisted
from contracts.registration import OnboardingStepCompleted
from mission.platforms import DIRECTORY
from tests.faults.evidence import Evidence
from tests.faults.history import Fault, History, Outcome
from tests.faults.outsider import BAD, TOPIC
from tests.faults.plan import SCALE
from tests.faults.verdict import Violation
from tests.faults.world import PLATFORM, SEATS

TELLS: Final = {
    BookingConfirmed.type: ("booking-confirmed", "booking-moved-up"),
    BookingWaitlisted.type: ("booking-waitlisted",),
    BookingCancelled.type: ("booking-cancelled",),
    OnboardingStepCompleted.type: ("onboarding-step-completed",),
    "eu.mission.selection.application.submitted.v1": ("application-received",),
    "eu.mission.registration.membership.requested.v1": ("membership-requested",),
}
"""What one reader is told, once, of an event of this type."""

ON_THE_MAILS_WAY: Final = ("notification", "mongodb", "restart", "in order", "by kill")


def check(history: History, evidence: Evidence) -> Iterator[Violation]:
    """Everything that this module knows to be wrong."""
    yield from _seats(evidence)
    yield from _held_at_once(history)
    yield from _applied(evidence)
    yield from _told_once(evidence)
    yield from _counted_once(evidence)
    yield from _steps(evidence)
    yield from _mails(history, evidence)
    yield from _dead_letters(history, evidence)


def _seats(evidence: Evidence) -> Iterator[Violation]:
    """The ledger of each session is that of its bookings, and a seat is free only while nobody waits."""
    for id, session in evidence.rows("events-calendar", "sessions").items():
        bookings = [row for row in evidence.rows("events-calendar", "bookings").values() if row["session_id"] == id]
        seated = sum(row["seated"] for row in bookings)
        waiting = {row["_id"] for row in bookings if row["state"] == "waiting"}
        ledger = session["seats"]
        if seated > SEATS:
            yield Violation("seats", id, f"{seated} have a place of {SEATS}")
        if ledger["taken"] != seated or {each["booking"] for each in ledger["waiting"]} != waiting:
            found = f"{seated} seats taken and {len(waiting)} waiting"
            told = f"{ledger['taken']} and {len(ledger['waiting'])}"
            yield Violation("seats", id, f"the bookings have {found}, the ledger says {told}")
        if waiting and seated < SEATS:
            yield Violation("seats", id, f"{len(waiting)} wait although only {seated} of {SEATS} seats are taken")


def _held_at_once(history: History) -> Iterator[Violation]:
    """By what clients were told: from the answer that gave a seat until they asked to give it up it was theirs."""
    given_up = {each.target: each.at for each in history.of("cancel", outcome=None)}
    changes: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for booked in history.of("book"):
        if booked.answer["state"] == "confirmed":
            until = given_up.get(booked.answer["id"])
            changes[booked.target].append((booked.end, 1))
            if until is not None:
                changes[booked.target].append((until, -1))
    for session, each in changes.items():
        held = 0
        for at, change in sorted(each):
            held += change
            if held > SEATS:
                sentence = f"{held} had been told that they have one of {SEATS} seats at {at - history.begin:.2f} s"
                yield Violation("seats", session, sentence)
                break


def _applied(evidence: Evidence) -> Iterator[Violation]:
    """Every reader has taken each aggregate's events to the last."""
    for service in evidence.stores:
        states = evidence.rows(service, "inbox")
        for topic in registry.consumed_by(service):
            reads = {event.type for event in topic.readers[service]}
            if not reads:
                continue
            for (name, aggregate), events in evidence.by_aggregate.items():
                last = max((e.place for e in events if e.attributes.type in reads), default=None)
                if name != topic.name or last is None:
                    continue
                state = states.get(f"{name} {aggregate}", {})
                if (state.get("version", 0), state.get("ordinal", -1)) < last:
                    sentence = f"{service} has come to {state.get('version')} of {last[0]}/{last[1]} on {name}"
                    yield Violation("effects-once", aggregate, sentence)


def _told_once(evidence: Evidence) -> Iterator[Violation]:
    """One inbox entry for each fact that has one, in numbers without a gap."""
    caused = Counter((row["caused_by"], row["template"]) for row in evidence.rows("notification", "messages").values())
    for each in evidence.first:
        if each.attributes.type in TELLS:
            templates = TELLS[each.attributes.type]
            count = sum(caused[each.attributes.id, template] for template in templates)
            if count != 1:
                sentence = f"{count} inbox entries tell of {EVENT_TYPES[each.attributes.type].__name__}"
                yield Violation("effects-once", each.attributes.subject, sentence)
    numbers: dict[str, list[int]] = defaultdict(list)
    for row in evidence.rows("notification", "messages").values():
        if row["portal"]:
            numbers[row["reader"]].append(row["seq"])
    for reader, found in numbers.items():
        last = evidence.rows("notification", "inboxes").get(reader, {}).get("last", 0)
        if sorted(found) != list(range(1, last + 1)):
            yield Violation("effects-once", reader, f"the inbox has {len(found)} entries and counts to {last}")


def _counted_once(evidence: Evidence) -> Iterator[Violation]:
    """Effects that only add up: twice applied they would be too large."""
    messages = len(evidence.outsiders.get(TOPIC, ()))
    health = evidence.rows("events-calendar", "platform_health").get(PLATFORM, {})
    counted = sum(health.get(name, 0) for name in ("accepted", "unchanged", "rejected"))
    if counted != messages:
        yield Violation("effects-once", PLATFORM, f"{messages} messages of the platform were counted as {counted}")
    if health.get("rejected"):
        yield Violation("effects-once", PLATFORM, f"{health['rejected']} messages were rejected: {health['problems']}")
    touches: Counter[str] = Counter()
    for id, row in evidence.rows("events-calendar", "bookings").items():
        touches[row["session_id"]] += len(evidence.by_aggregate.get(("calendar.bookings", id), ()))
    for session in evidence.rows("notification", "sessions"):
        taken = evidence.rows("notification", "touched").get(session, {}).get("touched", 0)
        if taken != touches[session]:
            sentence = f"{touches[session]} facts of its bookings were taken {taken} times"
            yield Violation("effects-once", session, sentence)


def _steps(evidence: Evidence) -> Iterator[Violation]:
    """A city's first place in an orientation session completes that step, once; to wait for one does not."""
    places = (
        BookingConfirmed.model_validate_json(each.value or b"")
        for each in evidence.first
        if each.attributes.type == BookingConfirmed.type
    )
    oriented = {place.city_id for place in places if place.session_kind == "orientation" and place.city_id}
    told: Counter[tuple[str, str]] = Counter()
    for each in evidence.first:
        if each.attributes.type == OnboardingStepCompleted.type:
            event = OnboardingStepCompleted.model_validate_json(each.value or b"")
            told[event.city_id, event.step] += 1
    for (city, step), count in told.items():
        if count != 1:
            yield Violation("effects-once", city, f"the step {step} was completed {count} times")
    for city in oriented:
        done = evidence.rows("registration", "cities").get(city, {}).get("steps", {})
        if "orientation" not in done or told[city, "orientation"] != 1:
            yield Violation("effects-once", city, "it booked an orientation session and the step is not completed")


def _mails(history: History, evidence: Evidence) -> Iterator[Violation]:
    for id, row in evidence.rows("notification", "messages").items():
        state = (row["mail"] or {}).get("state")
        if state == "queued" or (state == "sent" and not evidence.delivered[id]):
            sentence = f"the mail {row['template']} is {state} and was delivered {evidence.delivered[id]} times"
            yield Violation("mails", row["reader"], sentence)
    allowed, extra = mails_allowed(history.faults), extra_mails(evidence)
    if extra > allowed:
        worst = evidence.delivered.most_common(1)[0][0]
        sentence = f"{extra} mails came once more, and only {allowed} senders were hit"
        yield Violation("mails", worst, sentence)


def extra_mails(evidence: Evidence) -> int:
    """How many mails came beyond the first of their message."""
    return sum(count - 1 for count in evidence.delivered.values())


def mails_allowed(faults: list[Fault]) -> int:
    """One for each sender of mails that a fault ended, or parted from its store or the mail server."""
    senders = SCALE["notification"]
    hits = [fault for fault in faults if any(name in f"{fault.kind} {fault.target}" for name in ON_THE_MAILS_WAY)]
    return sum(1 if fault.kind == "kill-service" else senders + (fault.kind == "storm") * 3 for fault in hits)


def _dead_letters(history: History, evidence: Evidence) -> Iterator[Violation]:
    """The records that nobody can read are kept for each reader, and nothing else became a dead letter."""
    readers = registry.topic(DIRECTORY).readers
    for operation in history.of("bad-record", outcome=None):
        for service in readers:
            there = [r for r in evidence.rows(service, "dead_letters").values() if r["aggregate"] == operation.target]
            topic = evidence.outsiders.get(f"{service}.dead-letters", ())
            told = {record.offset for record in topic if record.key == operation.target.encode()}
            if operation.outcome is Outcome.ACCEPTED and not (there and told):
                sentence = f"{service} kept {len(there)} letters of what nobody can read, and told of {len(told)}"
                yield Violation("dead-letters", operation.target, sentence)
    for service in readers:
        for id in evidence.rows(service, "platforms"):
            if id.startswith(BAD):
                yield Violation("overtaken", id, f"{service} took the event behind the one that nobody can read")
        waiting = Counter(row["state"].partition(" ")[2] for row in evidence.rows(service, "parked").values())
        for operation in history.of("late-record"):
            if waiting[operation.target] != 1:
                sentence = f"{waiting[operation.target]} events wait in {service} behind the one that nobody can read"
                yield Violation("overtaken", operation.target, sentence)
    for service in evidence.stores:
        for row in evidence.rows(service, "dead_letters").values():
            if not row["aggregate"].startswith(BAD):
                sentence = (
                    f"{service} gave up {row['_id']} of {row['aggregate']}: {row['reason']} {row['detail'][:200]}"
                )
                yield Violation("dead-letters", row["aggregate"], sentence)
