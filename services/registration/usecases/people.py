"""People as such: found, recorded, linked with the guests that they were, erased."""

from typing import Any

from contracts.registration import (
    AccountOpened,
    GuestLinked,
    MailVerified,
    PersonErased,
    PersonMerged,
    PersonRecorded,
    PersonState,
)
from services.registration.domain.names import mail_hash, mail_key
from services.registration.store import (
    GUESTS,
    MEMBERSHIPS,
    PEOPLE,
    REFRESH_TOKENS,
    TURNS,
    Person,
)
from shared.links import LINKS
from shared.outbox import Tombstone
from shared.problems import Problem, not_found
from shared.store import Reader, Transaction


def recorded(person: Person) -> PersonRecorded:
    """The event that tells the person's latest state."""
    assert person.mail_address is not None
    return PersonRecorded(
        person_id=person.id,
        state=person.state,
        given_name=person.given_name,
        family_name=person.family_name,
        mail_address=person.mail_address,
        mail_verified_at=person.mail_verified_at,
        locale=person.locale,
        time_zone=person.time_zone,
    )


def addressed(address: str) -> dict[str, Any]:
    """The fields of a person that its mail address makes."""
    key = mail_key(address)
    return {"mail_address": address, "mail_key": key, "mail_hash": mail_hash(key)}


async def by_mail(reader: Reader, address: str) -> Person | None:
    """The person with this mail address, in whatever case it is written."""
    return await reader.one(PEOPLE, {"mail_key": mail_key(address)})


async def present(reader: Reader, person_id: str) -> Person:
    """A person who is still here. Raises a 404 problem."""
    person = await reader.get(PEOPLE, person_id)
    if person is None or not person.here:
        raise not_found("person", person_id)
    return person


async def verified(reader: Reader, person_id: str) -> Person:
    """A person whose mail address is verified. Raises 404 and 409 problems."""
    person = await present(reader, person_id)
    if person.mail_verified_at is None:
        raise Problem(409, "mail-not-verified", "Verify your mail address first.")
    return person


async def take_turns(tx: Transaction, *keys: str) -> None:
    """Makes this transaction and every other one about these things happen one after the other.

    Two transactions that each read what the other writes would otherwise both miss it (snapshot isolation allows it).
    """
    for key in sorted(keys):
        await tx.update(TURNS, {"_id": key}, {"$inc": {"turns": 1}}, upsert=True)


async def verify(tx: Transaction, person: Person, **changes: Any) -> Person:
    """The person has shown that the mail address is its own.

    Opens the account when it was not open yet, and links the guests who booked with this address.
    """
    assert person.mail_hash is not None
    await take_turns(tx, person.mail_hash)
    now = tx.clock.now()
    first = person.mail_verified_at is None
    guests = [guest.id for guest in await tx.find(GUESTS, {"mail_hash": person.mail_hash})]
    new_guests = sorted(set(guests) - set(person.guests))
    opens = not person.opened
    if not (first or new_guests or opens or changes):
        return person
    await take_turns(tx, person.id, *new_guests)
    person = person.model_copy(
        update={
            "mail_verified_at": person.mail_verified_at or now,
            "guests": [*person.guests, *new_guests],
            "opened": True,
            "state": PersonState.REGISTERED,
            **changes,
        }
    )
    city = await only_city(tx, person.id)
    events = [
        recorded(person),
        *([AccountOpened(person_id=person.id, origin=person.origin)] if opens else []),
        *([MailVerified(person_id=person.id)] if first else []),
        *(GuestLinked(person_id=person.id, guest_id=guest, city_id=city) for guest in new_guests),
    ]
    return await tx.save(PEOPLE, person, *events)


async def link_guest(tx: Transaction, guest_id: str, hash: str) -> Person | None:
    """A guest is known by now: links it with the person whose verified address it used, and returns that person."""
    await take_turns(tx, hash)
    person = await tx.one(PEOPLE, {"mail_hash": hash})
    if person is None or not person.here or person.mail_verified_at is None or guest_id in person.guests:
        return None
    await take_turns(tx, person.id, guest_id)
    city = await only_city(tx, person.id)
    person = person.model_copy(update={"guests": [*person.guests, guest_id]})
    return await tx.save(PEOPLE, person, GuestLinked(person_id=person.id, guest_id=guest_id, city_id=city))


async def only_city(reader: Reader, person_id: str) -> str | None:
    """The city of a person who is an approved member of exactly one."""
    cities = await cities_of(reader, person_id)
    return cities[0] if len(cities) == 1 else None


async def cities_of(reader: Reader, person_id: str) -> list[str]:
    """The cities that a person is an approved member of."""
    found = await reader.find(MEMBERSHIPS, {"person_id": person_id, "state": "approved"})
    return [membership.city_id for membership in found]


async def forget(tx: Transaction, person: Person, *, into: str | None = None) -> Person:
    """Erases everything personal; ``into`` names the person that this one turned out to be.

    Memberships and grants are ended by the caller before.
    """
    await tx.delete(REFRESH_TOKENS, {"person_id": person.id})
    await tx.delete(LINKS, {"person_id": person.id})
    husk = Person(
        id=person.id,
        version=person.version,
        state=person.state,
        origin=person.origin,
        created_at=person.created_at,
        erased_at=tx.clock.now(),
        merged_into=into,
    )
    end = PersonMerged(person_id=person.id, into_person_id=into) if into else PersonErased(person_id=person.id)
    return await tx.save(PEOPLE, husk, Tombstone(PersonRecorded), end)
