"""What operators do with a service over HTTP, on the real stack: see its dead letters, try them again, give them up."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from contracts import registration as facts
from infra.local.stack import LocalStack
from shared.identity import Grant
from shared.ids import new_id
from shared.service import create_service
from shared.states import WAITING
from shared.testing import Tokens, Topics, eventually, serving
from tests.integration import backbone
from tests.integration.backbone import Trap

DOOR = f"/{backbone.READER}/dead-letters"
Headers = dict[str, str]


@pytest.fixture
def app(stack: LocalStack, trap: Trap) -> FastAPI:
    return create_service(
        backbone.READER,
        title="Reader",
        routers=[],
        inbox=backbone.counting_inbox(before=trap),
        collections=[backbone.SEEN],
        settings=backbone.settings(stack, backbone.READER),
    )


@pytest.fixture
async def client(app: FastAPI, tokens: Tokens) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(app) as client:
        yield client


@pytest.fixture
def person() -> str:
    return new_id("prs")


@pytest.fixture
def operator(tokens: Tokens, person: str) -> Headers:
    return tokens.bearer(person, roles=["operator"])


async def bad_cities(
    number: int, app: FastAPI, trap: Trap, topics: Topics, client: httpx.AsyncClient, operator: Headers
) -> list[dict[str, Any]]:
    """So many cities whose first event failed, as their letters are listed; a second event waits behind each."""
    cities = [new_id("city") for _ in range(number)]
    trap.cities |= set(cities)
    for version in (1, 2):
        for city in cities:
            await topics.publish(facts.CityPublished(city_id=city, ground="official-list"), version=version)

    async def there() -> list[dict[str, Any]]:
        found = await every(client, operator, topic=backbone.TOPIC, reason="ArithmeticError")
        ours = [line for line in found if line["aggregate"] in cities]
        behind = await app.state.service.store.count(WAITING, {"key": {"$in": cities}})
        return ours if len(ours) == behind == number else []

    return await eventually(there, "each has its dead letter and an event behind it")


async def every(client: httpx.AsyncClient, operator: Headers, **params: Any) -> list[dict[str, Any]]:
    """All pages of the list."""
    found: list[dict[str, Any]] = []
    while True:
        answer = await client.get(DOOR, params=params | {"limit": 2}, headers=operator)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found += page["items"]
        if not page["next"]:
            return found
        params["cursor"] = page["next"]


async def decide(client: httpx.AsyncClient, operator: Headers, **body: Any) -> dict[str, Any]:
    """The answer to a decision."""
    answer = await client.post(f"{DOOR}/decisions", json={"why": "mended", **body}, headers=operator)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def versions(app: FastAPI, city: str) -> list[int]:
    """Which versions of a city had their effect."""
    seen = await app.state.service.store.get(backbone.SEEN, city)
    return seen.order if seen else []


async def test_only_operators_of_the_whole_platform_see_and_decide(client: httpx.AsyncClient, tokens: Tokens) -> None:
    somebody = new_id("prs")
    callers = {
        "nobody": ({}, 401),
        "a person": (tokens.bearer(somebody), 403),
        "the helpdesk": (tokens.bearer(somebody, roles=["helpdesk", "administrator"]), 403),
        "an operator of one country": (tokens.bearer(somebody, roles=[Grant("operator", "country", "PT")]), 403),
    }
    body = {"action": "drop", "why": "because I can", "topic": backbone.TOPIC}
    for name, (headers, status) in callers.items():
        for method, path in (("GET", DOOR), ("GET", f"{DOOR}/{backbone.TOPIC}/0/0"), ("POST", f"{DOOR}/decisions")):
            answer = await client.request(method, path, headers=headers, json=body if method == "POST" else None)
            assert answer.status_code == status, name


async def test_letters_are_listed_page_by_page_and_shown_whole(
    app: FastAPI, trap: Trap, topics: Topics, client: httpx.AsyncClient, operator: Headers
) -> None:
    lines = await bad_cities(5, app, trap, topics, client, operator)
    times = [line["time"] for line in lines]
    assert times == sorted(times)
    since = await every(client, operator, since=times[2], until=times[4])
    assert {line["id"] for line in lines[2:4]} <= {line["id"] for line in since}
    assert not {line["id"] for line in (*lines[:2], lines[4])} & {line["id"] for line in since}
    assert await every(client, operator, reason="SomethingElse") == []

    shown = (await client.get(f"{DOOR}/{lines[0]['id']}", headers=operator)).json()
    assert shown["value"]["ground"] == "official-list"
    assert "this handler has a bug" in shown["detail"]
    assert dict(shown["headers"])["ce_aggregateversion"] == "1"
    assert (await client.get(f"{DOOR}/{backbone.TOPIC}/0/987654321", headers=operator)).status_code == 404


async def test_a_dry_run_changes_nothing_and_a_replay_takes_what_waits_with_it(
    app: FastAPI, trap: Trap, topics: Topics, client: httpx.AsyncClient, operator: Headers, person: str
) -> None:
    lines = await bad_cities(3, app, trap, topics, client, operator)
    window = {"topic": backbone.TOPIC, "reason": "ArithmeticError", "since": lines[0]["time"]}
    trap.cities.clear()
    dry = await decide(client, operator, action="replay", dry_run=True, **window)
    assert {line["id"] for line in lines} <= {line["id"] for line in dry["items"]}
    assert {line["outcome"] for line in dry["items"]} == {None}
    assert not await versions(app, lines[0]["aggregate"])

    done = await decide(client, operator, action="replay", **window)
    assert {line["outcome"] for line in done["items"]} == {"applied"}
    for line in lines:
        assert await versions(app, line["aggregate"]) == [1, 2]
    shown = (await client.get(f"{DOOR}/{lines[0]['id']}", headers=operator)).json()
    (note,) = shown["decisions"]
    assert (note["by"], note["why"], note["action"], note["outcome"]) == (person, "mended", "replay", "applied")
    assert (shown["open"], shown["headers"], shown["detail"]) == (False, [], "")
    assert "value" not in shown or shown["value"] is None
    listed = await every(client, operator, topic=backbone.TOPIC, all=True)
    assert {line["id"] for line in lines} <= {line["id"] for line in listed}


async def test_what_is_given_up_has_no_effect_and_what_fails_again_stays(
    app: FastAPI, trap: Trap, topics: Topics, client: httpx.AsyncClient, operator: Headers
) -> None:
    dropped, stays = await bad_cities(2, app, trap, topics, client, operator)
    failed = await decide(client, operator, action="replay", letters=[stays["id"]])
    assert [(line["outcome"], line["attempt"], line["open"]) for line in failed["items"]] == [("failed-again", 2, True)]
    trap.cities.clear()
    given_up = await decide(client, operator, action="drop", letters=[dropped["id"]])
    assert [line["outcome"] for line in given_up["items"]] == ["dropped"]
    assert await versions(app, dropped["aggregate"]) == [2]
    assert not await versions(app, stays["aggregate"])
    await decide(client, operator, action="replay", letters=[stays["id"]])
    assert await versions(app, stays["aggregate"]) == [1, 2]


async def test_a_decision_that_means_nothing_is_refused(
    app: FastAPI, trap: Trap, topics: Topics, client: httpx.AsyncClient, operator: Headers
) -> None:
    (line,) = await bad_cities(1, app, trap, topics, client, operator)
    trap.cities.clear()
    await decide(client, operator, action="drop", letters=[line["id"]])
    for body, status, code in (
        ({"action": "drop", "letters": [line["id"]]}, 409, "letter-decided"),
        ({"action": "drop", "letters": ["a/0/1"]}, 404, "dead-letter-not-found"),
        ({"action": "drop"}, 422, "letters-not-named"),
        ({"action": "burn", "topic": backbone.TOPIC}, 422, "invalid"),
        ({"action": "drop", "topic": backbone.TOPIC, "why": "  "}, 422, "invalid"),
    ):
        answer = await client.post(f"{DOOR}/decisions", json={"why": "mended"} | body, headers=operator)
        assert (answer.status_code, answer.json()["code"]) == (status, code), body
