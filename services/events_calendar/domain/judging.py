"""Judging a platform's message: what it says in our words, or everything that is wrong with it.

Judged by the message, the directory and the broker's time alone, so that a replay comes to the same end. The rules are
those of docs/national-platforms.md.
"""

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, Literal

from contracts.common import Text
from contracts.events_calendar import PublicEvent
from contracts.national_platforms import (
    PlatformEvent,
    PlatformEventCancelled,
    PlatformEventPublished,
    PlatformEventWithdrawn,
    PlatformListed,
    PlatformState,
    read,
)
from services.events_calendar.domain import moments
from services.events_calendar.domain.attributes import Message
from services.events_calendar.domain.notes import MOST, Notes
from services.events_calendar.domain.texts import Texts
from services.events_calendar.domain.translating import Tools, translate

Kind = Literal["published", "cancelled", "withdrawn"]
KINDS: Final[dict[type[PlatformEvent], Kind]] = {
    PlatformEventPublished: "published",
    PlatformEventCancelled: "cancelled",
    PlatformEventWithdrawn: "withdrawn",
}


@dataclass(frozen=True, slots=True)
class Said:
    """What an acceptable message says of one event. ``digest`` stands for its content.

    ``event`` and ``ends`` (of the last instance, UTC) are there when it is published.
    """

    kind: Kind
    message_id: str
    uid: str
    sequence: int
    recurrence_id: str | None
    said_at: datetime
    digest: str
    event: PublicEvent | None = None
    ends: datetime | None = None
    reason: dict[str, Text] | None = None
    organiser_mail: str | None = None


def judge(message: Message, platform: PlatformListed, now: datetime, tools: Tools, notes: Notes) -> Said | None:
    """What a message says, None when ``notes`` has problems with it; ``now`` is the broker's time.

    Never raises for what a platform may send.
    """
    if platform.state is not PlatformState.ACTIVE:
        notes.refuse("platform-suspended", None, "This platform is suspended; nothing that it sends is taken.")
    if message.source is not None and message.source not in platform.sources:
        text = f"source must be one that is registered for this platform: {', '.join(platform.sources)}."
        notes.refuse("source-not-registered", "source", text, message.source)
    if message.type is None or (message.data is None and notes.about("data")):
        return None
    reading = read(message.type, message.subject, message.data)
    notes.warnings += reading.warnings[: MOST - len(notes.warnings)]
    known = notes.about("subject")
    notes.problems += [problem for problem in reading.problems if not (known and problem.field == "subject")]
    del notes.problems[MOST:]
    if reading.event is None:
        return None
    try:
        said = _say(reading.event, message, platform, now, tools, notes)
    except (ValueError, OverflowError) as error:
        notes.refuse("invalid", "data", f"The data cannot be taken: {error}")
        return None
    return None if notes.problems else said


def _say(
    event: PlatformEvent, message: Message, platform: PlatformListed, now: datetime, tools: Tools, notes: Notes
) -> Said | None:
    said = Said(
        kind=KINDS[type(event)],
        message_id=message.id or "",
        uid=event.uid,
        sequence=event.sequence,
        recurrence_id=_recurrence_id(event.recurrence_id, notes),
        said_at=message.time,
        digest=hashlib.sha256(f"{event.type}\n{event.model_dump_json()}".encode()).hexdigest(),
    )
    if not isinstance(event, PlatformEventPublished):
        return replace(said, reason=Texts(tools.without_html, notes).localised(event.reason, "reason"))
    translation = translate(event, platform, now, tools, notes)
    if translation is None:
        return None
    mail = event.organiser.email if event.organiser else None
    return replace(said, event=translation.event, ends=translation.ends, organiser_mail=mail)


def _recurrence_id(given: str | None, notes: Notes) -> str | None:
    """The same instance has the same id however its beginning was written: a date, or the instant in UTC."""
    if given is None or len(given) == len("2026-03-05"):
        return given
    moment = moments.instant(given)
    if not moments.legible_year(moment, given, "recurrence_id", notes):
        return None
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
