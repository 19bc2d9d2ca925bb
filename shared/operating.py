"""What operators do with a service over HTTP: look at its dead letters, try them again, give them up.

Every service has these endpoints under ``/<service>/dead-letters`` by :func:`shared.service.create_service`. Letters
may hold personal data, so each asks for the role ``operator``, given for the whole platform.
"""

import base64
import json
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final, Self

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, Field
from pymongo import ASCENDING

from contracts.envelope import UtcDatetime
from shared import dead_letters, idempotency
from shared.bodies import Body
from shared.dead_letters import LETTERS, Action, Decided, Decision, Letter, Outcome, Why
from shared.identity import Caller, may
from shared.ids import new_id
from shared.paging import CursorParam, Limit, Page
from shared.problems import Problem, conflict, not_found
from shared.records import Origin

if TYPE_CHECKING:
    from shared.service import Service

ROLE: Final = "operator"
MOST_AT_ONCE: Final = 100
NOTHING_HERE: Final = "No record waits for a decision here. Letters that were decided are shown with `all=true`."

Operator = Annotated[Caller, may(roles=[ROLE], everywhere=True)]
Name = Annotated[str, Field(min_length=1, max_length=250)]
Number = Annotated[int, Path(ge=0, lt=2**63)]


class LetterLine(BaseModel):
    """A dead letter in a list. ``id`` is the place that the record was first read at: topic/partition/offset."""

    id: str
    type: str
    aggregate: str
    reason: str
    time: datetime
    attempt: int
    open: bool

    @classmethod
    def of(cls, letter: Letter) -> Self:
        """The letter's line."""
        return cls(**letter.model_dump(include=set(LetterLine.model_fields)))


class LetterShown(LetterLine):
    """A dead letter whole, with what operators decided about it. What the record held is gone when it is closed.

    ``value`` is there when it is JSON, else ``raw`` has its bytes in base64; neither for a tombstone.
    """

    detail: str
    key: str
    headers: list[tuple[str, str | None]]
    value: Any = None
    raw: str | None = None
    decisions: list[Decided]


class DecisionIn(Body):
    """A decision about the letters that are named, or about all open ones that fit ``topic``, ``reason`` and time."""

    action: Action
    why: Why
    letters: Annotated[tuple[Name, ...], Field(max_length=MOST_AT_ONCE)] = ()
    topic: Name | None = None
    reason: Name | None = None
    since: UtcDatetime | None = None
    until: UtcDatetime | None = None
    dry_run: bool = False

    def filter(self) -> dict[str, Any]:
        """Which letters are meant. Raises a 422 problem when nothing says so."""
        if self.letters:
            return {"_id": {"$in": list(self.letters)}}
        if not (self.topic or self.reason or self.since or self.until):
            raise Problem(422, "letters-not-named", "Name letters, or say a topic, a reason or a time.")
        return dead_letters.wanted(topic=self.topic, reason=self.reason, since=self.since, until=self.until)


class LetterDecided(LetterLine):
    """A letter after the decision. ``outcome`` is null in a dry run, and when somebody else was faster."""

    outcome: Outcome | None


class Decisions(BaseModel):
    """What became of the letters. ``left`` fit as well and were left for another request."""

    dry_run: bool
    items: list[LetterDecided]
    left: int


def router(name: str) -> APIRouter:
    """The endpoints of the service of this name."""
    router = APIRouter(
        prefix=f"/{name}/dead-letters",
        tags=["dead letters"],
        generate_unique_id_function=lambda route: route.name,
    )

    @router.get("", status_code=200, summary="List what could not be applied, the oldest first")
    async def list_dead_letters(
        request: Request,
        caller: Operator,
        topic: Annotated[Name | None, Query(description="Only of this topic")] = None,
        reason: Annotated[Name | None, Query(description="Only with this reason, as `ValidationError`")] = None,
        since: Annotated[UtcDatetime | None, Query(description="Failed at this moment or later")] = None,
        until: Annotated[UtcDatetime | None, Query(description="Failed before this moment")] = None,
        all: Annotated[bool, Query(description="Also those that were decided")] = False,
        limit: Limit = 50,
        cursor: CursorParam = None,
    ) -> Page[LetterLine]:
        service = _service(request)
        wanted = dead_letters.wanted(topic=topic, reason=reason, since=since, until=until, all=all)
        scope = f"dead-letters/{wanted}"
        behind: dict[str, Any] = {}
        if cursor is not None:
            moment, id = service.cursors.decode(scope, cursor)
            time = datetime.fromisoformat(moment)
            behind = {"$or": [{"time": {"$gt": time}}, {"time": time, "_id": {"$gt": id}}]}
        found = await _letters(service, {"$and": [wanted, behind]}, limit + 1)
        shown = found[:limit]
        return Page(
            items=[LetterLine.of(letter) for letter in shown],
            next=service.cursors.encode(scope, [shown[-1].time.isoformat(), shown[-1].id])
            if len(found) > limit
            else None,
            hint=None if found or cursor else NOTHING_HERE,
        )

    @router.get("/{topic}/{partition}/{offset}", status_code=200, summary="Show one dead letter whole")
    async def show_dead_letter(
        request: Request, caller: Operator, topic: Annotated[Name, Path()], partition: Number, offset: Number
    ) -> LetterShown:
        id = str(Origin(topic, partition, offset))
        letter = await _service(request).store.get(LETTERS, id)
        if letter is None:
            raise not_found("dead-letter", id)
        return LetterShown(
            **LetterLine.of(letter).model_dump(),
            detail=letter.detail,
            key=letter.key,
            headers=[(header, _legible(raw)) for header, raw in letter.headers],
            decisions=letter.decisions,
            **_content(letter.value),
        )

    @router.post("/decisions", status_code=200, summary="Try dead letters again, or give them up")
    async def decide_dead_letters(request: Request, body: DecisionIn, caller: Operator) -> Decisions:
        service = _service(request)
        if not service.started:
            raise Problem(503, "unavailable", "This service is starting; try again.", headers={"Retry-After": "2"})
        # Nothing is decided twice, and a repeated request is told what became of the first.
        idempotency.not_kept()
        found = await _letters(service, body.filter(), MOST_AT_ONCE + 1)
        _check_named(body.letters, found)
        meant, left = found[:MOST_AT_ONCE], 0
        if len(found) > MOST_AT_ONCE:
            left = await service.store.count(LETTERS, body.filter()) - MOST_AT_ONCE
        items = []
        for letter in meant:
            items.append(await _decided(service, letter, body, caller.id))
        return Decisions(dry_run=body.dry_run, items=items, left=left)

    return router


def _service(request: Request) -> "Service":
    service: Service = request.app.state.service
    return service


async def _letters(service: "Service", filter: dict[str, Any], limit: int) -> list[Letter]:
    return await service.store.find(LETTERS, filter, sort=[("time", ASCENDING), ("_id", ASCENDING)], limit=limit)


def _check_named(named: Sequence[str], found: Sequence[Letter]) -> None:
    by_id = {letter.id: letter for letter in found}
    for id in named:
        if id not in by_id:
            raise not_found("dead-letter", id)
        if not by_id[id].open:
            raise conflict("letter-decided", "Somebody has decided about this letter already.", id=id)


async def _decided(service: "Service", letter: Letter, body: DecisionIn, by: str) -> LetterDecided:
    outcome = None
    if not body.dry_run:
        decision = Decision(
            id=new_id("dcn"),
            letter=letter.id,
            attempt=letter.attempt,
            action=body.action,
            by=by,
            why=body.why,
            at=service.clock.now(),
        )
        # Any of the service's consumers reads the records of all its topics alike.
        letter = await service.consumers[0].applier.decide(decision) or letter
        outcome = letter.outcome_of(decision.id)
    return LetterDecided(**LetterLine.of(letter).model_dump(), outcome=outcome)


def _legible(raw: bytes | None) -> str | None:
    return None if raw is None else raw.decode("utf-8", "backslashreplace")


def _content(value: bytes | None) -> dict[str, Any]:
    if value is None:
        return {}
    try:
        return {"value": json.loads(value)}
    except ValueError:
        return {"raw": base64.b64encode(value).decode()}
