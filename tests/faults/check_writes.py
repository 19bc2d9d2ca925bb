"""What became of each request: accepted ones are there, refused ones are not, unknown ones are there wholly or not."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from tests.faults.evidence import Evidence, Row
from tests.faults.history import History, Operation, Outcome
from tests.faults.outsider import TOPIC
from tests.faults.verdict import Violation
from tests.faults.world import PLATFORM

CITIES, MEMBERSHIPS = "registration.cities", "registration.memberships"


def check(history: History, evidence: Evidence) -> Iterator[Violation]:
    """Everything that this module knows to be wrong."""
    yield from _commitments(history, evidence)
    yield from _bookings(history, evidence)
    yield from _applications(history, evidence)
    yield from _people(history, evidence)
    yield from _declared(history, evidence)
    yield from _published(history, evidence)


def _wrong(operation: Operation, found: int, what: str) -> Iterator[Violation]:
    """What is wrong with a request whose effect was found so many times."""
    outcome, key = operation.outcome, operation.target
    if outcome is Outcome.ACCEPTED and found == 0:
        yield Violation("lost-write", key, f"{what} was accepted and is not there (request {operation.number})")
    if outcome is Outcome.REFUSED and found:
        yield Violation("refused-write-done", key, f"{what} was refused and is there (request {operation.number})")
    if found > 1:
        yield Violation("written-twice", key, f"{what} is there {found} times (request {operation.number})")


def _commitments(history: History, evidence: Evidence) -> Iterator[Violation]:
    told: Counter[str] = Counter()
    for (topic, _), events in evidence.by_aggregate.items():
        for each in events:
            if topic == CITIES and each.attributes.type.endswith(".commitment-changed.v1"):
                told[json.loads(each.value or b"{}")["commitment"]["evidence"]] += 1
    for operation in history.of("commit", outcome=None):
        evident = operation.body["evidence"]
        stored = evidence.rows("registration", "cities")[operation.target].get("commitment") or {}
        found = told[evident] or int(stored.get("evidence") == evident)
        yield from _wrong(operation, found, f"the commitment {evident!r}")


def _bookings(history: History, evidence: Evidence) -> Iterator[Violation]:
    bookings = evidence.rows("events-calendar", "bookings")
    asked: dict[tuple[str, str], list[Operation]] = defaultdict(list)
    for operation in history.of("book", outcome=None):
        asked[operation.body["city_id"], operation.target].append(operation)
    there: dict[tuple[str, str], set[str]] = defaultdict(set)
    for id, row in bookings.items():
        there[row["city_id"], row["session_id"]].add(id)
    for place, operations in asked.items():
        accepted = [each for each in operations if each.outcome is Outcome.ACCEPTED]
        for operation in accepted:
            yield from _wrong(operation, int(operation.answer["id"] in bookings), f"booking {operation.answer['id']}")
        unknown = sum(each.outcome is Outcome.UNKNOWN for each in operations)
        more = there[place] - {each.answer["id"] for each in accepted}
        if len(more) > unknown:
            sentence = f"{sorted(more)} are there, and {unknown} requests of the city are unknown"
            yield Violation("written-twice", place[1], sentence)
    for operation in history.of("cancel", outcome=None):
        booking: Row = bookings.get(operation.target, {})
        yield from _wrong(operation, int(booking.get("state") == "cancelled"), f"the end of booking {operation.target}")


def _applications(history: History, evidence: Evidence) -> Iterator[Violation]:
    revisions: Counter[tuple[str, int]] = Counter()
    cities = {id: row["city_id"] for id, row in evidence.rows("cohort-selection", "applications").items()}
    for row in evidence.rows("cohort-selection", "application_revisions").values():
        revisions[cities.get(row["application_id"], ""), row["answers"]["number"]] += 1
    for operation in history.of("apply", "replace", outcome=None):
        city = operation.body.get("city_id") or cities.get(operation.target, "")
        number = operation.body["answers"]["number"]
        yield from _wrong(operation, revisions[city, number], f"the application {number} of {city}")


def _people(history: History, evidence: Evidence) -> Iterator[Violation]:
    by_mail: dict[str, list[Row]] = defaultdict(list)
    for row in evidence.rows("registration", "people").values():
        by_mail[row["mail_address"]].append(row)
    links = Counter(row.get("person_id") for row in evidence.rows("registration", "links").values())
    received = Counter(mail.to for mail in evidence.mails)
    for operation in history.of("sign-up", outcome=None):
        found = by_mail[operation.target]
        yield from _wrong(operation, len(found), "the account")
        for person in found:
            if links[person["_id"]] != 1 or not received[operation.target]:
                parts = f"{links[person['_id']]} links and {received[operation.target]} mails"
                yield Violation("half-write", operation.target, f"the account is there with {parts}")


def _declared(history: History, evidence: Evidence) -> Iterator[Violation]:
    by_name: dict[str, list[str]] = defaultdict(list)
    for id, row in evidence.rows("registration", "cities").items():
        by_name[row["authority"]["name"]].append(id)
    memberships: dict[str, list[str]] = defaultdict(list)
    for id, row in evidence.rows("registration", "memberships").items():
        memberships[row["city_id"]].append(id)
    for operation in history.of("declare", outcome=None):
        found = by_name[operation.target]
        yield from _wrong(operation, len(found), "the city")
        for city in found:
            parts: dict[str, Any] = {
                "membership": len(memberships[city]) == 1,
                "event of the city": bool(evidence.by_aggregate.get((CITIES, city))),
                "event of the membership": any(evidence.by_aggregate.get((MEMBERSHIPS, m)) for m in memberships[city]),
            }
            lacks = [name for name, there in parts.items() if not there]
            if lacks:
                yield Violation("half-write", city, f"the city {operation.target} is there without {', '.join(lacks)}")


def _published(history: History, evidence: Evidence) -> Iterator[Violation]:
    raw = {record.offset for record in evidence.outsiders.get(TOPIC, ())}
    answered: Counter[int] = Counter()
    for (topic, _), receipts in evidence.by_aggregate.items():
        if topic == f"national-platforms.{PLATFORM}.receipts":
            answered.update(json.loads(each.value or b"{}")["offset"] for each in receipts)
    for offset in raw:
        if answered[offset] != 1:
            yield Violation("receipts", str(offset), f"the message has {answered[offset]} receipts")
    for operation in history.of("publish"):
        offset = operation.answer["offset"]
        if offset not in raw:
            yield Violation("lost-write", operation.target, f"the message at {offset} was accepted and is not there")
