"""Dead letters: records that a service could not apply, kept whole on its own topic until an operator decides."""

import traceback
from dataclasses import dataclass
from datetime import datetime

from contracts import registry
from shared import outbox

PREFIX = "dl_"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a record came from when it was first read."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


def letter(
    service: str,
    origin: Origin,
    key: str,
    value: bytes | None,
    headers: outbox.Headers,
    error: BaseException,
    *,
    attempt: int,
    now: datetime,
) -> outbox.Row:
    """The dead letter as an outbox row: the record's own key, bytes and headers, and ``dl_*`` headers beside them.

    ``attempt`` counts from 1 and grows with each replay that failed again.
    """
    where = traceback.extract_tb(error.__traceback__)
    place = f" ({where[-1].name} in {where[-1].filename.rsplit('/', 1)[-1]}:{where[-1].lineno})" if where else ""
    added = {
        "service": service,
        "topic": origin.topic,
        "partition": origin.partition,
        "offset": origin.offset,
        "reason": type(error).__name__,
        "detail": f"{str(error)[:2000]}{place}",
        "time": now.isoformat(),
        "attempt": attempt,
    }
    return outbox.record(
        registry.dead_letters(service),
        key,
        value,
        [*headers, *((PREFIX + name, str(text).encode()) for name, text in added.items())],
        aggregate=f"dead-letter/{origin}",
        version=attempt,
    )


def origin_of(headers: outbox.Headers) -> tuple[Origin, int, list[tuple[str, bytes | None]]]:
    """Splits a dead letter's headers into origin, attempt and the record's own headers.

    Raises :class:`KeyError` or :class:`ValueError` for a record that is not a dead letter.
    """
    own = [(name, raw) for name, raw in headers if not name.startswith(PREFIX)]
    ours = {name[len(PREFIX) :]: (raw or b"").decode() for name, raw in headers if name.startswith(PREFIX)}
    return Origin(ours["topic"], int(ours["partition"]), int(ours["offset"])), int(ours["attempt"]), own
