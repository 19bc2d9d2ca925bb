"""Dead letters for the operator: what a service could not apply, why, and how it is handed back."""

import json
from collections.abc import Callable
from dataclasses import dataclass

from confluent_kafka import KafkaError, Message, Producer
from rich.table import Table

from contracts.registry import OPERATOR, SERVICE_TOPICS, dead_letters, replays
from infra.local.errors import LocalError
from infra.stack import Stack
from mission.reading import TIMEOUT, Record, records
from shared.dead_letters import PREFIX, Origin, origin_of

SERVICES = tuple(topic.owner for topic in SERVICE_TOPICS if topic.owner != OPERATOR)
"""The services that keep dead letters."""


@dataclass(frozen=True, slots=True)
class Letter:
    """One dead letter. ``id`` is the place that the record was first read at, ``open`` that nobody replayed it."""

    service: str
    id: Origin
    attempt: int
    open: bool
    record: Record

    def told(self, name: str) -> str:
        """One of the ``dl_*`` statements: ``reason``, ``detail``, ``time``."""
        values = dict(self.record.headers)
        return (values.get(PREFIX + name) or b"").decode()

    @property
    def type(self) -> str:
        """The event's type, empty when it is not legible."""
        return (dict(self.record.headers).get("ce_type") or b"").decode("utf-8", "replace")


def letters(stack: Stack, service: str | None = None, *, all: bool = False) -> list[Letter]:
    """The open dead letters of one service or of every one; ``all`` also those that were replayed.

    Raises :class:`LocalError` for a service that keeps none.
    """
    if service is not None and service not in SERVICES:
        raise LocalError(f"{service!r} keeps no dead letters; those that do are {', '.join(SERVICES)}.")
    found: list[Letter] = []
    for name in [service] if service else SERVICES:
        replayed = {origin_of(record.headers)[:2] for record in records(stack, replays(name))}
        for record in records(stack, dead_letters(name)):
            origin, attempt, _ = origin_of(record.headers)
            found.append(Letter(name, origin, attempt, (origin, attempt) not in replayed, record))
    return [letter for letter in found if all or letter.open]


def letter_table(found: list[Letter]) -> Table:
    """The letters, one line each."""
    table = Table(title=f"{len(found)} dead letters", title_justify="left")
    for column in ("service", "id", "type", "reason", "detail", "since", "state"):
        table.add_column(column, overflow="fold")
    for letter in found:
        detail = letter.told("detail").splitlines()[0][:120] if letter.told("detail") else ""
        state = "open" if letter.open else "replayed"
        table.add_row(
            letter.service, str(letter.id), letter.type, letter.told("reason"), detail, letter.told("time")[:19], state
        )
    return table


def described(letter: Letter) -> str:
    """One letter in full: its headers and its value, readable."""
    lines = [f"{name}: {(raw or b'').decode('utf-8', 'replace')}" for name, raw in letter.record.headers]
    value = letter.record.value
    if value is None:
        text = "(no value: a tombstone)"
    else:
        try:
            text = json.dumps(json.loads(value), indent=2, ensure_ascii=False)
        except ValueError:
            text = repr(value)
    return "\n".join([*lines, "", text])


def replay(stack: Stack, chosen: list[Letter]) -> None:
    """Hands letters back to their own service, in order, and to nobody else.

    Raises :class:`LocalError` when the broker does not take one; those before it are on their way.
    """
    producer = Producer(stack.kafka.client(OPERATOR) | {"enable.idempotence": True, "log_level": 0})
    for letter in chosen:
        refusals: list[KafkaError | None] = []
        record = letter.record
        producer.produce(
            replays(letter.service),
            record.value,
            record.key,
            headers=list(record.headers),
            on_delivery=_recording(refusals),
        )
        producer.flush(TIMEOUT)
        if refusals != [None]:
            raise LocalError(f"{letter.id} was not handed back: {refusals[0] if refusals else 'Kafka is away'}.")


def _recording(refusals: list[KafkaError | None]) -> Callable[[KafkaError | None, Message], None]:
    return lambda error, _: refusals.append(error)
