"""Signing keys: made once across instances, encrypted at rest, published before they sign, withdrawn at the end.

Keys and tokens live by the machine's clock, never by the platform's, which can be moved on a local platform.
"""

import os
import time
from datetime import UTC, datetime, timedelta

import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from joserfc.jwk import OKPKey
from pymongo import DESCENDING
from pymongo.errors import DuplicateKeyError

from contracts.registration import SigningKeyPublished
from services.registration.settings import RegistrationSettings
from services.registration.store import SIGNING_KEYS, SIGNING_TURN, SigningKey, SigningTurn
from shared import deadlines
from shared.deadlines import Deadline
from shared.identity import Caller, issue
from shared.ids import new_id
from shared.outbox import Tombstone
from shared.store import Store, Transaction

TOKEN_SECONDS = 300
LEAD = timedelta(minutes=10)
"""A new key is published this long before it signs, so that every process knows it by then."""
OVERLAP = timedelta(minutes=15)
"""A key stays valid this long after it signed last: longer than any token lives."""
CLOCKS = timedelta(seconds=5)
"""By so much the clocks of two instances may differ; an instance that is behind waits for the key to begin."""
RELOAD_SECONDS = 30
NONCE_BYTES = 12
TURN = "signing"
ROTATE = "rotate-signing-key"
WITHDRAW = "withdraw-signing-key"

log = structlog.get_logger()


def _now() -> datetime:
    return datetime.now(UTC)


class SigningKeys:
    """Makes, keeps and uses the keys that access tokens are signed with."""

    def __init__(self, settings: RegistrationSettings) -> None:
        try:
            self._cipher = AESGCM(bytes.fromhex(settings.key_encryption_key.get_secret_value()))
        except ValueError as error:
            raise ValueError("MISSION_KEY_ENCRYPTION_KEY must be 32 bytes in hexadecimal") from error
        self._period = timedelta(days=settings.signing_key_days)
        self._current: tuple[str, OKPKey] | None = None
        self._reload_at = 0.0

    async def ensure(self, store: Store) -> None:
        """Makes the first key when there is none; when several instances start at once, one of them does."""

        async def work(tx: Transaction) -> None:
            now = _now()
            # The one that another instance has just made may begin after this instance looked at its clock.
            if await self._signing(tx, now, ahead=CLOCKS) is None:
                await self._make(tx, now)

        try:
            await store.transaction(work)
        except DuplicateKeyError:
            # Another instance was faster, and its key is there.
            log.info("signing-key-made-elsewhere")
        await self._load(store)

    async def sign(self, store: Store, caller: Caller) -> str:
        """An access token for a caller, good for :data:`TOKEN_SECONDS`."""
        if self._current is None or time.monotonic() >= self._reload_at:
            await self._load(store)
        assert self._current is not None
        kid, key = self._current
        return issue(key, kid, caller, TOKEN_SECONDS)

    async def rotate(self, store: Store, *, at_once: bool) -> str:
        """Makes the next key and returns its id.

        It takes over after :data:`LEAD`; ``at_once`` (a key has leaked) withdraws all others now, which ends every
        access token that is out.
        """

        async def work(tx: Transaction) -> str:
            now = _now()
            key = await self._make(tx, now if at_once else now + LEAD)
            if at_once:
                for other in await tx.find(SIGNING_KEYS, {"withdrawn": False, "_id": {"$ne": key.id}}):
                    await self._withdraw(tx, other)
            return key.id

        kid = await store.transaction(work)
        self._reload_at = 0.0
        return kid

    async def on_rotation_due(self, tx: Transaction, deadline: Deadline) -> None:
        """Makes the next key when the newest one's time is over."""
        newest = await tx.find(SIGNING_KEYS, {"withdrawn": False}, sort=[("signs_from", DESCENDING)], limit=1)
        if newest and (wait := newest[0].signs_until - LEAD - _now()) > timedelta():
            # The platform's clock was moved, the machine's was not.
            deadlines.at(tx, ROTATE, tx.clock.now() + wait, {}, id=ROTATE)
            return
        await self._make(tx, newest[0].signs_until if newest else _now())

    async def on_withdrawal_due(self, tx: Transaction, deadline: Deadline) -> None:
        """Withdraws a key that no living token is signed with."""
        key = await tx.get(SIGNING_KEYS, deadline.data["kid"])
        if key is None or key.withdrawn:
            return
        if (wait := key.valid_until - _now()) > timedelta():
            deadlines.at(tx, WITHDRAW, tx.clock.now() + wait, {"kid": key.id}, id=f"{WITHDRAW}/{key.id}")
            return
        await self._withdraw(tx, key)

    async def _make(self, tx: Transaction, signs_from: datetime) -> SigningKey:
        pair = OKPKey.generate_key("Ed25519")
        kid = new_id("key")
        signs_from = max(signs_from, _now())
        public = {name: str(value) for name, value in pair.as_dict(private=False).items()}
        nonce = os.urandom(NONCE_BYTES)
        secret = str(pair.as_dict(private=True)["d"]).encode()
        key = SigningKey(
            id=kid,
            public_jwk=public,
            private=nonce + self._cipher.encrypt(nonce, secret, kid.encode()),
            signs_from=signs_from,
            signs_until=signs_from + self._period,
            valid_until=signs_from + self._period + OVERLAP,
        )
        turn = await tx.get(SIGNING_TURN, TURN) or SigningTurn(id=TURN, newest="")
        await tx.save(SIGNING_TURN, turn.model_copy(update={"newest": kid}))
        # The key before signs until this one takes over.
        await tx.update(
            SIGNING_KEYS,
            {"withdrawn": False, "signs_until": {"$gt": signs_from}},
            {"$set": {"signs_until": signs_from, "valid_until": signs_from + OVERLAP}},
        )
        ended = await tx.find(SIGNING_KEYS, {"withdrawn": False})
        for other in ended:
            due = tx.clock.now() + (other.valid_until - _now())
            deadlines.at(tx, WITHDRAW, due, {"kid": other.id}, id=f"{WITHDRAW}/{other.id}")
        deadlines.at(tx, ROTATE, tx.clock.now() + (key.signs_until - LEAD - _now()), {}, id=ROTATE)
        published = SigningKeyPublished(kid=kid, public_jwk=public, not_before=signs_from, expires_at=key.valid_until)
        saved = await tx.save(SIGNING_KEYS, key, published)
        log.info("signing-key-made", kid=kid, signs_from=signs_from.isoformat())
        return saved

    async def _withdraw(self, tx: Transaction, key: SigningKey) -> None:
        await tx.save(
            SIGNING_KEYS, key.model_copy(update={"withdrawn": True, "private": b""}), Tombstone(SigningKeyPublished)
        )

    @staticmethod
    async def _signing(
        reader: Store | Transaction, now: datetime, *, ahead: timedelta = timedelta()
    ) -> SigningKey | None:
        live = {"withdrawn": False, "signs_from": {"$lte": now + ahead}, "signs_until": {"$gt": now}}
        found = await reader.find(SIGNING_KEYS, live, sort=[("signs_from", DESCENDING)], limit=1)
        return found[0] if found else None

    async def _load(self, store: Store) -> None:
        key = await self._signing(store, _now())
        if key is None:
            raise RuntimeError("there is no signing key for this moment")
        if self._current is None or self._current[0] != key.id:
            nonce, secret = key.private[:NONCE_BYTES], key.private[NONCE_BYTES:]
            try:
                private = self._cipher.decrypt(nonce, secret, key.id.encode()).decode()
            except InvalidTag as error:
                raise RuntimeError("the signing key was encrypted with another MISSION_KEY_ENCRYPTION_KEY") from error
            self._current = (key.id, OKPKey.import_key({**key.public_jwk, "d": private}))
        self._reload_at = time.monotonic() + RELOAD_SECONDS
