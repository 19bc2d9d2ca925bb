"""The whole way of one write, read from the stores and topics alone: its events, and what became of each where."""

import re
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from rich.markup import escape
from rich.tree import Tree

from contracts.envelope import Attributes, decode, name_and_version
from contracts.notification import DeliveryStateChanged
from contracts.registry import DOMAIN_TOPICS, KEYS_TOPIC, PLATFORM_PRINCIPAL, STORING, Topic
from infra.local.errors import LocalError
from infra.stack import Stack
from infra.topics import concrete
from mission.reading import Record, records

DELIVERY: Final = name_and_version(DeliveryStateChanged.type)[0]
BIRTH: Final = re.compile(r"^[a-z]+_([0-9a-f]{32})$")
TRACE: Final = re.compile(r"^[0-9a-f]{32}$")
MOST_ROWS: Final = 10_000
MARGIN: Final = timedelta(minutes=1)
"""How far the clocks of two machines may lie apart."""


@dataclass(frozen=True, slots=True)
class Effect:
    """What became of an event at one of its readers. ``at`` is by the database's clock."""

    reader: str
    what: str
    at: datetime | None = None
    good: bool = True


@dataclass(slots=True)
class Hop:
    """One event of the write, with what the outbox knows of it (for a day) and the topic (as long as it keeps it)."""

    attributes: Attributes
    topic: str
    published: datetime | None = None
    waits: str = ""
    record: Record | None = None
    effects: list[Effect] = field(default_factory=list)

    @property
    def order(self) -> tuple[int, int]:
        """Its place among the events of its aggregate."""
        return self.attributes.aggregateversion, self.attributes.ordinal

    @property
    def state(self) -> str:
        """Id of the inbox state of its aggregate at every reader."""
        return f"{self.topic} {self.attributes.subject}"

    @property
    def time(self) -> datetime:
        """When it left its service, else when it was written."""
        return (self.record.time if self.record else self.published) or self.attributes.time


@dataclass(frozen=True, slots=True)
class Waiting:
    """A mail that has not been handed over. ``caused_by`` is the event that it comes from."""

    message: str
    caused_by: str
    attempts: int
    due: datetime
    reason: str | None


@dataclass(frozen=True, slots=True)
class Way:
    """The whole way: its events in the order of their going out, and the mails that still wait."""

    correlation: str
    hops: Sequence[Hop]
    mails: Sequence[Waiting]


def way(stack: Stack, id: str) -> Way:
    """The way of the write that a request id, a correlation id, an event id or a trace id belongs to.

    Raises :class:`LocalError` when nothing is known of it.
    """
    hops = _from_outboxes(stack, id)
    correlations = {hop.attributes.correlationid or hop.attributes.id for hop in hops.values()}
    if not hops:
        correlations = {
            attributes.correlationid or attributes.id
            for _, attributes in _from_topics(stack, born(id))
            if belongs(attributes, id)
        }
    if not correlations:
        raise LocalError(
            f"Nothing is known of {id}: no event names it. A request that only read, or was refused, leaves none;"
            " `make logs` shows what it did."
        )
    # One request or one event in nearly all cases; a trace that a client continues may hold several.
    for correlation in sorted(correlations):
        hops |= _from_outboxes(stack, correlation)
        since = born(correlation) or min((hop.published for hop in hops.values() if hop.published), default=None)
        for record, attributes in _from_topics(stack, since):
            if correlation in (attributes.correlationid, attributes.id):
                hop = hops.setdefault(attributes.id, Hop(attributes, record.topic))
                hop.record = hop.record or record
    found = sorted(hops.values(), key=lambda hop: (hop.time, hop.order))
    _note_effects(stack, found)
    return Way(", ".join(sorted(correlations)), found, list(_mails(stack, correlations)))


def born(id: str) -> datetime | None:
    """Since when there can be events of an id, by the time within it; None for one that holds none."""
    match = BIRTH.match(id)
    if match is None or (number := uuid.UUID(match[1])).version != 7:
        return None
    return datetime.fromtimestamp((number.int >> 80) / 1000, UTC) - MARGIN


def belongs(attributes: Attributes, id: str) -> bool:
    """Whether an event is of the write that this id names."""
    trace = (attributes.traceparent or "").split("-")[1:2]
    return id in (attributes.id, attributes.correlationid, *trace)


def _from_outboxes(stack: Stack, id: str) -> dict[str, Hop]:
    """The events of the last day that belong to this id, by their own ids."""
    named = [{"_id": id}, {"headers": ["ce_correlationid", id.encode()]}]
    if TRACE.match(id):
        # Binary values of one length are in the order of their bytes.
        low, high = (["ce_traceparent", f"00-{id}-{end * 16}-{end * 2}".encode()] for end in "0f")
        named.append({"headers": {"$elemMatch": {"$gte": low, "$lte": high}}})
    find = {"find": "outbox", "filter": {"$or": named}, "projection": {"value": 0}}
    found: dict[str, Hop] = {}
    for service in STORING:
        for row in _found(stack, service, find)[0]:
            headers = [(name, raw) for name, raw in row["headers"]]
            if any(name == "ce_id" for name, _ in headers):
                waits = "" if row["published"] else row.get("reason") or "waits for the relay"
                found[row["_id"]] = Hop(
                    Attributes.from_headers(headers), row["topic"], row.get("published_at"), str(waits)
                )
    return found


def _from_topics(stack: Stack, since: datetime | None) -> Iterator[tuple[Record, Attributes]]:
    """Every event of ours that was sent since then."""
    topics = [
        topic.name
        for topic in concrete(stack.platforms(), DOMAIN_TOPICS)
        if topic.name != KEYS_TOPIC and not topic.owner.startswith(PLATFORM_PRINCIPAL.format(platform=""))
    ]
    for record in records(stack, topics, since):
        try:
            yield record, Attributes.from_headers(record.headers)
        except ValueError:
            continue


def _found(stack: Stack, service: str, *finds: Mapping[str, Any]) -> list[list[dict[str, Any]]]:
    """The rows that each of these queries finds in a service's database."""
    limits = {"limit": MOST_ROWS, "batchSize": MOST_ROWS, "singleBatch": True}
    return [answer["cursor"]["firstBatch"] for answer in stack.ask(service, *({**find, **limits} for find in finds))]


def _note_effects(stack: Stack, hops: Sequence[Hop]) -> None:
    """Notes with each event what became of it at each of its readers."""
    by_reader: dict[str, list[Hop]] = defaultdict(list)
    topics = {topic.name: topic for topic in concrete(stack.platforms(), DOMAIN_TOPICS)}
    for hop in hops:
        for reader in _readers(topics.get(hop.topic), hop.attributes.type):
            by_reader[reader].append(hop)
    for reader, read in by_reader.items():
        states = sorted({hop.state for hop in read})
        places = [_place(hop.record) for hop in read if hop.record]
        inbox, parked, letters = _found(
            stack,
            reader,
            {"find": "inbox", "filter": {"_id": {"$in": states}}},
            {"find": "parked", "filter": {"state": {"$in": states}}, "projection": {"value": 0, "headers": 0}},
            {"find": "dead_letters", "filter": {"_id": {"$in": places}}, "projection": {"value": 0, "headers": 0}},
        )
        known = {row["_id"]: row for row in (*inbox, *letters)}
        waiting = {(row["topic"], row["partition"], row["offset"]): row["waiting_for"] for row in parked}
        for hop in read:
            hop.effects.append(_effect(reader, hop, known, waiting))


def _readers(topic: Topic | None, event_type: str) -> Iterable[str]:
    """The services that read this type of event from this topic."""
    name = name_and_version(event_type)[0]
    for reader, events in (topic.readers if topic else {}).items():
        if reader in STORING and name in {name_and_version(event.type)[0] for event in events}:
            yield reader


def _place(record: Record) -> str:
    return f"{record.topic}/{record.partition}/{record.offset}"


def _effect(
    reader: str, hop: Hop, known: Mapping[str, Mapping[str, Any]], waiting: Mapping[tuple[str, int, int], str | None]
) -> Effect:
    if hop.record is None:
        return Effect(reader, "cannot have it yet", good=not hop.waits)
    letter = known.get(_place(hop.record))
    if letter is not None and (letter["open"] or letter["decisions"][-1]["outcome"] == "dropped"):
        what = "dead letter, waits for an operator" if letter["open"] else "given up by an operator"
        return Effect(reader, f"{what}: {letter['reason']} ({_place(hop.record)})", letter["time"], good=False)
    where = hop.record.topic, hop.record.partition, hop.record.offset
    if where in waiting:
        behind = waiting[where] or "an earlier event of its aggregate"
        return Effect(reader, f"parked, waits for {behind}", good=False)
    state = known.get(hop.state)
    if state is None or (state["version"], state["ordinal"]) < hop.order:
        return Effect(reader, "not applied yet", good=False)
    if (state["version"], state["ordinal"]) == hop.order:
        return Effect(reader, "applied", state.get("at"))
    return Effect(reader, "applied, and later events of the aggregate too")


def _mails(stack: Stack, correlations: Iterable[str]) -> Iterator[Waiting]:
    find = {"find": "mails", "filter": {"correlation": {"$in": sorted(correlations)}, "outcome": None}}
    for row in _found(stack, "notification", find)[0]:
        yield Waiting(row["_id"], row["caused_by"], row["attempts"], row["due"], row.get("reason"))


def tree(found: Way) -> Tree:
    """The way for a terminal: every event below the one that caused it, with what became of it and after how long."""
    first = found.hops[0]
    traces = {hop.attributes.traceparent.split("-")[1] for hop in found.hops if hop.attributes.traceparent}
    actors = {hop.attributes.actor for hop in found.hops if hop.attributes.causationid is None}
    root = Tree(
        f"[bold]{found.correlation}[/] by {', '.join(sorted(filter(None, actors))) or 'nobody that is named'},"
        f" {first.time:%Y-%m-%d %H:%M:%S}.{first.time.microsecond // 1000:03d} UTC"
        f"{', trace ' + ', '.join(sorted(traces)) if traces else ''}",
        highlight=False,
    )
    branches = {hop.attributes.id: hop for hop in found.hops}
    below: dict[str | None, list[Hop]] = defaultdict(list)
    for hop in found.hops:
        cause = hop.attributes.causationid
        below[cause if cause in branches else None].append(hop)

    def grow(tree: Tree, hops: Sequence[Hop]) -> None:
        for hop in hops:
            branch = tree.add(_headline(hop, first.time))
            for effect in hop.effects:
                branch.add(_effect_line(effect, first.time))
            for mail in found.mails:
                if mail.caused_by == hop.attributes.id:
                    why = f", {mail.reason}" if mail.reason else ""
                    branch.add(
                        f"[yellow]mail {mail.message} waits: {mail.attempts} attempts{why}, due {mail.due:%H:%M:%S}"
                    )
            grow(branch, below[hop.attributes.id])

    grow(root, below[None])
    return root


def _headline(hop: Hop, start: datetime) -> str:
    attributes = hop.attributes
    name = name_and_version(attributes.type)[0].removeprefix("eu.mission.")
    said = f"[bold]{name}[/] {attributes.subject} v{attributes.aggregateversion}.{attributes.ordinal}"
    said += f" by {attributes.source.rpartition('/')[2]}"
    if (told := _told(hop)) is not None:
        said += f", {told}"
    lines = [said, f"  event {attributes.id}"]
    if hop.waits:
        lines.append(f"  [red]in the outbox since {_clock(attributes.time)} (platform's clock): {escape(hop.waits)}")
    elif hop.record is not None:
        lines.append(f"  on the topic {_after(hop.record.time, start)} as {_place(hop.record)}")
    else:
        lines.append(f"  published {_after(hop.time, start)} to {hop.topic}, which no longer keeps it")
    return "\n".join(lines)


def _told(hop: Hop) -> str | None:
    """What the event says of a delivery: the one fact that has no other trace."""
    if hop.record is None or hop.record.value is None or not hop.attributes.type.startswith(DELIVERY):
        return None
    event = decode(hop.attributes.type, hop.record.value)
    return f"{event.channel} {event.state}" if isinstance(event, DeliveryStateChanged) else None


def _effect_line(effect: Effect, start: datetime) -> str:
    colour = "green" if effect.good else "red"
    return f"[{colour}]{effect.reader}[/]: {escape(effect.what)}{' ' + _after(effect.at, start) if effect.at else ''}"


def _after(moment: datetime, start: datetime) -> str:
    """An instant, and how long it is after the first event."""
    return f"{_clock(moment)} (+{max(0.0, (moment - start).total_seconds() * 1000):.0f} ms)"


def _clock(moment: datetime) -> str:
    return f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03d}"
