"""Read models against two other ways to the same: what the clients know, and what the log says from the beginning."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from contracts import cohort_selection, events_calendar, registration
from contracts.envelope import Event, decode
from tests.faults.evidence import Evidence, Rows
from tests.faults.history import History, Operation, Outcome
from tests.faults.verdict import Violation
from tests.faults.world import PLATFORM, SEATS

Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Expected:
    """A row of a read model: of each field (dots lead into it) the values that it can have."""

    service: str
    collection: str
    id: str
    fields: Mapping[str, set[Any]]


def check(history: History, evidence: Evidence) -> Iterator[Violation]:
    """Everything that this module knows to be wrong."""
    for each in (*_cities(history), *_bookings(history), *_applications(history)):
        row = evidence.rows(each.service, each.collection).get(each.id)
        for path, allowed in each.fields.items():
            value = _value(row, path)
            if value not in allowed:
                sentence = f"{path} is {value!r} in {each.service}/{each.collection}, by the clients one of {allowed}"
                yield Violation("model", each.id, sentence)
    yield from _counts(history, evidence)
    yield from _calendar(history, evidence)
    yield from rebuild(evidence)


def _value(row: Fields | None, path: str) -> Any:
    value: Any = row
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    # An empty list is what a row has that nobody has changed.
    return (tuple(value) or None) if isinstance(value, list) else value


def _cities(history: History) -> Iterator[Expected]:
    commits: dict[str, list[Operation]] = defaultdict(list)
    for operation in history.of("commit", outcome=None):
        commits[operation.target].append(operation)
    for city, operations in commits.items():
        for service in ("registration", "cohort-selection"):
            yield Expected(service, "cities", city, {"commitment.evidence": _last(operations, _evidence)})
    profiles: dict[str, list[Operation]] = defaultdict(list)
    for operation in history.of("profile", outcome=None):
        profiles[operation.target].append(operation)
    for city, operations in profiles.items():
        yield Expected("registration", "cities", city, {"profile.challenges": _last(operations, _challenge)})
    for operation in history.of("declare"):
        city = operation.answer["city"]["id"]
        name = {operation.target}
        yield Expected("cohort-selection", "cities", city, {"authority.name": name})
        yield Expected("events-calendar", "cities", city, {"name": name})
        yield Expected("notification", "cities", city, {"name": name})
        membership = operation.answer["membership"]["id"]
        yield Expected("notification", "memberships", membership, {"city_id": {city}, "state": {"requested"}})


def _last(operations: Sequence[Operation], value: Callable[[Operation], Any]) -> set[Any]:
    """What can stand in the end: what was accepted last, and what nobody knows the outcome of."""
    accepted = [value(each) for each in operations if each.outcome is Outcome.ACCEPTED]
    unknown = {value(each) for each in operations if each.outcome is Outcome.UNKNOWN}
    return {*accepted[-1:], *unknown} | (set() if accepted else {None})


def _evidence(operation: Operation) -> Any:
    return operation.body["evidence"]


def _challenge(operation: Operation) -> Any:
    return tuple(operation.body["challenges"])


def _bookings(history: History) -> Iterator[Expected]:
    given_up = {each.target: each.outcome for each in history.of("cancel", outcome=None)}
    open_states = {"confirmed", "waiting"}
    for operation in history.of("book"):
        id, end = operation.answer["id"], given_up.get(operation.answer["id"])
        states: set[Any] = {
            Outcome.ACCEPTED: {"cancelled"},
            Outcome.UNKNOWN: {*open_states, "cancelled"},
            Outcome.REFUSED: open_states,
            None: open_states,
        }[end]
        yield Expected("events-calendar", "bookings", id, {"state": states})
        yield Expected("notification", "bookings", id, {"state": states, "session_id": {operation.target}})
        # Who only ever waited is none of registration's business.
        unheard = {None} if operation.answer["state"] == "waiting" else set()
        yield Expected("registration", "bookings", id, {"state": states - {"waiting"} | unheard})


def _applications(history: History) -> Iterator[Expected]:
    numbers: dict[str, list[tuple[int, Outcome]]] = defaultdict(list)
    for operation in history.of("apply"):
        numbers[operation.answer["id"]].append((operation.body["answers"]["number"], operation.outcome))
    for operation in history.of("replace", outcome=None):
        numbers[operation.target].append((operation.body["answers"]["number"], operation.outcome))
    for id, found in numbers.items():
        accepted = [number for number, outcome in found if outcome is Outcome.ACCEPTED]
        allowed = {accepted[-1], *(number for number, outcome in found if outcome is Outcome.UNKNOWN)}
        yield Expected("cohort-selection", "applications", id, {"answers.number": allowed, "state": {"submitted"}})
        yield Expected("notification", "applications", id, {"live": {True}})


def _counts(history: History, evidence: Evidence) -> Iterator[Violation]:
    """So many have a seat of each session as there are seats or open bookings, by what the clients know."""
    surely: dict[str, int] = defaultdict(int)
    perhaps: dict[str, int] = defaultdict(int)
    session_of = {each.answer["id"]: each.target for each in history.of("book")}
    for operation in history.of("book", outcome=None):
        surely[operation.target] += operation.outcome is Outcome.ACCEPTED
        perhaps[operation.target] += operation.outcome is Outcome.UNKNOWN
    for operation in history.of("cancel", outcome=None):
        session = session_of[operation.target]
        if operation.outcome is not Outcome.REFUSED:
            surely[session] -= 1
        perhaps[session] += operation.outcome is Outcome.UNKNOWN
    for session in surely:
        bookings = evidence.rows("events-calendar", "bookings").values()
        seated = sum(row["session_id"] == session and row["seated"] for row in bookings)
        least, most = min(surely[session], SEATS), min(surely[session] + perhaps[session], SEATS)
        if not least <= seated <= most:
            yield Violation("model", session, f"{seated} have a seat, by the clients {least} to {most}")


def _calendar(history: History, evidence: Evidence) -> Iterator[Violation]:
    """Each of the platform's events stands as its last message said."""
    said: dict[str, list[Operation]] = defaultdict(list)
    for operation in history.of("publish", outcome=None):
        said[operation.target].append(operation)
    shown = {row["uid"]: row for row in evidence.rows("events-calendar", "events").values() if row["platform"]}
    for uid, operations in said.items():
        sure = [each.body["sequence"] for each in operations if each.outcome is Outcome.ACCEPTED]
        allowed = {max(sure, default=None), *(o.body["sequence"] for o in operations if o.outcome is Outcome.UNKNOWN)}
        if (value := shown.get(uid, {}).get("sequence")) not in allowed:
            yield Violation("model", uid, f"the event of {PLATFORM} stands at {value}, by its messages at {allowed}")


def rebuild(evidence: Evidence) -> Iterator[Violation]:
    """Projections as they are, against those that the topics' events make when they are read from the beginning."""
    folded: dict[tuple[str, str], dict[str, Fields]] = defaultdict(lambda: defaultdict(dict))
    for each in sorted(evidence.first, key=lambda each: (each.attributes.subject, each.place)):
        if each.value is not None and each.topic in _FOLDED:
            _fold(folded, decode(each.attributes.type, each.value))
    for (service, collection), rows in folded.items():
        yield from _differences(service, collection, rows, evidence.rows(service, collection))


def _differences(service: str, collection: str, made: Mapping[str, Fields], there: Rows) -> Iterator[Violation]:
    for id in made.keys() | there.keys():
        row = there.get(id, {})
        seen = {name: row.get(name) for name in made.get(id, {})}
        if id not in there or id not in made or seen != made[id]:
            sentence = f"{service}/{collection} has {seen or None}, the log says {made.get(id)}"
            yield Violation("rebuild", id, sentence)


_FOLDED: Final = frozenset({"registration.cities", "registration.memberships", "calendar.bookings"})


def _fold(rows: Mapping[tuple[str, str], dict[str, Fields]], event: Event) -> None:
    """Takes an event into each projection that shows it."""
    if isinstance(event, registration.CityRegistered | registration.CityProfileChanged):
        there = event.authority.name, event.authority.country
        rows["events-calendar", "cities"][event.city_id] |= dict(zip(("name", "country"), there, strict=True))
        rows["notification", "cities"][event.city_id] |= dict(zip(("name", "country"), there, strict=True))
    if isinstance(
        event, registration.CityRegistered | registration.CityCommitmentChanged | registration.CityStatusesChanged
    ):
        fields = event.model_dump(mode="json", include={"authority", "commitment", "statuses"})
        rows["cohort-selection", "cities"][event.city_id] |= fields
    if isinstance(event, registration.CityPublished):
        rows["cohort-selection", "cities"][event.city_id]["published"] = True
        rows["events-calendar", "cities"][event.city_id]["public"] = True
        rows["notification", "cities"][event.city_id]["published"] = True
    if isinstance(event, registration.MembershipApproved):
        member = {"person_id": event.person_id, "city_id": event.city_id, "active": True}
        rows["cohort-selection", "members"][event.membership_id] |= member
    if isinstance(event, events_calendar.BookingConfirmed | events_calendar.BookingCancelled):
        known = {"session_kind": event.session_kind, "state": event.state.value, "city_id": event.city_id}
        rows["registration", "bookings"][event.booking_id] |= known
    if isinstance(event, events_calendar.BookingFact):
        copy = {"session_id": event.session_id, "holder": event.person_id, "state": event.state.value}
        rows["notification", "bookings"][event.booking_id] |= copy
    if isinstance(event, cohort_selection.ApplicationSubmitted):
        rows["notification", "applications"][event.application_id]["live"] = True
