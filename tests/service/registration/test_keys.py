"""Signing keys, and what holds across several instances of the service."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import cast

import pytest

from contracts.registration import SigningKeyPublished
from infra.local.stack import LocalStack
from services.registration.main import create_app
from services.registration.store import COLLECTIONS, DIRECTORY, SIGNING_KEYS
from services.registration.usecases import keys, places
from services.registration.usecases.keys import SigningKeys
from services.registration.usecases.loading import Loading
from shared import deadlines
from shared.clock import Clock
from shared.identity import Caller
from shared.ids import new_id
from shared.service import Service
from shared.store import Store
from shared.testing import eventually, serving
from tests.service.registration.conftest import PASSWORD, Platform, settings

pytestmark = pytest.mark.asyncio(loop_scope="package")
KEYS = "registration.signing-keys"


@asynccontextmanager
async def fresh_stores(stack: LocalStack, count: int) -> AsyncIterator[list[Store]]:
    """Several processes' connections to one database that nobody has used yet."""
    name = f"registration_{uuid.uuid4().hex[:8]}"
    stores = [Store(stack.mongo.admin_url, name, "registration", Clock()) for _ in range(count)]
    await stores[0].prepare([*COLLECTIONS, deadlines.DEADLINES])
    try:
        yield stores
    finally:
        await stores[0].db.client.drop_database(name)
        for store in stores:
            store.close()


async def test_a_key_of_an_instance_whose_clock_is_ahead_is_waited_for(
    stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.now(UTC)
    async with fresh_stores(stack, 1) as (store,):
        monkeypatch.setattr(keys, "_now", lambda: now + keys.CLOCKS / 2)
        await SigningKeys(settings(stack)).ensure(store)
        monkeypatch.setattr(keys, "_now", lambda: now)
        with pytest.raises(RuntimeError, match="no signing key for this moment"):
            await SigningKeys(settings(stack)).ensure(store)
        assert await store.count(SIGNING_KEYS, {}) == 1


async def test_who_stops_while_it_loads_the_places_leaves_that_to_the_next(stack: LocalStack) -> None:
    async with fresh_stores(stack, 1) as (store,):
        loading = Loading(settings(stack))
        stopped = cast(Service, SimpleNamespace(store=store, instance="registration-0"))
        await loading.start(stopped)

        async def begun() -> bool:
            return await store.db[DIRECTORY].count_documents({"owner": stopped.instance}) == 1

        await eventually(begun, "an instance has taken on to load the places")
        assert not await places.claim_loading(store, "registration-1"), "two must not load at once"
        await loading.stop(stopped)
        assert await places.claim_loading(store, "registration-1")


async def test_instances_that_start_together_make_one_key(stack: LocalStack) -> None:
    config = settings(stack)
    async with fresh_stores(stack, 4) as stores:
        rings = [SigningKeys(config) for _ in stores]
        await asyncio.gather(*(ring.ensure(store) for ring, store in zip(rings, stores, strict=True)))
        keys = await stores[0].find(SIGNING_KEYS, {})
        assert len(keys) == 1
        # The private part is of no use to who reads the database alone.
        thief = SigningKeys(config.model_copy(update={"key_encryption_key": type(config.gateway_key)("00" * 32)}))
        with pytest.raises(RuntimeError, match="another MISSION_KEY_ENCRYPTION_KEY"):
            await thief.ensure(stores[0])
        assert await rings[0].sign(stores[0], Caller(new_id("prs")))


async def test_one_instance_takes_on_the_directory(stack: LocalStack) -> None:
    async with fresh_stores(stack, 4) as stores:
        claims = [places.claim_loading(store, f"instance-{n}") for n, store in enumerate(stores)]
        assert sorted(await asyncio.gather(*claims)) == [False, False, False, True]


async def test_a_second_instance_shares_sessions_limits_and_keys(platform: Platform, stack: LocalStack) -> None:
    person = await platform.person(password=PASSWORD)
    async with serving(create_app(settings(stack, 1))) as second:
        assert (await second.get("/me", headers=person.headers)).status_code == 200
        session = (await second.post("/auth/refresh", json={"refresh_token": person.refresh_token})).json()
        mine = {"Authorization": f"Bearer {session['access_token']}"}
        assert (await platform.client.get("/me", headers=mine)).status_code == 200
        wrong = {"mail_address": person.mail, "password": "a wrong password"}
        tried = [await client.post("/auth/token", json=wrong) for client in (second, platform.client) * 3]
        assert [answer.status_code for answer in tried] == [401] * 5 + [429]


async def test_keys_rotate_with_overlap_and_at_once_when_one_has_leaked(platform: Platform) -> None:
    post, headers = platform.client.post, platform.operator.headers
    person = await platform.person()
    assert (await post("/auth/signing-keys", json={}, headers=person.headers)).status_code == 403
    planned = await post("/auth/signing-keys", json={}, headers=headers)
    assert planned.status_code == 201

    async def published() -> bool:
        facts = await platform.topics.read(KEYS, subject=planned.json()["kid"])
        return bool(facts) and isinstance(facts[0].event, SigningKeyPublished)

    await eventually(published, "the next key is known before it signs")
    # The present key goes on signing, and its tokens stay valid.
    again = await platform.sign_in(person.mail)
    for held in (person, again):
        assert (await platform.client.get("/me", headers=held.headers)).status_code == 200

    leaked = await post("/auth/signing-keys", json={"at_once": True}, headers=headers)

    async def refused() -> bool:
        return (await platform.client.get("/me", headers=person.headers)).status_code == 401

    await eventually(refused, "tokens of the leaked key are refused")
    renewed = platform.session(
        person.mail, (await post("/auth/refresh", json={"refresh_token": again.refresh_token})).json()
    )

    async def accepted() -> bool:
        return (await platform.client.get("/me", headers=renewed.headers)).status_code == 200

    await eventually(accepted, "tokens of the new key are accepted")
    withdrawn = await platform.topics.read(KEYS, subject=planned.json()["kid"])
    assert withdrawn[-1].event is None
    assert leaked.json()["kid"] != planned.json()["kid"]
    refresh = {"refresh_token": platform.operator.refresh_token}
    platform.operator = platform.session(platform.operator.mail, (await post("/auth/refresh", json=refresh)).json())
