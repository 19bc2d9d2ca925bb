"""Accounts: signing up, showing that a mail address is one's own, passwords, the data that a person keeps here."""

import asyncio
import secrets
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from contracts.registration import PersonState
from services.registration.settings import RegistrationSettings
from services.registration.store import MEMBERSHIPS, PEOPLE, REFRESH_TOKENS, Person
from services.registration.usecases import attempts, onboarding, people
from services.registration.usecases.links import SIGN_IN, VALID, VERIFY_MAIL, links
from shared import deadlines
from shared.deadlines import Deadline
from shared.ids import new_id
from shared.links import KEPT_SECONDS, LINKS, Link
from shared.problems import Problem
from shared.store import Store, Transaction

HASHER = PasswordHasher(time_cost=5, memory_cost=7 * 1024, parallelism=1)
"""Argon2id with the smallest memory of the equally strong choices in OWASP's Password Storage Cheat Sheet."""
UNVERIFIED = "unverified-person"
UNVERIFIED_DAYS = 7

_hashing = ThreadPoolExecutor(2, "argon2")
"""Hashing takes memory and a core: more than two at a time only make everybody wait."""
_nobodys_hash = HASHER.hash(secrets.token_hex(16))


async def hash_password(password: str) -> str:
    """The password's hash, made in a thread."""
    return await asyncio.get_running_loop().run_in_executor(_hashing, HASHER.hash, password)


async def matches(password_hash: str | None, password: str) -> bool:
    """Whether a password is the one that was hashed. Takes as long when there is none."""

    def check() -> bool:
        try:
            return HASHER.verify(password_hash or _nobodys_hash, password)
        except (VerificationError, InvalidHashError):
            return False

    return await asyncio.get_running_loop().run_in_executor(_hashing, check) and password_hash is not None


async def sign_up(
    store: Store, settings: RegistrationSettings, *, client: str, mail_address: str, password: str | None, **fields: Any
) -> None:
    """Makes an account and mails the link that verifies its address.

    Nothing tells the caller whether the address is known: who has an account gets a link to sign in instead. The
    password holds from the verification on, so that nobody can choose one for somebody else's address.
    Raises a 429 problem.
    """
    await _limit(store, settings, client, mail_address)
    hashed = await hash_password(password) if password else None

    async def work(tx: Transaction) -> None:
        person = await people.by_mail(tx, mail_address)
        if person is not None and person.mail_verified_at is not None:
            await mail_link(tx, person, SIGN_IN)
            return
        if person is None:
            person = Person(
                id=new_id("prs"),
                state=PersonState.REGISTERED,
                origin="self-registered",
                created_at=tx.clock.now(),
                **people.addressed(mail_address),
            )
            due = tx.clock.now() + timedelta(days=UNVERIFIED_DAYS)
            deadlines.at(tx, UNVERIFIED, due, {"person_id": person.id})
        person = person.model_copy(update=fields)
        person = await tx.save(PEOPLE, person, people.recorded(person))
        await mail_link(tx, person, VERIFY_MAIL, password_hash=hashed)

    await store.transaction(work)


async def request_link(store: Store, settings: RegistrationSettings, *, client: str, mail_address: str) -> None:
    """Mails a link to sign in, when somebody has this address; the caller cannot tell. Raises a 429 problem."""
    await _limit(store, settings, client, mail_address)

    async def work(tx: Transaction) -> None:
        person = await people.by_mail(tx, mail_address)
        if person is not None:
            await mail_link(tx, person, SIGN_IN)
        else:
            # As much work as for somebody who is there, so that time does not tell either.
            long_ago = tx.clock.now() - timedelta(seconds=KEPT_SECONDS)
            decoy = Link(id=new_id("lnk"), digest=secrets.token_hex(32), purpose="none", expires_at=long_ago)
            await tx.save(LINKS, decoy)

    await store.transaction(work)


async def _limit(store: Store, settings: RegistrationSettings, client: str, mail_address: str) -> None:
    await attempts.spend(store, "client", client, settings.client_limit)
    await attempts.spend(store, "mail", people.addressed(mail_address)["mail_key"], settings.links_per_person)


async def mail_link(tx: Transaction, person: Person, purpose: str, **data: Any) -> Link:
    """Has a link mailed to a person."""
    expires_at = tx.clock.now() + VALID[purpose]
    receiver = {"person_id": person.id, "locale": person.locale, "about": data.get("membership_id")}
    return await links.issue(tx, purpose, expires_at=expires_at, data=data, **receiver)


async def verify_mail(tx: Transaction, link: Link) -> Person:
    """The link that verifies an address was used: the account is open, with the password of that sign-up."""
    assert link.person_id is not None
    person = await people.present(tx, link.person_id)
    changes = {"password_hash": hashed} if (hashed := link.data.get("password_hash")) else {}
    person = await people.verify(tx, person, **changes)
    await onboarding.advance_cities_of(tx, person.id)
    return person


async def on_unverified_due(tx: Transaction, deadline: Deadline) -> None:
    """Forgets somebody who never verified the address and has no part in any city."""
    person = await tx.get(PEOPLE, deadline.data["person_id"])
    if person is None or not person.here or person.mail_verified_at is not None:
        return
    if not await tx.count(MEMBERSHIPS, {"person_id": person.id}):
        await people.forget(tx, person)


async def change(store: Store, person_id: str, **fields: Any) -> Person:
    """Changes a person's names, locale or time zone."""

    async def work(tx: Transaction) -> Person:
        person = await people.present(tx, person_id)
        changed = person.model_copy(update=fields)
        return await tx.save(PEOPLE, changed, people.recorded(changed))

    return await store.transaction(work)


async def set_password(
    store: Store, settings: RegistrationSettings, person_id: str, *, present: str | None, new: str
) -> None:
    """Sets a password and ends all sessions; who has one already must know it. Raises 403 and 429 problems."""
    person = await people.verified(store, person_id)
    if person.password_hash is not None:
        await attempts.spend(store, "password", person_id, settings.wrong_passwords_per_person)
        if present is None or not await matches(person.password_hash, present):
            raise Problem(403, "password-wrong", "The present password is not right.")
        await attempts.forgive(store, "password", person_id)
    hashed = await hash_password(new)

    async def work(tx: Transaction) -> None:
        await tx.save(PEOPLE, person.model_copy(update={"password_hash": hashed}))
        await tx.delete(REFRESH_TOKENS, {"person_id": person_id})

    await store.transaction(work)
