"""Telling people: one message per fact and reader, in the inbox and in the queue of mails, in one commit."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextvars import Context, copy_context
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from pymongo import InsertOne, UpdateOne

from contracts.common import LocalisedText
from contracts.envelope import Envelope
from contracts.notification import MessageCreated
from services.notification import domain
from services.notification.store import (
    CITIES,
    CITY_NOTICES,
    CONTACTS,
    INBOXES,
    MAILS,
    MEMBERSHIPS,
    MESSAGES,
    TOUCHED,
    City,
    CityNotice,
    Contact,
    Mail,
    MailState,
    Message,
)
from shared import context
from shared.problems import NotYetKnown
from shared.store import Reader, Transaction
from shared.telemetry import traceparent

LATE = timedelta(minutes=1)
"""By how much the clocks of two services may differ when a fact and a membership are put in order."""


@dataclass(frozen=True, slots=True)
class Notice:
    """What is to be told, whoever the reader is. ``key`` stands for the fact: the event's id unless given.

    ``mail`` False keeps it out of the mail. ``link_path`` is a secret that only the mail shows.
    """

    template: str
    params: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    city_id: str | None = None
    action_path: str | None = None
    not_before: datetime | None = None
    expires_at: datetime | None = None
    key: str | None = None
    mail: bool = True
    link_path: str | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """A notice with those who are to have it: ids of persons, guests, and cities for their mailboxes."""

    notice: Notice
    readers: Iterable[str]


def localised(text: LocalisedText) -> dict[str, Any]:
    """A text in its languages, ready for facts."""
    return {language: one.model_dump(mode="json") for language, one in text.items()}


@dataclass(frozen=True, slots=True)
class _Entry:
    """A message that somebody is to have unless it is there, with what it comes of."""

    id: str
    notice: Notice
    reader: str
    cause: str
    context: Context
    """Who causes it, and its trace."""


async def tell(tx: Transaction, cause: str, *told: Told, unverified: bool = False) -> None:
    """Makes the messages that are not there yet. ``cause`` is the id of the event that they come from.

    ``unverified`` also tells a city's mailbox that has not shown yet that it is the city's. Of notices that make the
    same message for somebody, the first counts. Erased people are left out, and cities without a verified mailbox.

    Raises :class:`NotYetKnown`, before anything is written, for a person or guest of whom nothing has arrived yet.
    """
    wanted = [(each.notice, list(dict.fromkeys(each.readers))) for each in told]
    known = await contacts(tx, sorted({id for _, ids in wanted for id in ids}))
    addressed = [(notice, reader) for notice, ids in wanted for reader in _readers(known, ids, unverified)]
    present = copy_context()
    for notice, reader in addressed:
        id = domain.message_id(notice.key or cause, reader, notice.template)
        tx.gather(_write, _Entry(id, notice, reader, cause, present))


async def _write(tx: Transaction, entries: list[_Entry]) -> None:
    """Makes all messages of a transaction together."""
    wanted: dict[str, _Entry] = {}
    for entry in entries:
        wanted.setdefault(entry.id, entry)
    known = set(await tx.values(MESSAGES, {"_id": {"$in": list(wanted)}}))
    new = [entry for id, entry in wanted.items() if id not in known]
    inboxes = await tx.find(INBOXES, {"_id": {"$in": sorted({entry.reader for entry in new})}})
    numbers = Counter({inbox.id: inbox.last for inbox in inboxes})
    for entry in new:
        entry.context.run(_create, tx, entry, numbers)


def _create(tx: Transaction, entry: _Entry, numbers: Counter[str]) -> None:
    id, notice, reader = entry.id, entry.notice, entry.reader
    kind = domain.KINDS[notice.template]
    now = tx.clock.now()
    mailed = (kind.mail and notice.mail) or notice.link_path is not None
    portal = kind.portal and reader.startswith(("prs_", "gst_"))
    if portal:
        numbers[reader] += 1
        tx.defer(INBOXES, UpdateOne({"_id": reader}, {"$inc": {"last": 1}}, upsert=True))
    message = Message(
        id=id,
        version=1,
        reader=reader,
        seq=numbers[reader] if portal else 0,
        template=notice.template,
        message_class=kind.message_class,
        topic=kind.topic,
        params=notice.params,
        facts=notice.facts,
        city_id=notice.city_id,
        action_path=notice.action_path,
        created_at=now,
        not_before=notice.not_before,
        expires_at=notice.expires_at,
        caused_by=entry.cause,
        portal=portal,
        mail=MailState(at=now) if mailed else None,
    )
    created = MessageCreated(
        message_id=id,
        recipient=domain.recipient(reader),
        city_id=notice.city_id,
        message_class=kind.message_class,
        topic=kind.topic,
        template=notice.template,
        params=notice.params,
        action_path=notice.action_path,
        not_before=notice.not_before,
        expires_at=notice.expires_at,
    )
    tx.defer(MESSAGES, InsertOne(message.model_dump(by_alias=True)))
    tx.emit(created, id, 1)
    if mailed:
        mail = Mail(
            id=id,
            reader=reader,
            priority=0 if kind.urgent else 1,
            due=notice.not_before or now,
            link_path=notice.link_path,
            expires_at=notice.expires_at,
            traceparent=traceparent(),
            correlation=context.current().correlation,
            caused_by=entry.cause,
        )
        tx.defer(MAILS, InsertOne(mail.model_dump(by_alias=True)))


def _readers(known: Mapping[str, Contact], ids: Sequence[str], unverified: bool) -> list[str]:
    """Who these people are today: merged ones under their present id, everybody once, erased ones left out."""
    for id in ids:
        if id not in known and not id.startswith("city_"):
            raise NotYetKnown("guest" if id.startswith("gst_") else "person", id)
    found = [known[id] for id in ids if id in known]
    readers = {contact.id: contact for contact in found if not contact.erased}
    addresses = {c.mail_address for c in readers.values() if not c.id.startswith("city_")}
    return [
        contact.id
        for contact in readers.values()
        if not contact.id.startswith("city_")
        or (contact.mail_address not in addresses and (contact.verified or unverified))
    ]


async def contacts(reader: Reader, ids: Sequence[str]) -> dict[str, Contact]:
    """The contacts that these ids stand for today, those that are known."""
    if not ids:
        return {}
    found = {contact.id: contact for contact in await reader.find(CONTACTS, {"_id": {"$in": list(ids)}})}
    roots = {contact.into for contact in found.values() if contact.into} - found.keys()
    if roots:
        found |= {contact.id: contact for contact in await reader.find(CONTACTS, {"_id": {"$in": list(roots)}})}
    present = {id: found.get(found[id].into or id) for id in ids if id in found}
    return {id: contact for id, contact in present.items() if contact is not None and contact.known}


async def city(tx: Transaction, id: str) -> City:
    """What the city is today, under its present id when it was merged.

    Raises :class:`NotYetKnown` for a city whose name has not arrived yet.
    """
    found = await tx.get(CITIES, id)
    if found is not None and found.into:
        found = await tx.get(CITIES, found.into)
    if found is None or found.name is None:
        raise NotYetKnown("city", id)
    return found


def touch(tx: Transaction, id: str) -> None:
    """Makes this transaction collide with others about this city, session or call that it, or they, must not miss."""
    tx.defer(TOUCHED, UpdateOne({"_id": id}, {"$inc": {"touched": 1}}, upsert=True))


async def same_city(tx: Transaction, id: str) -> list[str]:
    """The ids that this city has and had, the present one first."""
    found = await tx.get(CITIES, id)
    root = (found.into if found else None) or id
    return [root, *await tx.values(CITIES, {"into": root})]


async def members(tx: Transaction, city_id: str) -> list[str]:
    """The approved members of a city."""
    ids = await same_city(tx, city_id)
    return sorted(set(await tx.values(MEMBERSHIPS, {"city_id": {"$in": ids}, "state": "approved"}, "person_id")))


async def tell_city(
    tx: Transaction,
    envelope: Envelope,
    notice: Notice,
    *,
    city_id: str,
    also: Iterable[str] = (),
    mailbox: bool = False,
    others: Sequence[Told] = (),
) -> None:
    """Tells a city's members, and ``also`` these people; ``mailbox`` also the city's shared address.

    Who is known as a member a moment too late, because topics do not wait for one another, is told then.
    """
    people = [*also, *await members(tx, city_id)]
    if mailbox:
        people.append((await same_city(tx, city_id))[0])
    cause = envelope.attributes.id
    await tell(tx, cause, *others, Told(notice, people))
    touch(tx, city_id)
    late = CityNotice(
        id=f"{cause}/{city_id}",
        cause=cause,
        city_id=city_id,
        at=envelope.attributes.time,
        notice=asdict(notice),
        kept_from=tx.clock.now(),
    )
    tx.defer(CITY_NOTICES, InsertOne(late.model_dump(by_alias=True)))


async def tell_late_member(tx: Transaction, city_id: str, person_id: str, since: datetime) -> None:
    """Tells a member what its city was told since the membership began, before it was known here."""
    ids = await same_city(tx, city_id)
    for late in await tx.find(CITY_NOTICES, {"city_id": {"$in": ids}, "at": {"$gte": since - LATE}}):
        await tell(tx, late.cause, Told(Notice(**late.notice), [person_id]))
