"""The queue of mails: claimed by one sender at a time, and what became of each recorded with its event."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from pymongo import UpdateOne

from contracts.notification import Channel, DeliveryState, DeliveryStateChanged
from services.notification import domain
from services.notification.mail import ascii_address, compose
from services.notification.settings import NotificationSettings
from services.notification.store import MAILS, MESSAGES, Mail, MailState, Message
from services.notification.texts import Rendered
from services.notification.usecases.telling import contacts
from services.notification.usecases.wording import names_in, reader_of, word
from shared import context
from shared.store import ANY_TEXT, Row, Store, Transaction
from shared.telemetry import following, trace_of

CLAIM_SECONDS: Final = 60
BATCH: Final = 50
COUNTED: Final = 10_000

NEVER: Final = datetime.min.replace(tzinfo=UTC)

FREE: Final[Row] = {"$or": [{"claimed_until": None}, {"$expr": {"$lt": ["$claimed_until", "$$NOW"]}}]}
"""A claim ends by the database's clock, which all senders share."""
NOBODYS: Final[Row] = {"$set": {"claim": None, "claimed_until": None}}


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail that is ready to be handed over, or what became of it without that; with neither it is put off."""

    mail: Mail
    created_at: datetime = NEVER
    address: str = ""
    content: bytes | None = None
    outcome: DeliveryState | None = None
    reason: str | None = None


async def claim(store: Store, token: str) -> list[Mail]:
    """Takes up to :data:`BATCH` mails that are due, links first; until the claim ends they are nobody else's."""
    waiting: Row = {"outcome": None, "due": {"$lte": store.clock.now()}, **FREE}
    rows = store.raw(MAILS).find(waiting, {"_id": 1}, sort=[("priority", 1), ("due", 1)], limit=BATCH)
    ids = [row["_id"] async for row in rows]
    if not ids:
        return []
    taken = {"claim": token, "claimed_until": {"$add": ["$$NOW", CLAIM_SECONDS * 1000]}}
    await store.raw(MAILS).update_many({"_id": {"$in": ids}, **waiting}, [{"$set": taken}])
    return await store.find(MAILS, {"claim": token, "outcome": None}, sort=[("priority", 1), ("due", 1)])


async def letters(store: Store, mails: Sequence[Mail], settings: NotificationSettings) -> Iterator[Letter]:
    """The claimed mails as they go out, addressed and worded by what is known now, each made when it is asked for."""
    messages = {m.id: m for m in await store.find(MESSAGES, {"_id": {"$in": [mail.id for mail in mails]}})}
    known = await contacts(store, sorted({mail.reader for mail in mails}))
    names = await names_in(store, list(messages.values()))
    now = store.clock.now()

    def letter(mail: Mail) -> Letter:
        message, contact = messages.get(mail.id), known.get(mail.reader)
        if message is None or contact is None or contact.mail_address is None:
            return Letter(mail, outcome=DeliveryState.SUPPRESSED, reason="erased")
        if domain.expired(mail.expires_at, now):
            return Letter(mail, outcome=DeliveryState.SUPPRESSED, reason="expired")
        rendered = word(message, reader_of(contact), names)
        if rendered is None:
            return Letter(mail, message.created_at, reason="text-failed")
        return _letter(mail, message, rendered, contact.mail_address, contact.name, settings)

    return map(letter, mails)


def _letter(
    mail: Mail, message: Message, rendered: Rendered, address: str, name: str, settings: NotificationSettings
) -> Letter:
    if mail.link_path is not None:
        url: str | None = f"{settings.public_url}/api/v1{mail.link_path}"
    elif message.action_path is not None and settings.portal_url is not None:
        url = f"{settings.portal_url}{message.action_path}"
    else:
        url = None
    try:
        content = compose(
            rendered,
            message_id=message.id,
            message_class=message.message_class,
            created_at=message.created_at,
            sender=settings.mail_from,
            address=address,
            name=name,
            url=url,
        )
    except ValueError:
        return Letter(mail, outcome=DeliveryState.FAILED, reason="bad-address")
    return Letter(mail, message.created_at, ascii_address(address), content)


async def note(store: Store, mail: Mail, state: DeliveryState, reason: str | None = None, *, tried: bool) -> None:
    """Writes down what the server answered for good, durably; the event follows with :func:`settle`."""
    change: Row = {"$set": {"outcome": state.value, "reason": reason}, "$inc": {"attempts": int(tried)}}
    await store.claim(MAILS.name, {"_id": mail.id, "claim": mail.claim}, change)


async def put_off(store: Store, letter: Letter, reason: str) -> DeliveryState | None:
    """Notes that the server does not take this mail for now; it has failed when it was tried for long enough."""
    attempts, now = letter.mail.attempts + 1, store.clock.now()
    if now - letter.created_at > domain.GIVE_UP:
        return DeliveryState.FAILED
    later: Row = {"attempts": attempts, "reason": reason, "due": now + domain.retry_after(attempts)}
    change = {"$set": later | {"claim": None, "claimed_until": None}}
    await store.claim(MAILS.name, {"_id": letter.mail.id, "claim": letter.mail.claim}, change)
    return None


async def release(store: Store, token: str) -> None:
    """Gives back what was claimed and not handed over."""
    await store.raw(MAILS).update_many({"claim": token, "outcome": None}, NOBODYS)


async def resume(store: Store, instance: str) -> None:
    """Gives back everything that an instance had claimed in an earlier life; its tokens begin with its name."""
    await store.raw(MAILS).update_many({"claim": {"$regex": f"^{re.escape(instance)}/"}}, NOBODYS)


async def settle(store: Store, token: str | None = None) -> None:
    """Records what became of a claim's mails, with the events of it, and removes them from the queue.

    Without a token of as many mails whose sender has ended in between.
    """
    ended: Row = {"outcome": ANY_TEXT}
    which = ended | ({"claim": token} if token else FREE)

    async def work(tx: Transaction) -> None:
        mails = await tx.find(MAILS, which, limit=BATCH)
        if not mails:
            return
        ids = [mail.id for mail in mails]
        messages = {message.id: message for message in await tx.find(MESSAGES, {"_id": {"$in": ids}})}
        for mail in mails:
            if (message := messages.get(mail.id)) is not None and mail.outcome is not None:
                _record(tx, message, mail, mail.outcome)
        await tx.delete(MAILS, {"_id": {"$in": ids}})

    await store.transaction(work)


def _record(tx: Transaction, message: Message, mail: Mail, outcome: DeliveryState) -> None:
    state = MailState(state=outcome, attempts=mail.attempts, reason=mail.reason, at=tx.clock.now())
    changed = DeliveryStateChanged(
        message_id=message.id, channel=Channel.MAIL, state=outcome, attempt=mail.attempts, reason=mail.reason
    )
    version = message.version + 1
    tx.defer(MESSAGES, UpdateOne({"_id": message.id}, {"$set": {"mail": state.model_dump(), "version": version}}))
    cause = context.Context(correlation=mail.correlation, causation=mail.caused_by)
    with following(trace_of(mail.traceparent)), context.within(cause):
        tx.emit(changed, message.id, version)


async def waiting(store: Store) -> int:
    """How many mails are not handed over yet, :data:`COUNTED` at most: the database reads all that it counts.

    What it knows without reading is wrong after a crash, for ever (MongoDB's manual, ``count``).
    """
    return int(await store.raw(MAILS).count_documents({}, limit=COUNTED))


async def next_due(store: Store) -> timedelta | None:
    """How long until a mail is due that nobody has claimed; None when no mail waits."""
    row = await store.raw(MAILS).find_one({"outcome": None, **FREE}, {"due": 1}, sort=[("due", 1)])
    if row is not None:
        due: datetime = row["due"]
        return max(due - store.clock.now(), timedelta())
    claimed = await store.raw(MAILS).find_one({}, {"_id": 1})
    return timedelta(seconds=CLAIM_SECONDS) if claimed else None
