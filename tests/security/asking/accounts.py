"""Requests about accounts, sessions and oneself."""

import hashlib
import secrets
from datetime import timedelta

from argon2 import PasswordHasher

from services.registration import store
from shared.ids import new_id
from shared.links import LINKS, Link
from tests.security.asking.table import Asked, asks, nothing
from tests.security.callers import Caller, make
from tests.security.matrix import Side
from tests.security.world import World, now

PASSWORD = "a password of the matrix"
HASHED = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)

nothing("GET /session", "GET /me", "GET /me/export", "GET /me/next-step")


def digest(secret: str) -> str:
    """As stores keep secrets."""
    return hashlib.sha256(secret.encode()).hexdigest()


async def link(world: World, service: str, purpose: str, **about: object) -> str:
    """The token of a mailed link that can be used once."""
    token = secrets.token_urlsafe(32)
    expires = now() + timedelta(hours=1)
    made = Link(id=new_id("lnk"), digest=digest(token), purpose=purpose, expires_at=expires, **about)
    await world.put(service, LINKS, made)
    return token


async def refresh_token(world: World) -> str:
    """The secret of somebody's session."""
    secret, person = secrets.token_urlsafe(32), await world.person()
    token = store.RefreshToken(
        id=digest(secret),
        family=new_id("fam"),
        person_id=person.id,
        issued_at=now(),
        expires_at=now() + timedelta(days=1),
    )
    await world.put("registration", store.REFRESH_TOKENS, token)
    return secret


@asks("POST /auth/sign-up")
async def sign_up(world: World, caller: Caller, side: Side) -> Asked:
    """Somebody new."""
    address = f"{new_id('new')}@people.example"
    return Asked(body={"mail_address": address, "given_name": "Some", "family_name": "Body"})


@asks("POST /auth/links")
async def mail_me(world: World, caller: Caller, side: Side) -> Asked:
    """A link to sign in."""
    return Asked(body={"mail_address": (await world.person()).mail_address})


@asks("POST /auth/token", "POST /session")
async def sign_in(world: World, caller: Caller, side: Side) -> Asked:
    """By password."""
    person = await world.person(password_hash=HASHED)
    return Asked(body={"mail_address": person.mail_address, "password": PASSWORD})


@asks("POST /auth/refresh", "POST /auth/sign-out")
async def session(world: World, caller: Caller, side: Side) -> Asked:
    """A session goes on, or ends."""
    return Asked(body={"refresh_token": await refresh_token(world)})


@asks("POST /session/refresh", "DELETE /session")
async def browser(world: World, caller: Caller, side: Side) -> Asked:
    """The same in a browser's cookies, which the CSRF token goes with."""
    cookie = f"mission-refresh={await refresh_token(world)}; mission-csrf=repeated"
    return Asked(headers={"Cookie": cookie, "X-CSRF-Token": "repeated"})


@asks("GET /links/{token}", "POST /links/{token}", "POST /session/links/{token}")
async def sign_in_link(world: World, caller: Caller, side: Side) -> Asked:
    """A mailed link to sign in."""
    person = await world.person()
    return Asked({"token": await link(world, "registration", "sign-in", person_id=person.id)})


@asks("POST /auth/signing-keys")
async def rotate(world: World, caller: Caller, side: Side) -> Asked:
    """The next key."""
    return Asked(body={})


async def twin(world: World, caller: Caller) -> Caller | None:
    """Somebody with the same rights, whose account may change and go."""
    if not caller.person:
        return None
    same = make(world.tokens, caller.name, caller.grants, *caller.cities)
    await world.person(same.person)
    return same


@asks("DELETE /me", personal=True)
async def erase(world: World, caller: Caller, side: Side) -> Asked:
    """Nothing of oneself stays."""
    return Asked(instead=await twin(world, caller))


@asks("PATCH /me", personal=True)
async def rename(world: World, caller: Caller, side: Side) -> Asked:
    """Another name."""
    return Asked(body={"given_name": "Other"}, instead=await twin(world, caller))


@asks("PUT /me/password", personal=True)
async def password(world: World, caller: Caller, side: Side) -> Asked:
    """A first password."""
    return Asked(body={"new": PASSWORD}, instead=await twin(world, caller))
