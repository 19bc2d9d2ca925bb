"""How people, guests and cities' mailboxes are reached; who turned out to be whom; who is to be forgotten."""

from pymongo import UpdateMany, UpdateOne

from contracts.envelope import Envelope
from contracts.events_calendar import GuestRecorded
from contracts.registration import (
    AccountOpened,
    GuestLinked,
    MailboxRecorded,
    PersonErased,
    PersonMerged,
    PersonRecorded,
)
from services.notification.store import CONTACTS, MAILS, MESSAGES
from services.notification.usecases.telling import Notice, Told, tell
from shared.store import Reader, Transaction

PERSONAL = {"mail_address": None, "given_name": None, "family_name": None, "verified": False}


def record_contact(tx: Transaction, event: PersonRecorded | GuestRecorded) -> None:
    """Keeps the latest state of a person or guest, unless it was erased."""
    fields = {
        "mail_address": event.mail_address,
        "given_name": event.given_name,
        "family_name": event.family_name,
        "verified": event.mail_verified_at is not None,
        "locale": event.locale,
        "time_zone": event.time_zone,
    }
    # Decided by the database, so that nothing need be read first.
    new = {"$mergeObjects": ["$$ROOT", {"$literal": fields}]}
    kept = {"$replaceWith": {"$cond": [{"$eq": ["$erased", True]}, "$$ROOT", new]}}
    tx.defer(CONTACTS, UpdateOne({"_id": event.aggregate_id}, [kept], upsert=True))


def record_mailbox(tx: Transaction, event: MailboxRecorded) -> None:
    """Keeps the address that a city's people share."""
    fields = {
        "mail_address": event.mail_address,
        "verified": event.mail_verified_at is not None,
        "locale": event.locale,
        "time_zone": event.time_zone,
        "erased": False,
    }
    tx.project(CONTACTS, event.city_id, fields)


def forget_contact(tx: Transaction, id: str) -> None:
    """Drops what is personal of one contact."""
    tx.project(CONTACTS, id, PERSONAL | {"erased": True})


async def forget_links(tx: Transaction, id: str) -> None:
    """Drops the links that wait to be mailed to one contact.

    Messages stay: a merged person's belong to somebody else from now on.
    """
    await tx.delete(MAILS, {"reader": id, "link_path": {"$ne": None}})


async def forget_person(tx: Transaction, event: PersonErased) -> None:
    """Drops what is personal of a person, also under its former ids."""
    for id in (event.person_id, *await _former_ids(tx, event.person_id)):
        forget_contact(tx, id)


async def empty_inbox(tx: Transaction, event: PersonErased) -> None:
    """Drops inbox and waiting mail of a person who is erased, also under its former ids."""
    ids = [event.person_id, *await _former_ids(tx, event.person_id)]
    await tx.delete(MESSAGES, {"reader": {"$in": ids}})
    await tx.delete(MAILS, {"reader": {"$in": ids}})


async def merge(tx: Transaction, id: str, into: str) -> None:
    """Notes that a person or guest turned out to be another person; in whichever order such facts arrive."""
    target = await tx.get(CONTACTS, into)
    root = (target.into if target else None) or into
    tx.project(CONTACTS, id, {"into": root})
    tx.defer(CONTACTS, UpdateMany({"into": id}, {"$set": {"into": root}}))


async def merge_person(tx: Transaction, event: PersonMerged) -> None:
    """What belonged to one person belongs to another one from now on: inbox, waiting mail, memberships."""
    await merge(tx, event.person_id, event.into_person_id)


async def link_guest(tx: Transaction, event: GuestLinked) -> None:
    """A guest has an account now: what it was told is in that inbox."""
    await merge(tx, event.guest_id, event.person_id)


async def same_person(reader: Reader, id: str) -> list[str]:
    """The ids that this person has and had, also as a guest, the present one first."""
    known = await reader.get(CONTACTS, id)
    root = (known.into if known else None) or id
    return [root, *await _former_ids(reader, root)]


async def _former_ids(reader: Reader, id: str) -> list[str]:
    return await reader.values(CONTACTS, {"into": id})


async def welcome(tx: Transaction, event: AccountOpened, envelope: Envelope) -> None:
    """Says in the inbox what it is for."""
    await tell(tx, envelope.attributes.id, Told(Notice("welcome", action_path="/"), [event.person_id]))
