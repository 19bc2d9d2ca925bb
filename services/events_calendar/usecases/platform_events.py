"""National platforms' messages: each is judged, has its effect at most once, and is answered with one receipt."""

import hashlib
import re
from datetime import datetime
from typing import Final
from uuid import UUID, uuid5

from pymongo import InsertOne, UpdateOne

from contracts import registry
from contracts.envelope import Attributes, Event, event_id
from contracts.events_calendar import EventCancelled, EventPublished, EventWithdrawn, Provenance
from contracts.national_platforms import PlatformListed, ReceiptIssued, ReceiptStatus
from services.events_calendar.domain.attributes import read_record
from services.events_calendar.domain.judging import Said, judge
from services.events_calendar.domain.notes import Notes
from services.events_calendar.domain.precedence import Standing, weigh
from services.events_calendar.domain.translating import Tools
from services.events_calendar.store import (
    EVENTS,
    PLATFORM_HEALTH,
    PLATFORM_MESSAGES,
    PLATFORMS,
    CalendarEvent,
    PlatformMessage,
)
from services.events_calendar.usecases.outside_text import last_start, without_html
from services.events_calendar.usecases.showing import shown_as
from shared import outbox
from shared.inbox import RawRecord
from shared.problems import NotYetKnown
from shared.store import Transaction
from shared.telemetry import traceparent

TOPIC: Final = "national-platforms.{platform}.events"
RECEIPTS: Final = registry.topic("national-platforms.{platform}.receipts")
KIND: Final = "national-event"
"""The kind that lists show for a platform's event."""

TOOLS: Final = Tools(without_html, last_start)
_PLATFORM = re.compile(re.escape(TOPIC).replace(r"\{platform\}", "(.+)"))
_NAMESPACE: Final = UUID("6f2a4b1e-3c0d-5e8f-9a7b-0d1c2e3f4a5b")


def platform_of(topic: str) -> str:
    """The platform whose topic this is."""
    match = _PLATFORM.fullmatch(topic)
    assert match is not None, f"{topic} is no platform's topic"
    return match[1]


def identity(platform: str, uid: str, recurrence_id: str | None) -> str:
    """The event's id in the calendar; the same event has the same id whenever it comes."""
    return f"evt_{uuid5(_NAMESPACE, chr(10).join((platform, uid, recurrence_id or ''))).hex}"


async def take(tx: Transaction, record: RawRecord) -> None:
    """Judges a platform's record, gives it its effect, and answers it.

    Raises :class:`NotYetKnown` while the directory has not listed the platform: nothing is lost, the record waits.
    """
    platform = platform_of(record.topic)
    known = await tx.get(PLATFORMS, platform)
    if known is None:
        raise NotYetKnown("platform", platform)
    notes = Notes()
    message = read_record(record.value, record.headers, record.broker_time, notes)
    said: Said | None = None
    if known.listed is None:
        notes.refuse("platform-not-listed", None, "This platform is no longer listed; nothing that it sends is taken.")
    else:
        said = judge(message, known.listed, record.broker_time, TOOLS, notes)
    status, event = ReceiptStatus.REJECTED, None
    if said is not None and known.listed is not None:
        status, event = await _weigh(tx, record, known.listed, f"{message.source}\n{message.id}", said, notes)
    receipt = ReceiptIssued(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        message_id=message.id,
        status=status,
        event_id=event,
        problems=tuple(notes.problems),
        warnings=tuple(notes.warnings),
        received_at=record.broker_time,
    )
    _answer(tx, platform, receipt)
    _count(tx, platform, receipt)


async def _weigh(
    tx: Transaction, record: RawRecord, platform: PlatformListed, source_and_id: str, said: Said, notes: Notes
) -> tuple[ReceiptStatus, str | None]:
    """What becomes of a well-formed message: it is new, or says nothing new, or its id was used for another one."""
    message_id = hashlib.sha256(f"{platform.platform}\n{source_and_id}".encode()).hexdigest()
    before = await tx.get(PLATFORM_MESSAGES, message_id)
    if before is not None:
        if before.digest == said.digest:
            return ReceiptStatus.UNCHANGED, None
        notes.refuse("id-reused", "id", "Another message that was accepted had this id.", said.message_id)
        return ReceiptStatus.REJECTED, None
    id = identity(platform.platform, said.uid, said.recurrence_id)
    known = await tx.get(EVENTS, id)
    new = Standing(said.sequence, said.said_at, record.offset, said.digest)
    if known is not None:
        outcome = weigh(new, Standing(known.sequence, known.said_at or known.changed_at, known.offset, known.digest))
        if outcome == "stale":
            text = f"A newer state of this event is known (sequence {known.sequence})."
            notes.warn("stale", "sequence", text, said.sequence)
        if outcome != "newer":
            return ReceiptStatus.UNCHANGED, None
    event, fact = _next(id, known, record, platform, said, tx.clock.now())
    tx.defer(PLATFORM_MESSAGES, InsertOne(PlatformMessage(id=message_id, digest=said.digest).model_dump(by_alias=True)))
    await tx.save(EVENTS, event, fact)
    return ReceiptStatus.ACCEPTED, id


def _next(
    id: str, known: CalendarEvent | None, record: RawRecord, platform: PlatformListed, said: Said, now: datetime
) -> tuple[CalendarEvent, Event]:
    """The event as the message leaves it, and the fact that tells of it."""
    stays = known if said.kind == "cancelled" else None
    event = (stays or CalendarEvent(id=id, uid=said.uid, kind=KIND, standing=said.kind, changed_at=now)).model_copy(
        update={
            "version": known.version if known else 0,
            "platform": platform.platform,
            "recurrence_id": said.recurrence_id,
            "standing": said.kind,
            "sequence": said.sequence,
            "said_at": said.said_at,
            "offset": record.offset,
            "digest": said.digest,
            "reason": said.reason,
            "changed_at": now,
        }
    )
    if said.event is not None:
        event = event.model_copy(update=shown_as(said.event, said.ends, platform.name))
        event = event.model_copy(update={"organiser_mail": said.organiser_mail})
    provenance = Provenance(
        platform=platform.platform,
        uid=said.uid,
        sequence=said.sequence,
        recurrence_id=said.recurrence_id,
        message_id=said.message_id,
        offset=record.offset,
        said_at=said.said_at,
        received_at=record.broker_time,
    )
    revision = event.version + 1
    if said.event is not None:
        return event, EventPublished(event_id=id, revision=revision, provenance=provenance, event=said.event)
    fact = EventCancelled if said.kind == "cancelled" else EventWithdrawn
    return event, fact(event_id=id, revision=revision, provenance=provenance, reason=said.reason)


def _answer(tx: Transaction, platform: str, receipt: ReceiptIssued) -> None:
    """Puts the receipt into the outbox, in the order of the platform's messages."""
    topic = RECEIPTS.for_platform(platform)
    line, place = f"{topic}/{receipt.partition}", receipt.offset + 1
    attributes = Attributes(
        id=str(event_id(line, place, 0)),
        source="/services/events-calendar",
        type=ReceiptIssued.type,
        subject=receipt.key,
        time=tx.clock.now(),
        aggregateversion=1,
        actor="events-calendar",
        traceparent=traceparent(),
    )
    value = receipt.model_dump_json().encode()
    tx.emit_record(outbox.record(topic, receipt.key, value, attributes.headers(), aggregate=line, version=place))


def _count(tx: Transaction, platform: str, receipt: ReceiptIssued) -> None:
    times = {"last_message_at": receipt.received_at}
    if receipt.status is not ReceiptStatus.UNCHANGED:
        times[f"last_{receipt.status}_at"] = receipt.received_at
    counts = {str(receipt.status): 1}
    for code in {problem.code for problem in receipt.problems}:
        counts[f"problems.{code}"] = 1
    tx.defer(PLATFORM_HEALTH, UpdateOne({"_id": platform}, {"$max": times, "$inc": counts}, upsert=True))
