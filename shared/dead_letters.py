"""Dead letters: records that a service could not apply, kept whole until an operator decides.

A letter is a document of the service's own store, written by the transaction that gave the record up, and a record on
the service's dead-letter topic, where other tools find it for 30 days. Operators decide through either of two doors,
:mod:`shared.operating` over HTTP and the replays topic for the command line; :mod:`shared.applying` carries out what
they decided, once, and notes it with the letter.
"""

import traceback
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, StringConstraints
from pymongo import ASCENDING, IndexModel, UpdateOne

from contracts import registry
from shared import outbox
from shared.records import KeptRecord, Origin
from shared.store import Collection, Reader

PREFIX = "dl_"
MAX_WHY = 500

Why = Annotated[str, StringConstraints(min_length=3, max_length=MAX_WHY, strip_whitespace=True)]
"""An operator's reason, in words."""


class Action(StrEnum):
    """What an operator can decide: to try the record again, or to give it up for good."""

    REPLAY = "replay"
    DROP = "drop"


class Outcome(StrEnum):
    """What became of a decision.

    ``waits``: the record refers to something that is not known here yet, and is applied by itself when that arrives.
    """

    APPLIED = "applied"
    WAITS = "waits"
    FAILED = "failed-again"
    DROPPED = "dropped"


class Decision(BaseModel):
    """A decision about a letter as it was after ``attempt``. ``by`` is a person's id, or a user of a machine."""

    model_config = ConfigDict(frozen=True)

    id: str
    letter: str
    attempt: int
    action: Action
    by: str
    why: Why
    at: datetime


class Decided(Decision):
    """A decision that was carried out."""

    outcome: Outcome


class Letter(KeptRecord):
    """One dead letter; its id is the place that the record was first read at, as ``topic/partition/offset``.

    ``attempt`` counts from 1 and grows with each replay that failed again. Key, value and headers are the record's own
    and are gone when the letter is closed; so is ``detail``, which may quote them.
    """

    type: str
    aggregate: str
    reason: str
    detail: str
    time: datetime
    attempt: int
    open: bool
    decisions: list[Decided] = []

    def awaits(self, decision: Decision) -> bool:
        """Whether the decision is about the letter as it is now, and not one that others have decided since."""
        return self.open and self.attempt == decision.attempt

    def outcome_of(self, decision: str) -> Outcome | None:
        """What became of the decision with this id, None when it was not carried out here."""
        return next((each.outcome for each in self.decisions if each.id == decision), None)


LETTERS = Collection(
    "dead_letters",
    Letter,
    indexes=[IndexModel([("open", ASCENDING), ("time", ASCENDING), ("_id", ASCENDING)])],
)
CLOSED: Mapping[str, Any] = {"open": False, "key": "", "value": None, "headers": [], "detail": ""}


def wanted(
    *,
    topic: str | None = None,
    reason: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    all: bool = False,
) -> dict[str, Any]:
    """The filter for letters by topic, reason and time of the last failure; open ones unless ``all`` is said."""
    times = {name: moment for name, moment in (("$gte", since), ("$lt", until)) if moment is not None}
    parts = {"open": None if all else True, "topic": topic, "reason": reason, "time": times or None}
    return {name: value for name, value in parts.items() if value is not None}


async def awaiting(reader: Reader, decision: Decision) -> bool:
    """Whether the decision's letter still waits for it."""
    letter = await reader.get(LETTERS, decision.letter)
    return letter is not None and letter.awaits(decision)


async def attempts(reader: Reader, origin: Origin) -> int:
    """How often a record has failed here before."""
    letter = await reader.get(LETTERS, str(origin))
    return 0 if letter is None else letter.attempt


def kept(letter: Letter) -> UpdateOne:
    """The write that keeps a letter, new or failed again."""
    fields = letter.model_dump(exclude={"id", "decisions"})
    return UpdateOne({"_id": letter.id}, {"$set": fields, "$setOnInsert": {"decisions": []}}, upsert=True)


def noted(decision: Decision, outcome: Outcome) -> UpdateOne:
    """The write that notes a decision with its letter, which it closes unless the record has failed again."""
    entry = Decided(**decision.model_dump(), outcome=outcome).model_dump()
    closing = {} if outcome is Outcome.FAILED else {"$set": dict(CLOSED)}
    return UpdateOne({"_id": decision.letter}, {"$push": {"decisions": entry}, **closing})


def letter(record: Mapping[str, Any], error: BaseException, *, aggregate: str, attempt: int, now: datetime) -> Letter:
    """The letter of a record (the fields of a :class:`KeptRecord`) that failed with this error."""
    where = traceback.extract_tb(error.__traceback__)
    place = f" ({where[-1].name} in {where[-1].filename.rsplit('/', 1)[-1]}:{where[-1].lineno})" if where else ""
    return Letter(
        **record,
        id=f"{record['topic']}/{record['partition']}/{record['offset']}",
        type=(dict(record["headers"]).get("ce_type") or b"").decode("utf-8", "backslashreplace"),
        aggregate=aggregate,
        reason=type(error).__name__,
        detail=f"{str(error)[:2000]}{place}",
        time=now,
        attempt=attempt,
        open=True,
    )


def published(service: str, letter: Letter) -> outbox.Row:
    """The outbox row that tells of a letter: the record's own key, bytes and headers, and ``dl_*`` headers."""
    added = {
        "service": service,
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "reason": letter.reason,
        "detail": letter.detail,
        "time": letter.time.isoformat(),
        "attempt": letter.attempt,
    }
    return outbox.record(
        registry.dead_letters(service),
        letter.key,
        letter.value,
        [*letter.headers, *((PREFIX + name, str(text).encode()) for name, text in added.items())],
        aggregate=f"dead-letter/{letter.id}",
        version=letter.attempt,
    )
