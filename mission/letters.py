"""Dead letters for the operator: what services could not apply, why, and what is to become of it."""

import getpass
import json
import os
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from confluent_kafka import KafkaError, Message, Producer
from rich.markup import escape
from rich.table import Table

from contracts.registry import OPERATOR, SERVICE_TOPICS, replays
from infra.local.errors import LocalError
from infra.stack import Stack
from mission import clock
from mission.reading import TIMEOUT
from shared.dead_letters import LETTERS, Action, Decision, Letter, Outcome, wanted
from shared.ids import new_id

SERVICES: Final = tuple(topic.owner for topic in SERVICE_TOPICS if topic.owner != OPERATOR)
"""The services that keep dead letters."""

MOST: Final = 10_000
CONTENT: Final = {"value": 0, "headers": 0}
"""What is left out where only the letters' lines are wanted."""

POLL_SECONDS: Final = 0.2
PATIENCE_SECONDS: Final = 20.0
WORDS: Final = {
    Outcome.APPLIED: "applied",
    Outcome.DROPPED: "given up",
    Outcome.FAILED: "failed again",
    Outcome.WAITS: "waits for something that is not known there yet, and is then applied by itself",
}


@dataclass(frozen=True, slots=True)
class Kept:
    """A letter and the service that keeps it."""

    service: str
    letter: Letter


def letters(stack: Stack, service: str | None = None, **which: Any) -> list[Kept]:
    """The open letters of one service or of all, without what their records held, the oldest first.

    ``which`` narrows them as :func:`shared.dead_letters.wanted` has it: ``topic``, ``reason``, ``since``, ``until``,
    ``all``. Raises :class:`LocalError` for a service that keeps none.
    """
    found = [
        Kept(name, Letter.model_validate({"value": None, "headers": [], **row}))
        for name in keeping(service)
        for row in _rows(stack, name, wanted(**which), CONTENT)
    ]
    return sorted(found, key=lambda kept: kept.letter.time)


def keeping(service: str | None) -> Sequence[str]:
    """The services meant: one, or all that keep letters. Raises :class:`LocalError` for one that keeps none."""
    if service is not None and service not in SERVICES:
        raise LocalError(f"{service!r} keeps no dead letters; those that do are {', '.join(SERVICES)}.")
    return [service] if service else SERVICES


def whole(stack: Stack, id: str, service: str | None = None) -> list[Kept]:
    """The letters of this id with all that they hold: each service that could not apply the record keeps one.

    Raises :class:`LocalError` when there is none.
    """
    found = [
        Kept(name, Letter.model_validate(row))
        for name in keeping(service)
        for row in _rows(stack, name, {"_id": id}, {})
    ]
    if not found:
        raise LocalError(f"There is no dead letter {id}; `bin/mission dead-letters list --all` shows those there are.")
    return found


def _rows(stack: Stack, service: str, filter: dict[str, Any], fields: dict[str, int]) -> list[dict[str, Any]]:
    find = {"find": LETTERS.name, "filter": filter, "sort": {"time": 1, "_id": 1}, "projection": fields}
    (answer,) = stack.ask(service, {**find, "limit": MOST, "batchSize": MOST, "singleBatch": True})
    rows: list[dict[str, Any]] = answer["cursor"]["firstBatch"]
    return rows


def decide(stack: Stack, chosen: Sequence[Kept], action: Action, why: str, by: str | None = None) -> dict[str, Kept]:
    """Tells the letters' own services, and nobody else, what becomes of them; returns the letters by decision.

    ``by`` is who decides, the user of this machine when left out. Raises :class:`LocalError` when the broker does not
    take a decision; those before it are on their way.
    """
    producer = Producer(stack.kafka.client(OPERATOR) | {"enable.idempotence": True, "log_level": 0})
    made: dict[str, Kept] = {}
    for kept in chosen:
        letter = kept.letter
        decision = Decision(
            id=new_id("dcn"),
            letter=letter.id,
            attempt=letter.attempt,
            action=action,
            by=by or user(),
            why=why,
            at=clock.now(),
        )
        refusals: list[KafkaError | None] = []
        value = decision.model_dump_json().encode()
        producer.produce(replays(kept.service), value, letter.id.encode(), on_delivery=_recording(refusals))
        producer.flush(TIMEOUT)
        if refusals != [None]:
            raise LocalError(f"{letter.id} was not decided: {refusals[0] if refusals else 'Kafka is away'}.")
        made[decision.id] = kept
    return made


def outcomes(stack: Stack, made: dict[str, Kept], patience: float = PATIENCE_SECONDS) -> dict[str, Outcome | None]:
    """What became of each decision, by its id; None where the service has not carried it out in time.

    It never will when somebody else has decided about the letter meanwhile.
    """
    found: dict[str, Outcome | None] = dict.fromkeys(made)
    waiting = dict(made)
    deadline = time.monotonic() + patience
    while waiting and time.monotonic() < deadline:
        for service in {kept.service for kept in waiting.values()}:
            ours = {id: kept.letter for id, kept in waiting.items() if kept.service == service}
            ids = {"_id": {"$in": [letter.id for letter in ours.values()]}}
            rows = {row["_id"]: row for row in _rows(stack, service, ids, {"decisions": 1, "open": 1, "attempt": 1})}
            for id, letter in ours.items():
                row = rows[letter.id]
                outcome = next((each["outcome"] for each in row["decisions"] if each["id"] == id), None)
                if outcome or not row["open"] or row["attempt"] != letter.attempt:
                    found[id] = outcome and Outcome(outcome)
                    del waiting[id]
        if waiting:
            time.sleep(POLL_SECONDS)
    return found


def user() -> str:
    """Who types this: the user of this machine, also behind sudo."""
    try:
        name = os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        name = f"user {os.getuid()}"
    return f"{name}@{socket.gethostname()}"


def letter_table(found: Sequence[Kept]) -> Table:
    """The letters, one line each."""
    table = Table(title=f"{len(found)} dead letters", title_justify="left")
    for column in ("service", "id", "type", "reason", "detail", "failed (UTC)", "tries", "state"):
        table.add_column(column, overflow="fold", no_wrap=column in ("service", "id"))
    for kept in found:
        letter = kept.letter
        detail = letter.detail.splitlines()[0][:120] if letter.detail else ""
        state = "open" if letter.open else WORDS[letter.decisions[-1].outcome].partition(",")[0]
        table.add_row(
            *(kept.service, letter.id, letter.type.removeprefix("eu.mission."), letter.reason, escape(detail)),
            *(f"{letter.time:%Y-%m-%d %H:%M:%S}", str(letter.attempt), state),
        )
    return table


def history_table(found: Sequence[Kept]) -> Table:
    """Who decided what about which letter, when and why, and what became of it, the oldest first."""
    table = Table(title_justify="left")
    for column in ("when (UTC)", "who", "what", "service", "letter", "why", "outcome"):
        table.add_column(column, overflow="fold", no_wrap=column == "letter")
    lines = [(decided, kept) for kept in found for decided in kept.letter.decisions]
    for decided, kept in sorted(lines, key=lambda line: line[0].at):
        table.add_row(
            *(f"{decided.at:%Y-%m-%d %H:%M:%S}", decided.by, decided.action, kept.service, decided.letter),
            *(escape(decided.why), WORDS[decided.outcome].partition(",")[0]),
        )
    return table


def described(kept: Kept) -> str:
    """One letter in full: where from, why, its headers and its value, and what operators decided."""
    letter = kept.letter
    lines = [
        f"service: {kept.service}",
        *(f"{name}: {getattr(letter, name)}" for name in ("id", "key", "aggregate", "reason", "detail")),
        f"failed: {letter.time:%Y-%m-%d %H:%M:%S} UTC, {letter.attempt} times",
        *(f"{name}: {(raw or b'').decode('utf-8', 'replace')}" for name, raw in letter.headers),
        *(
            f"decided: {each.at:%Y-%m-%d %H:%M:%S} UTC {each.action} by {each.by}, because {each.why!r}: {each.outcome}"
            for each in letter.decisions
        ),
    ]
    return "\n".join([*lines, "", _legible(letter)])


def _legible(letter: Letter) -> str:
    if not letter.open:
        return "(closed: what the record held is no longer kept here)"
    if letter.value is None:
        return "(no value: a tombstone)"
    try:
        return json.dumps(json.loads(letter.value), indent=2, ensure_ascii=False)
    except ValueError:
        return repr(letter.value)


def _recording(refusals: list[KafkaError | None]) -> Callable[[KafkaError | None, Message], None]:
    return lambda error, _: refusals.append(error)
