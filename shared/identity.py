"""Who is calling, and who may: tokens are verified in every service, rights are declared at every endpoint.

Registration signs short-lived tokens (RFC 7519) with one pinned algorithm and publishes its public keys on the
compacted topic ``registration.signing-keys``. Every process reads all of that topic, so no service asks another.
"""

import asyncio
import hashlib
import hmac
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from fastapi import Depends, Request, Security
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey
from pydantic import BaseModel, Field

from contracts.envelope import Attributes, decode
from contracts.registry import KEYS_TOPIC
from shared import context, idempotency
from shared.problems import Problem, forbidden

ALGORITHM = "Ed25519"
ISSUER = "registration"
AUDIENCE = "cities-mission-platform"
LEEWAY_SECONDS = 30
VERIFIED_SECONDS = 10.0
VERIFIED_TOKENS = 5_000
FETCH_WAIT_MS = 5_000
"""How long a request for new keys waits at the broker; one that comes is seen at once."""
EVERYWHERE = ("mission", "*")
"""The scope that only a grant for the whole mission covers."""

ARRIVAL_HEADER = "mission-arrival"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Grant:
    """A right that a person holds: a role within a scope. Scope type ``mission`` reaches everywhere."""

    role: str
    scope_type: str = "mission"
    scope: str = "*"

    def covers(self, scope_type: str, scope: str) -> bool:
        """Whether the grant holds for an object with this scope."""
        return self.scope_type == "mission" or (self.scope_type, self.scope) == (scope_type, scope)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent the request. ``person`` None is a caller without an account."""

    person: str | None = None
    cities: frozenset[str] = frozenset()
    grants: tuple[Grant, ...] = ()
    on_behalf_of: str | None = None

    def has_role(self, *roles: str, scope: tuple[str, str] | None = None) -> bool:
        """Whether a grant gives one of these roles, in the given scope when there is one."""
        return any(grant.role in roles and (scope is None or grant.covers(*scope)) for grant in self.grants)

    def require_role(self, *roles: str, scope: tuple[str, str] | None = None) -> None:
        """Raises a 403 problem unless a grant gives one of these roles in this scope."""
        if not self.has_role(*roles, scope=scope):
            raise forbidden(f"This needs the role {' or '.join(roles)} here.")

    def require_member(self, city: str) -> None:
        """Raises a 403 problem unless the caller is an approved member of the city."""
        if city not in self.cities:
            raise forbidden("Only approved members of this city may do this.")

    @property
    def id(self) -> str:
        """The person's id. Raises a 401 problem for a caller without an account."""
        if self.person is None:
            raise not_signed_in("Sign in to do this.")
        return self.person


class Claims(BaseModel):
    """What a token says of a caller, beside when and for whom it is good."""

    sub: Annotated[str, Field(min_length=1)]
    cities: list[str] = []
    grants: list[Annotated[list[str], Field(min_length=3, max_length=3)]] = []
    act: str | None = None

    def caller(self) -> Caller:
        """The caller."""
        grants = tuple(Grant(*grant) for grant in self.grants)
        return Caller(self.sub, frozenset(self.cities), grants, self.act)


def not_signed_in(detail: str, code: str = "not-signed-in") -> Problem:
    """401 with the challenge of RFC 6750."""
    return Problem(401, code, detail, headers={"WWW-Authenticate": f'Bearer error="{code}"'})


class KeyRing:
    """The public keys that tokens may be signed with, as the compacted topic holds them now."""

    def __init__(self, consumer_options: Mapping[str, Any]) -> None:
        self._options = consumer_options
        self._keys: dict[str, OKPKey] = {}
        self._verified: dict[str, tuple[float, Caller]] = {}
        self._task: asyncio.Task[None] | None = None
        self.ready = asyncio.Event()

    def start(self) -> None:
        """Begins to read the topic from its start."""
        self._task = asyncio.create_task(self._read(), name="key-ring")

    async def stop(self) -> None:
        """Stops reading."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def alive(self) -> bool:
        """Whether keys are still being read."""
        return self._task is not None and not self._task.done()

    def add(self, kid: str, jwk: Mapping[str, Any]) -> None:
        """Trusts a public key from now on."""
        self._keys[kid] = OKPKey.import_key(dict(jwk))
        self._verified.clear()
        self.ready.set()

    def verify(self, token: str) -> Caller:
        """Who a token was issued to. Raises a 401 problem for one that is expired, forged or not for this platform.

        What was found good is remembered for a moment: to verify a signature costs as much as all else at a door.
        """
        now = time.monotonic()
        known = self._verified.get(token)
        if known is not None and known[0] > now:
            return known[1]
        caller, seconds = self._decode(token)
        if len(self._verified) >= VERIFIED_TOKENS:
            self._verified.clear()
        self._verified[token] = (now + min(seconds, VERIFIED_SECONDS), caller)
        return caller

    def _decode(self, token: str) -> tuple[Caller, float]:
        """Who it was issued to, and for how many more seconds it is good."""
        try:
            decoded = jwt.decode(token, self._key, algorithms=[ALGORITHM])
            claims = decoded.claims
            jwt.JWTClaimsRegistry(
                leeway=LEEWAY_SECONDS,
                iss={"essential": True, "value": ISSUER},
                aud={"essential": True, "value": AUDIENCE},
                exp={"essential": True},
                sub={"essential": True},
            ).validate(claims)
            left = float(claims["exp"]) + LEEWAY_SECONDS - time.time()
            return Claims.model_validate(claims, strict=True).caller(), left
        except (JoseError, ValueError, TypeError, KeyError) as error:
            expired = type(error).__name__ == "ExpiredTokenError"
            code = "token-expired" if expired else "token-invalid"
            raise not_signed_in(
                "The access token has expired." if expired else "The access token is not valid.", code
            ) from None

    def _key(self, guest: Any) -> OKPKey:
        kid = guest.headers().get("kid")
        if not isinstance(kid, str) or kid not in self._keys:
            raise ValueError("unknown key")
        return self._keys[kid]

    async def _read(self) -> None:
        while True:
            consumer = AIOKafkaConsumer(
                **self._options,
                auto_offset_reset="earliest",
                enable_auto_commit=False,
                fetch_max_wait_ms=FETCH_WAIT_MS,
            )
            try:
                await consumer.start()
                partitions = [TopicPartition(KEYS_TOPIC, 0)]
                consumer.assign(partitions)
                await consumer.seek_to_beginning(*partitions)
                async for record in consumer:
                    self._apply(record.key.decode(), record.value, record.headers)
            except (KafkaError, OSError) as error:
                log.info("key-ring-retries", error=repr(error))
                await asyncio.sleep(1)
            finally:
                await consumer.stop()

    def _apply(self, kid: str, value: bytes | None, headers: Iterable[tuple[str, bytes]]) -> None:
        if value is None:
            self._keys.pop(kid, None)
            self._verified.clear()
            return
        try:
            event = decode(Attributes.from_headers(headers).type, value)
            self.add(kid, event.public_jwk)  # type: ignore[attr-defined]  # the topic holds this one event type
        except Exception as error:
            log.error("signing-key-unreadable", kid=kid, error=repr(error))


def issue(key: OKPKey, kid: str, caller: Caller, lifetime_seconds: int) -> str:
    """Signs a token for a caller. Its times are the machine's, never the platform's shifted clock."""
    now = int(time.time())
    claims: dict[str, Any] = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": caller.id,
        "iat": now,
        "exp": now + lifetime_seconds,
        "cities": sorted(caller.cities),
        "grants": [[grant.role, grant.scope_type, grant.scope] for grant in caller.grants],
    }
    if caller.on_behalf_of:
        claims["act"] = caller.on_behalf_of
    return jwt.encode({"alg": ALGORITHM, "kid": kid}, claims, key, algorithms=[ALGORITHM])


@dataclass(frozen=True, slots=True)
class May:
    """Declares who may call an endpoint: ``caller: Annotated[Caller, may(...)]``. Any one condition suffices."""

    anyone: bool = False
    signed_in: bool = False
    roles: tuple[str, ...] = ()
    member_of: str | None = None
    everywhere: bool = False

    async def __call__(self, request: Request) -> Caller:
        """Authenticates, decides, and puts the caller into the context of what follows."""
        caller = authenticate(request)
        if not (self.anyone or caller.person):
            raise not_signed_in("Sign in to do this.")
        city = request.path_params.get(self.member_of) if self.member_of else None
        allowed = (
            self.anyone
            or self.signed_in
            or (bool(self.roles) and caller.has_role(*self.roles, scope=EVERYWHERE if self.everywhere else None))
            or city in caller.cities
        )
        if not allowed:
            raise forbidden()
        context.amend(actor=caller.person, on_behalf_of=caller.on_behalf_of)
        await idempotency.begin(request, caller.person)
        return caller


class Only(May, SecurityBase):
    """The same where an account is needed, so that OpenAPI documents show it, with the roles of which one is needed."""

    model = HTTPBearer(bearerFormat="JWT", description="An access token; of an operation's roles any one suffices.")
    scheme_name = "bearer"


def may(
    *,
    anyone: bool = False,
    signed_in: bool = False,
    roles: Iterable[str] = (),
    member_of: str | None = None,
    everywhere: bool = False,
) -> Any:
    """The one declarative place of an endpoint that says who may call it.

    ``anyone`` needs no account, ``signed_in`` any account, ``roles`` a grant of one of them in any scope (the use case
    checks the scope) or, ``everywhere``, for the whole mission, ``member_of`` names the path parameter with the city of
    which the caller must be a member.
    """
    if anyone:
        return Depends(May(anyone=True))
    return Security(Only(False, signed_in, tuple(roles), member_of, everywhere), scopes=list(roles))


Public = Annotated[Caller, may(anyone=True)]
"""A caller of an endpoint that needs no account; a valid token is still recognised."""

SignedIn = Annotated[Caller, may(signed_in=True)]
"""A caller with any account."""


def authenticate(request: Request) -> Caller:
    """The caller by the request's bearer token, nobody without one. Raises a 401 problem for a bad token."""
    header = request.headers.get("authorization")
    if header is None:
        return Caller()
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise not_signed_in("The Authorization header must be 'Bearer <token>'.", "token-invalid")
    keys: KeyRing = request.app.state.service.keys
    return keys.verify(token.strip())


def stamp_arrival(key: str, instant: datetime) -> str:
    """The gateway's signed statement of when a request arrived, the value of the internal arrival header."""
    text = instant.astimezone(UTC).isoformat()
    return f"{text};{_mac(key, text)}"


def arrival(request: Request) -> datetime:
    """When the request arrived at the platform: as the gateway stamped it, else by this service's clock.

    Deadlines are judged by it, so that a slow way through the platform makes nobody late.
    """
    service = request.app.state.service
    text, _, mac = request.headers.get(ARRIVAL_HEADER, "").partition(";")
    if mac and hmac.compare_digest(mac, _mac(service.settings.gateway_key.get_secret_value(), text)):
        return datetime.fromisoformat(text)
    now: datetime = service.clock.now()
    return now


def _mac(key: str, text: str) -> str:
    return hmac.new(b"arrival:" + key.encode(), text.encode(), hashlib.sha256).hexdigest()
