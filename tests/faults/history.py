"""What the clients asked and were answered, and when what was done to the platform: one JSON object a line."""

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Self, TextIO

AGAIN: Final = frozenset({"not-yet-known", "exists-already", "changed-meanwhile", "token-expired"})
"""Codes of problems that say that nothing was done for now, and that the same request may come again."""


class Outcome(StrEnum):
    """What a client knows of a request at its end."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer to a request. ``status`` 0: none came, and ``body`` says why. ``at`` is Unix time."""

    at: float
    status: int
    body: Any = None

    @property
    def definite(self) -> bool:
        """Whether the client knows by this answer what became of the request."""
        code = self.body.get("code") if isinstance(self.body, dict) else None
        return 200 <= self.status < 300 or (400 <= self.status < 500 and self.status != 429 and code not in AGAIN)

    @property
    def doubtful(self) -> bool:
        """Whether the request may have been done although this does not say so."""
        return self.status == 0 or self.status >= 500


@dataclass(slots=True)
class Operation:
    """A request with all its answers. ``target`` is the id of what it is about, ``at`` when it was first sent."""

    number: int
    client: str
    kind: str
    target: str
    body: Any
    at: float
    answers: list[Answer] = field(default_factory=list)

    @property
    def outcome(self) -> Outcome:
        """What the client knows of it."""
        last = self.answers[-1] if self.answers else None
        if last is not None and last.definite:
            return Outcome.ACCEPTED if last.status < 300 else Outcome.REFUSED
        return Outcome.UNKNOWN if last is None or any(each.doubtful for each in self.answers) else Outcome.REFUSED

    @property
    def answer(self) -> dict[str, Any]:
        """The body of the answer that it ended with."""
        body = self.answers[-1].body if self.answers else None
        return body if isinstance(body, dict) else {}

    @property
    def end(self) -> float:
        """When the last answer came; without one, when it was sent."""
        return self.answers[-1].at if self.answers else self.at

    def names(self, key: str) -> bool:
        """Whether the key is somewhere in the request or in its answers."""
        return key in json.dumps([self.client, self.target, self.body, [answer.body for answer in self.answers]])

    def told(self, since: float) -> str:
        """One line for people, with seconds since the round's begin."""
        answers = ", ".join(f"{each.status or each.body} at {each.at - since:.2f}" for each in self.answers)
        return f"{self.at - since:8.2f} s  {self.client} {self.kind} {self.target} {json.dumps(self.body)}: {answers}"


@dataclass(slots=True)
class Fault:
    """Something that was done to the platform. ``end`` is when it was over, ``recovered`` when all was worked off.

    ``last`` names what came last, where something had to be waited for.
    """

    number: int
    kind: str
    target: str
    begin: float
    end: float = 0.0
    recovered: float = 0.0
    last: str = ""

    def told(self, since: float) -> str:
        """One line for people."""
        span = f"to {self.end - since:.2f}, worked off at {self.recovered - since:.2f}"
        return f"{self.begin - since:8.2f} s  fault {self.number}: {self.kind} {self.target} {span}"


@dataclass
class History:
    """All operations by number, and all faults, of one round with this seed."""

    seed: int
    begin: float
    operations: dict[int, Operation] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads a history file."""
        lines = map(json.loads, path.read_text().splitlines())
        history = cls(**next(lines))
        for line in lines:
            if "fault" in line:
                history.faults.append(Fault(**line["fault"]))
            elif "client" in line:
                history.operations[line["number"]] = Operation(**line)
            else:
                history.operations[line.pop("number")].answers.append(Answer(**line))
        return history

    def of(self, *kinds: str, outcome: Outcome | None = Outcome.ACCEPTED) -> Iterator[Operation]:
        """The operations of these kinds that ended so; None: however they ended."""
        for operation in self.operations.values():
            if operation.kind in kinds and outcome in (None, operation.outcome):
                yield operation


class Writer:
    """Writes a history down as it happens, the request before it is sent."""

    def __init__(self, path: Path, seed: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: TextIO = path.open("w")
        self._number = 0
        self._line({"seed": seed, "begin": time.time()})

    def asks(self, client: str, kind: str, target: str, body: Any) -> Operation:
        """A client is about to send a request."""
        self._number += 1
        operation = Operation(self._number, client, kind, target, body, time.time())
        named = {name: getattr(operation, name) for name in ("number", "client", "kind", "target", "body", "at")}
        self._line(named)
        return operation

    def answered(self, operation: Operation, status: int, body: Any) -> Answer:
        """A request was answered; status 0: it was not."""
        answer = Answer(time.time(), status, body)
        operation.answers.append(answer)
        self._line({"number": operation.number, "at": answer.at, "status": status, "body": body})
        return answer

    def fault(self, fault: Fault) -> None:
        """A fault is over and what it left was worked off."""
        self._line({"fault": {name: getattr(fault, name) for name in Fault.__slots__}})

    def close(self) -> None:
        """Ends the file."""
        self._file.close()

    def _line(self, line: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()
