"""Sessions: access tokens of minutes, and refresh tokens that rotate; whoever uses an old one ends them all."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from services.registration.settings import RegistrationSettings
from services.registration.store import GRANTS, PEOPLE, REFRESH_TOKENS, RefreshToken
from services.registration.usecases import accounts, attempts, onboarding, people
from services.registration.usecases.keys import TOKEN_SECONDS, SigningKeys
from shared.identity import Caller, Grant, not_signed_in
from shared.ids import new_id
from shared.links import Link
from shared.store import Store, Transaction

REFRESH_DAYS = 30


@dataclass(frozen=True, slots=True)
class Opened:
    """A session that was opened or went on: whose it is, and the secret for its next refresh."""

    person_id: str
    refresh_token: str


@dataclass(frozen=True, slots=True)
class Session:
    """What a client holds. The access token is good for ``expires_in`` seconds."""

    person_id: str
    access_token: str
    refresh_token: str
    expires_in: int = TOKEN_SECONDS


def _now() -> datetime:
    # Tokens live by the machine's clock.
    return datetime.now(UTC)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


async def _open(tx: Transaction, person_id: str, family: str | None = None) -> Opened:
    secret = secrets.token_urlsafe(32)
    now = _now()
    token = RefreshToken(
        id=_digest(secret),
        family=family or new_id("fam"),
        person_id=person_id,
        issued_at=now,
        expires_at=now + timedelta(days=REFRESH_DAYS),
    )
    await tx.save(REFRESH_TOKENS, token)
    return Opened(person_id, secret)


async def complete(store: Store, keys: SigningKeys, opened: Opened) -> Session:
    """Adds the access token, with the memberships and grants as they are now."""
    token = await keys.sign(store, await caller_of(store, opened.person_id))
    return Session(opened.person_id, token, opened.refresh_token)


async def caller_of(store: Store, person_id: str) -> Caller:
    """Who a person is to the services: the cities that it speaks for, and the grants that hold."""
    now = store.clock.now()
    held = {
        "person_id": person_id,
        "revoked_at": None,
        "valid_from": {"$lte": now},
        "$or": [{"valid_until": None}, {"valid_until": {"$gt": now}}],
    }
    grants = tuple(
        Grant(grant.role, grant.scope.kind, grant.scope.id or "*") for grant in await store.find(GRANTS, held)
    )
    return Caller(person_id, frozenset(await people.cities_of(store, person_id)), grants)


async def by_password(
    store: Store, keys: SigningKeys, settings: RegistrationSettings, *, client: str, mail_address: str, password: str
) -> Session:
    """Signs in by password.

    Raises a 401 problem that is the same for an unknown address and a wrong password, and a 429 problem.
    """
    key = people.addressed(mail_address)["mail_key"]
    await attempts.spend(store, "client", client, settings.client_limit)
    await attempts.spend(store, "password", key, settings.wrong_passwords_per_person)
    person = await people.by_mail(store, mail_address)
    usable = person is not None and person.here and person.mail_verified_at is not None
    if not await accounts.matches(person.password_hash if person and usable else None, password) or person is None:
        detail = "The mail address or the password is not right, or the address is not verified yet."
        raise not_signed_in(detail, "credentials-wrong")
    await attempts.forgive(store, "password", key)
    person_id = person.id
    opened = await store.transaction(lambda tx: _open(tx, person_id))
    return await complete(store, keys, opened)


async def by_link(tx: Transaction, link: Link) -> Opened:
    """A link to sign in was used, which also shows that the address is the person's."""
    assert link.person_id is not None
    person = await people.present(tx, link.person_id)
    if person.mail_verified_at is None:
        person = await people.verify(tx, person)
        await onboarding.advance_cities_of(tx, person.id)
    return await _open(tx, person.id)


async def refresh(store: Store, keys: SigningKeys, refresh_token: str) -> Session:
    """Goes on with a session: a new pair of tokens for the old one's secret, which works once.

    Raises a 401 problem for a secret that is unknown or expired, and for one that was used before: then it has been
    stolen by somebody, and every token of that sign-in ends (RFC 9700, section 4.14.2).
    """

    async def work(tx: Transaction) -> Opened | None:
        token = await tx.get(REFRESH_TOKENS, _digest(refresh_token))
        if token is None or token.expires_at <= _now():
            raise not_signed_in("This session has ended; sign in again.", "refresh-token-invalid")
        if token.used_at is not None:
            await tx.delete(REFRESH_TOKENS, {"family": token.family})
            return None
        person = await tx.get(PEOPLE, token.person_id)
        if person is None or not person.here:
            raise not_signed_in("This account is no longer here.", "refresh-token-invalid")
        await tx.save(REFRESH_TOKENS, token.model_copy(update={"used_at": _now()}))
        return await _open(tx, token.person_id, token.family)

    opened = await store.transaction(work)
    if opened is None:
        raise not_signed_in("This session was ended for safety; sign in again.", "refresh-token-reused")
    return await complete(store, keys, opened)


async def end(store: Store, refresh_token: str) -> None:
    """Signs out: ends the session that a refresh token belongs to. An unknown token is no error."""

    async def work(tx: Transaction) -> None:
        token = await tx.get(REFRESH_TOKENS, _digest(refresh_token))
        if token is not None:
            await tx.delete(REFRESH_TOKENS, {"family": token.family})

    await store.transaction(work)
