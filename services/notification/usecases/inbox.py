"""The inbox of a person, and what an agent of the helpdesk may see of a message."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from contracts.notification import Channel, DeliveryState, DeliveryStateChanged
from services.notification.store import INBOXES, MAILS, MESSAGES, Inbox, Mail, Message
from services.notification.texts import Reader, Rendered
from services.notification.usecases.contacts import same_person
from services.notification.usecases.telling import contacts
from services.notification.usecases.wording import names_in, reader_of, word
from shared import store
from shared.problems import not_found
from shared.store import Store, Transaction


@dataclass(frozen=True, slots=True)
class Entry:
    """An inbox entry in words."""

    message: Message
    rendered: Rendered


async def reader(of: store.Reader, person: str, languages: Sequence[str]) -> Reader:
    """Whoever is signed in, by the wanted languages, else as the person was recorded."""
    return reader_of((await contacts(of, [person])).get(person), languages)


async def entries(
    of: Store,
    person: str,
    languages: Sequence[str],
    *,
    unread: bool,
    topic: str | None,
    after: tuple[datetime, str] | None,
    limit: int,
) -> tuple[list[Entry], tuple[datetime, str] | None]:
    """The person's entries, the latest first, behind the one with these sort values.

    The second value is where the next page begins, None on the last one.
    """
    which: dict[str, Any] = await _own(of, person)
    if unread:
        which["read_at"] = None
    if topic is not None:
        which["topic"] = topic
    if after is not None:
        at, id = after
        which["$or"] = [{"created_at": {"$lt": at}}, {"created_at": at, "_id": {"$lt": id}}]
    found = await of.find(MESSAGES, which, sort=[("created_at", -1), ("_id", -1)], limit=limit + 1)
    shown = found[:limit]
    following = (shown[-1].created_at, shown[-1].id) if len(found) > limit else None
    return await _worded(of, person, languages, shown), following


async def unread(of: store.Reader, person: str) -> int:
    """How many entries the person has not read."""
    return await of.count(MESSAGES, await _own(of, person) | {"read_at": None})


async def latest(of: store.Reader, person: str) -> tuple[str, int]:
    """Whose inbox it is today, and the number of its latest entry."""
    owner = (await same_person(of, person))[0]
    inbox = await of.get(INBOXES, owner)
    return owner, (inbox or Inbox(id=owner)).last


async def entries_after(of: Store, owner: str, languages: Sequence[str], number: int) -> tuple[list[Entry], int]:
    """The next entries of an inbox behind a number, in order, and the number that they reach to.

    None is left out and none comes later in between.
    """
    which = {"reader": owner, "portal": True, "seq": {"$gt": number}}
    found = await of.find(MESSAGES, which, sort=[("seq", 1)], limit=100)
    return await _worded(of, owner, languages, found), max((one.seq for one in found), default=number)


async def mark_read(of: Store, person: str, id: str, languages: Sequence[str]) -> Entry:
    """Marks an entry as read, once. Raises a 404 problem for one that is not this person's."""

    async def work(tx: Transaction) -> Message:
        message = await tx.one(MESSAGES, await _own(tx, person) | {"_id": id})
        if message is None:
            raise not_found("message", id)
        if message.read_at is not None:
            return message
        read = message.model_copy(update={"read_at": tx.clock.now()})
        changed = DeliveryStateChanged(message_id=id, channel=Channel.PORTAL, state=DeliveryState.READ)
        return await tx.save(MESSAGES, read, changed)

    message = await of.transaction(work)
    worded = await _worded(of, person, languages, [message])
    if not worded:
        raise not_found("message", id)
    return worded[0]


async def delivery_of(of: Store, id: str) -> tuple[Message, Mail | None]:
    """A message, and its mail while that still waits. Raises a 404 problem for an unknown message."""
    return await of.require(MESSAGES, id), await of.get(MAILS, id)


async def _own(of: store.Reader, person: str) -> dict[str, Any]:
    return {"reader": {"$in": await same_person(of, person)}, "portal": True}


async def _worded(of: Store, person: str, languages: Sequence[str], messages: Sequence[Message]) -> list[Entry]:
    names = await names_in(of, messages)
    whose = await reader(of, person, languages)
    worded = ((message, word(message, whose, names)) for message in messages)
    return [Entry(message, rendered) for message, rendered in worded if rendered is not None]
