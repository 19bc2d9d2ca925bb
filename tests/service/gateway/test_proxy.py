"""Requests reach their service and answers come back, whatever happens on the way."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from shared.ids import new_id
from shared.testing import Tokens, eventually, serving
from tests.service.gateway.conftest import Behind, Gateway, closed_port


async def test_a_request_arrives_as_it_was_sent_with_what_only_the_gateway_can_say(
    door: httpx.AsyncClient, tokens: Tokens
) -> None:
    sent = tokens.bearer(new_id("prs")) | {
        "Accept-Language": "pt",
        "X-Request-Id": "mine-1",
        "Mission-Arrival": "2020-01-01T00:00:00+00:00;forged",
        "Cookie": "other=1",
    }
    answer = await door.post("/api/v1/catalogue/a%2Fb?q=%C3%A9&q=2", content=b"x" * 70_000, headers=sent)
    seen = answer.json()
    assert (seen["path"], seen["query"], seen["method"], seen["bytes"]) == (
        "/catalogue/a%2Fb",
        "q=%C3%A9&q=2",
        "POST",
        70_000,
    )
    assert seen["headers"]["authorization"] == sent["Authorization"]
    assert seen["headers"]["accept-language"] == "pt"
    assert seen["headers"]["x-request-id"] == answer.headers["x-request-id"] == "mine-1"
    assert "cookie" not in seen["headers"]
    arrived = datetime.fromisoformat(seen["headers"]["mission-arrival"].partition(";")[0])
    assert abs(arrived - datetime.now(UTC)) < timedelta(minutes=1)
    assert seen["headers"]["traceparent"].startswith("00-")


async def test_a_body_of_unknown_length_is_handed_on_as_it_comes(door: httpx.AsyncClient) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield b"x" * 10_000

    assert (await door.post("/api/v1/catalogue/upload", content=pieces())).json()["bytes"] == 100_000


async def test_an_answer_is_handed_back_as_it_comes(door: httpx.AsyncClient, behind: Behind) -> None:
    async with door.stream("GET", "/api/v1/catalogue/large") as answer:
        pieces = answer.aiter_raw()
        assert await anext(pieces) == b"first"
        behind.release.set()
        assert await anext(pieces) == b"last"


async def test_live_updates_come_through_at_once_and_a_browser_that_goes_frees_the_service(
    door: httpx.AsyncClient, behind: Behind
) -> None:
    async with door.stream("GET", "/api/v1/stream") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.aiter_lines()
        assert await anext(lines) == "data: one"
        behind.release.set()
        await anext(lines)
        assert await anext(lines) == "data: two"
    await asyncio.wait_for(behind.hung_up.wait(), 10)


async def test_a_redirect_stays_on_the_platform(door: httpx.AsyncClient) -> None:
    answer = await door.get("/api/v1/catalogue/moved")
    assert (answer.status_code, answer.headers["location"]) == (303, "/api/v1/catalogue/elsewhere")


async def test_no_way_leads_to_what_is_not_in_the_table(door: httpx.AsyncClient, behind: Behind) -> None:
    for path in ("/api/v1/nothing", "/api/v1", "/catalogue/entries", "/api/v1/metrics", "/api/v2/catalogue/x"):
        answer = await door.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert behind.seen == 0


async def test_instances_take_turns_and_one_that_is_down_is_passed_over(gateway: Gateway) -> None:
    one, two = Behind("one"), Behind("two")
    with closed_port() as nothing:
        async with serving(one.app) as first, serving(two.app) as second:
            addresses = [str(first.base_url), nothing, str(second.base_url)]
            async with gateway({"catalogue": addresses}) as client:
                answers = [(await client.post("/api/v1/catalogue/x")).json()["by"] for _ in range(8)]
    assert set(answers) == {"one", "two"}
    assert one.seen + two.seen == 8


async def test_a_service_that_is_down_answers_503_and_the_rest_works(gateway: Gateway, behind: Behind) -> None:
    with closed_port() as nothing:
        async with (
            serving(behind.app) as service,
            gateway({"registration": [nothing], "catalogue": [str(service.base_url)]}) as client,
        ):
            for path in ("/api/v1/places", "/api/v1/calls"):
                down = await client.get(path)
                assert (down.status_code, down.json()["code"]) == (503, "service-unavailable")
                assert int(down.headers["retry-after"]) > 0
            assert (await client.get("/api/v1/catalogue/x")).status_code == 200
            ready = await client.get("/health/ready")
            assert ready.status_code == 503
            assert ready.json()["missing"]["registration"] == ["does not answer"]
            assert "catalogue" not in ready.json()["missing"]


async def test_the_platform_is_ready_when_every_service_is(gateway: Gateway, behind: Behind) -> None:
    async with serving(behind.app) as service:
        address = [str(service.base_url)]
        names = ("registration", "catalogue", "events-calendar", "cohort-selection", "notification")
        async with gateway(dict.fromkeys(names, address)) as client:

            async def ready() -> bool:
                return (await client.get("/health/ready")).status_code == 200

            await eventually(ready, "the platform is ready")


async def test_what_takes_too_long_is_given_up_but_not_a_stream(gateway: Gateway, behind: Behind) -> None:
    async with serving(behind.app) as service:
        address = [str(service.base_url)]
        async with gateway({"catalogue": address, "notification": address}, total_seconds=0.3) as client:
            slow = await client.get("/api/v1/catalogue/slow")
            assert (slow.status_code, slow.json()["code"]) == (504, "timed-out")
            async with client.stream("GET", "/api/v1/stream") as stream:
                lines = stream.aiter_lines()
                assert await anext(lines) == "data: one"
                # The slow answer above took the time that the stream would have been given.
                await client.get("/api/v1/catalogue/slow")
                behind.release.set()
                await anext(lines)
                assert await anext(lines) == "data: two"


class Breaking:
    """A server that hangs up as soon as it has read a request, a number of times, and then answers."""

    def __init__(self, times: int) -> None:
        self.times = times
        self.requests = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.requests += 1
        if self.requests > self.times:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
            await writer.drain()
        writer.close()


@pytest.mark.parametrize(
    ("method", "key", "status"), [("GET", {}, 200), ("POST", {}, 502), ("POST", {"Idempotency-Key": "k1"}, 200)]
)
async def test_only_what_may_be_done_twice_is_sent_again_when_the_connection_breaks(
    gateway: Gateway, method: str, key: dict[str, str], status: int
) -> None:
    breaking = Breaking(1)
    server = await asyncio.start_server(breaking.serve, "127.0.0.1", 0)
    address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, gateway({"catalogue": [address, address + "/"]}) as client:
        answer = await client.request(method, "/api/v1/catalogue/x", headers=key)
        assert answer.status_code == status
    assert breaking.requests == (2 if status == 200 else 1)


async def problem(client: httpx.AsyncClient, method: str, path: str, **options: Any) -> tuple[int, str]:
    """Status and code of a refusal, which is a problem and bears the headers of every answer."""
    answer = await client.request(method, path, **options)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "x-request-id" in answer.headers
    assert answer.json()["trace_id"]
    return answer.status_code, answer.json()["code"]


async def test_too_large_bodies_are_refused_announced_or_not(gateway: Gateway, behind: Behind) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"x" * 1000

    async with (
        serving(behind.app) as service,
        gateway({"catalogue": [str(service.base_url)]}, max_body_bytes=50_000) as client,
    ):
        path = "/api/v1/catalogue/x"
        assert await problem(client, "POST", path, content=b"x" * 50_001) == (413, "too-large")
        assert await problem(client, "POST", path, content=pieces()) == (413, "too-large")
        assert await problem(client, "POST", "/api/v1/session", content=b"x" * 50_001) == (413, "too-large")
        assert (await client.post(path, content=b"x" * 50_000)).json()["bytes"] == 50_000


async def test_who_asks_too_often_is_told_when_to_come_again(gateway: Gateway, behind: Behind, tokens: Tokens) -> None:
    async with serving(behind.app) as service:
        upstreams = {"catalogue": [str(service.base_url)]}
        async with gateway(upstreams, person_rate=0.01, person_burst=2, address_rate=0) as client:
            one, other = tokens.bearer(new_id("prs")), tokens.bearer(new_id("prs"))
            for _ in range(2):
                assert (await client.get("/api/v1/catalogue/x", headers=one)).status_code == 200
            refused = await client.get("/api/v1/catalogue/x", headers=one)
            assert (refused.status_code, refused.json()["code"]) == (429, "too-many-requests")
            assert 1 <= int(refused.headers["retry-after"]) <= 101
            assert (await client.get("/api/v1/catalogue/x", headers=other)).status_code == 200
        async with gateway(upstreams, address_rate=0.01, address_burst=1) as client:
            assert (await client.get("/api/v1/catalogue/x")).status_code == 200
            elsewhere = {"X-Forwarded-For": "198.51.100.7"}
            assert await problem(client, "GET", "/api/v1/catalogue/x", headers=elsewhere) == (429, "too-many-requests")


async def test_nobody_holds_more_streams_open_than_allowed_and_closing_one_makes_room(
    gateway: Gateway, behind: Behind
) -> None:
    async with (
        serving(behind.app) as service,
        gateway({"notification": [str(service.base_url)]}, open_streams=1) as client,
    ):
        async with client.stream("GET", "/api/v1/stream") as first:
            assert first.status_code == 200
            assert await problem(client, "GET", "/api/v1/stream") == (429, "too-many-streams")

        async def room() -> bool:
            async with client.stream("GET", "/api/v1/stream") as next:
                return next.status_code == 200

        await eventually(room, "there is room for a stream again")


async def test_figures_are_shown_only_to_the_networks_that_may_see_them(gateway: Gateway) -> None:
    async with gateway({}) as client:
        assert "mission_http_requests_total" in (await client.get("/metrics")).text
    async with gateway({}, metrics_from=()) as client:
        assert (await client.get("/metrics")).status_code == 404


async def test_bad_tokens_are_refused_at_the_door(door: httpx.AsyncClient, behind: Behind, tokens: Tokens) -> None:
    unsigned = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJwcnNfMSJ9."
    expired = tokens.bearer(new_id("prs"), lifetime=-3600)["Authorization"]
    foreign = Tokens().bearer(new_id("prs"))["Authorization"]
    for header, code in (
        ("Bearer nonsense", "token-invalid"),
        (f"Bearer {unsigned}", "token-invalid"),
        ("Basic eDp5", "token-invalid"),
        (foreign, "token-invalid"),
        (expired, "token-expired"),
    ):
        refused = await problem(door, "GET", "/api/v1/catalogue/x", headers={"Authorization": header})
        assert refused == (401, code)
    assert behind.seen == 0


async def test_pages_show_where_to_go_and_load_nothing_from_elsewhere(door: httpx.AsyncClient) -> None:
    front = await door.get("/")
    assert "/api/v1/docs" in front.text
    assert "<script" not in front.text
    docs = await door.get("/api/v1/docs")
    assert "script-src 'self'" in docs.headers["content-security-policy"]
    assert "unsafe" not in docs.headers["content-security-policy"]
    assert "http://" not in docs.text
    assert "https://" not in docs.text
    for name in ("swagger-ui-bundle.js", "swagger-ui.css", "start.js"):
        assert (await door.get(f"/api/v1/docs/{name}")).status_code == 200
    assert (await door.get("/api/v1/docs/main.py")).status_code == 404
    document = (await door.get("/api/v1/openapi.json")).json()
    assert document["openapi"] == "3.1.0"
    assert "/api/v1/session" in document["paths"]
