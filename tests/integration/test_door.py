"""The HTTP door that every service gets: who may, repeated requests, bad input, health. On the real stack."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Request
from pydantic import BaseModel, Field

from contracts import registration as facts
from infra.local.stack import LocalStack
from shared.bodies import Body
from shared.identity import ARRIVAL_HEADER, Caller, Grant, Public, SignedIn, arrival, may, stamp_arrival
from shared.ids import new_id
from shared.paging import CursorParam
from shared.service import ServiceDep, StoreDep, create_service
from shared.store import Transaction
from shared.testing import Tokens, Topics, serving
from tests.integration import backbone

router = APIRouter()


class NewTown(Body):
    """What a client sends."""

    name: Annotated[str, Field(min_length=1, max_length=100)]


class Town(BaseModel):
    """What it gets back."""

    id: str
    name: str


@router.post("/towns", status_code=201)
async def create_town(body: NewTown, store: StoreDep, caller: SignedIn) -> Town:
    async def work(tx: Transaction) -> Town:
        city = backbone.City(id=new_id("city"))
        event = facts.CityRegistered(city_id=city.id, authority=backbone.AUTHORITY, origin="self-registered")
        await tx.save(backbone.CITIES, city, event)
        return Town(id=city.id, name=body.name)

    return await store.transaction(work)


@router.get("/towns/{city}/secret")
async def read_secret(city: str, caller: Annotated[Caller, may(member_of="city", roles=["helpdesk"])]) -> str:
    return "known to members and the helpdesk"


@router.get("/arrival")
async def read_arrival(request: Request, caller: Public) -> datetime:
    return arrival(request)


@router.get("/list")
async def read_list(service: ServiceDep, caller: Public, cursor: CursorParam = None) -> list[Any]:
    return service.cursors.decode("list", cursor) if cursor else [service.cursors.encode("list", ["a", 1])]


@router.get("/bug")
async def fail(caller: Public) -> None:
    raise RuntimeError("the password of the database is hunter2")


@pytest.fixture
def app(stack: LocalStack) -> FastAPI:
    return create_service(
        backbone.PRODUCER,
        title="Towns",
        routers=[router],
        inbox=backbone.counting_inbox(backbone.PRODUCER),
        collections=[backbone.CITIES],
        settings=backbone.settings(stack, backbone.PRODUCER),
    )


@pytest.fixture
async def client(app: FastAPI, tokens: Tokens) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(app) as client:
        yield client


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The problem in an answer, which must have this status and code."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    body: dict[str, Any] = answer.json()
    assert body["code"] == code
    assert body["type"] == f"urn:eu-mission:problem:{code}"
    assert len(body["trace_id"]) == 32
    return body


async def test_a_repeated_request_gets_its_first_answer(
    app: FastAPI, client: httpx.AsyncClient, tokens: Tokens, topics: Topics
) -> None:
    headers = tokens.bearer(new_id("prs")) | {"Idempotency-Key": new_id("key")}
    first = await client.post("/towns", json={"name": "Évora"}, headers=headers)
    again = await asyncio.gather(*(client.post("/towns", json={"name": "Évora"}, headers=headers) for _ in range(5)))
    assert first.status_code == 201
    assert {(answer.status_code, answer.text) for answer in again} == {(201, first.text)}
    assert {answer.headers["Idempotency-Replayed"] for answer in again} == {"true"}

    other = await client.post("/towns", json={"name": "Elvas"}, headers=headers)
    problem(other, 422, "idempotency-key-reused")
    somebody = await client.post("/towns", json={"name": "Elvas"}, headers=headers | tokens.bearer(new_id("prs")))
    assert somebody.json()["id"] != first.json()["id"], "another person's key is another key"


async def test_repeated_requests_that_race_create_one(app: FastAPI, client: httpx.AsyncClient, tokens: Tokens) -> None:
    headers = tokens.bearer(new_id("prs")) | {"Idempotency-Key": new_id("key")}
    store = app.state.service.store
    before = await store.count(backbone.CITIES, {})
    answers = await asyncio.gather(*(client.post("/towns", json={"name": "Évora"}, headers=headers) for _ in range(8)))
    assert {(answer.status_code, answer.json()["id"]) for answer in answers} == {(201, answers[0].json()["id"])}
    assert await store.count(backbone.CITIES, {}) == before + 1


async def test_only_members_and_the_helpdesk_may(client: httpx.AsyncClient, tokens: Tokens) -> None:
    city, person = new_id("city"), new_id("prs")
    path = f"/towns/{city}/secret"
    problem(await client.get(path), 401, "not-signed-in")
    problem(await client.get(path, headers=tokens.bearer(person)), 403, "forbidden")
    problem(await client.get(path, headers=tokens.bearer(person, cities=[new_id("city")])), 403, "forbidden")
    problem(await client.get(path, headers=tokens.bearer(person, roles=["reviewer"])), 403, "forbidden")
    assert (await client.get(path, headers=tokens.bearer(person, cities=[city]))).status_code == 200
    scoped = Grant("helpdesk", "country", "PT")
    assert (await client.get(path, headers=tokens.bearer(person, roles=[scoped]))).status_code == 200


async def test_bad_tokens_are_refused(client: httpx.AsyncClient, tokens: Tokens) -> None:
    path, person = f"/towns/{new_id('city')}/secret", new_id("prs")
    good = tokens.bearer(person)["Authorization"].removeprefix("Bearer ")
    head, body, signature = good.split(".")

    def part(values: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")

    forged = {
        "no algorithm": f"{part({'alg': 'none', 'kid': tokens.kid})}.{body}.",
        "key confusion": f"{part({'alg': 'HS256', 'kid': tokens.kid})}.{body}.{signature}",
        "other key": Tokens().bearer(person)["Authorization"].removeprefix("Bearer "),
        "changed claims": f"{head}.{part({'sub': person, 'grants': [['administrator', 'mission', '*']]})}.{signature}",
        "not a token": "x",
        "kid that is no text": f"{part({'alg': 'Ed25519', 'kid': ['a']})}.{body}.{signature}",
    }
    for name, token in forged.items():
        answer = await client.get(path, headers={"Authorization": f"Bearer {token}"})
        assert problem(answer, 401, "token-invalid"), name
    expired = await client.get(path, headers=tokens.bearer(person, lifetime=-60))
    assert "error=" in expired.headers["WWW-Authenticate"]
    problem(expired, 401, "token-expired")
    problem(await client.get(path, headers={"Authorization": "Basic eDp5"}), 401, "token-invalid")


async def test_bad_bodies_are_refused_with_the_field_and_change_nothing(
    app: FastAPI, client: httpx.AsyncClient, tokens: Tokens
) -> None:
    headers = tokens.bearer(new_id("prs"))
    store = app.state.service.store
    before = await store.count(backbone.CITIES, {})

    async def post(content: bytes, kind: str = "application/json") -> httpx.Response:
        return await client.post("/towns", content=content, headers=headers | {"Content-Type": kind})

    unknown = problem(await post(b'{"name": "Elvas", "admin": true}'), 422, "invalid")
    assert [(error["field"], error["code"]) for error in unknown["errors"]] == [("body.admin", "extra-forbidden")]
    problem(await post(json.dumps({"name": "x" * 10_000}).encode()), 422, "invalid")
    problem(await post(b'{"name": 5}'), 422, "invalid")
    problem(await post(b'{"name": '), 400, "malformed-json")
    problem(await post(b'{"name": "\xff"}'), 400, "bad-request")
    problem(await post(b"name=Elvas", "application/x-www-form-urlencoded"), 415, "unsupported-media-type")
    problem(await post(b" " * (1024 * 1024 + 1)), 413, "too-large")

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b" " * 64 * 1024

    endless = await client.post("/towns", content=chunks(), headers=headers | {"Content-Type": "application/json"})
    problem(endless, 413, "too-large")
    assert (await post(b"[" * 100_000)).status_code in {400, 422}
    assert await store.count(backbone.CITIES, {}) == before


async def test_a_bug_shows_nothing_but_its_trace(client: httpx.AsyncClient) -> None:
    answer = await client.get("/bug")
    assert problem(answer, 500, "internal")
    assert "hunter2" not in answer.text


async def test_cursors_cannot_be_made_up(client: httpx.AsyncClient) -> None:
    (cursor,) = (await client.get("/list")).json()
    assert (await client.get("/list", params={"cursor": cursor})).json() == ["a", 1]
    for wrong in (cursor[:-2], "AAAA", "é", cursor[::-1]):
        problem(await client.get("/list", params={"cursor": wrong}), 400, "cursor-invalid")


async def test_only_the_gateway_says_when_a_request_arrived(app: FastAPI, client: httpx.AsyncClient) -> None:
    key = app.state.service.settings.gateway_key.get_secret_value()
    then = datetime.now(UTC) - timedelta(seconds=40)

    async def told(header: str) -> datetime:
        return datetime.fromisoformat((await client.get("/arrival", headers={ARRIVAL_HEADER: header})).json())

    assert await told(stamp_arrival(key, then)) == then
    for forged in (stamp_arrival("00", then), then.isoformat(), "x;y", ""):
        assert datetime.now(UTC) - await told(forged) < timedelta(seconds=30)


async def test_health_says_what_is_missing(stack: LocalStack, client: httpx.AsyncClient) -> None:
    assert (await client.get("/health/live")).status_code == 200
    stack.mongo.kill()
    try:
        ready = await client.get("/health/ready")
        assert ready.status_code == 503
        assert "mongodb" in ready.json()["missing"]
        assert (await client.get("/health/live")).status_code == 200
    finally:
        await asyncio.to_thread(stack.mongo.start)
    metrics = (await client.get("/metrics")).text
    for name in ("mission_http_requests_total", "mission_outbox_oldest_seconds", "mission_consumer_lag"):
        assert name in metrics
