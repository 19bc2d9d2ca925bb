"""Browsers sign in, act, stay signed in and sign out, with registration behind the door; foreign pages get nowhere."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from infra.local.stack import LocalStack
from services.gateway.cookies import SESSION_PATH
from services.registration.main import create_app
from shared.testing import Topics, eventually, serving
from tests.service.gateway.conftest import Behind, Gateway
from tests.service.registration.conftest import Mailboxes, settings

PASSWORD = "correct horse battery staple"
FOREIGN = {"Origin": "https://evil.example.com", "Sec-Fetch-Site": "cross-site"}


@pytest.fixture
async def mailboxes(topics: Topics) -> AsyncIterator[Mailboxes]:
    mailboxes = Mailboxes(topics.options)
    await mailboxes.start()
    yield mailboxes
    await mailboxes.stop()


@pytest.fixture
async def browser(stack: LocalStack, gateway: Gateway, behind: Behind) -> AsyncIterator[httpx.AsyncClient]:
    """A browser in front of the door, with registration behind it, and a catalogue that says what it was sent."""
    async with serving(create_app(settings(stack))) as registration, serving(behind.app) as catalogue:
        upstreams = {"registration": [str(registration.base_url)], "catalogue": [str(catalogue.base_url)]}
        async with gateway(upstreams) as client:
            yield client


@pytest.fixture
async def mail(browser: httpx.AsyncClient, mailboxes: Mailboxes) -> str:
    """The address of somebody who has signed up, with a password, and whose address is verified."""
    address = f"officer-{uuid.uuid4().hex[:12]}@example.org"
    form = {"mail_address": address, "given_name": "Illustrative", "family_name": "Officer", "password": PASSWORD}
    assert (await browser.post("/api/v1/auth/sign-up", json=form)).status_code == 202
    link = await mailboxes.latest(address, "verify-mail")
    assert (await browser.post(f"/api/v1{link}")).status_code == 200
    return address


async def sign_in(browser: httpx.AsyncClient, mail: str) -> dict[str, Any]:
    """Signs in by password, with cookies. Tokens are accepted as soon as the signing key has arrived everywhere."""
    answer = await browser.post("/api/v1/session", json={"mail_address": mail, "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    opened: dict[str, Any] = answer.json()

    async def accepted() -> bool:
        return (await browser.get(SESSION_PATH)).status_code == 200

    await eventually(accepted, "the session is accepted")
    return opened


async def test_signing_in_gives_cookies_that_no_script_reads_and_services_get_the_token(
    browser: httpx.AsyncClient, mail: str
) -> None:
    answer = await browser.post("/api/v1/session", json={"mail_address": mail, "password": PASSWORD})
    assert "token" not in {key for key in answer.json() if key != "csrf_token"}
    cookies = {each.partition("=")[0]: each for each in answer.headers.get_list("set-cookie")}
    assert all("HttpOnly" in cookies[name] for name in ("mission-access", "mission-refresh"))
    assert "SameSite=lax" in cookies["mission-access"]
    assert "SameSite=strict" in cookies["mission-refresh"]
    assert f"Path={SESSION_PATH}" in cookies["mission-refresh"]
    assert "HttpOnly" not in cookies["mission-csrf"]

    opened = await sign_in(browser, mail)
    assert (await browser.get(SESSION_PATH)).json()["person_id"] == opened["person_id"]
    seen = (await browser.get("/api/v1/catalogue/x")).json()
    assert seen["headers"]["authorization"].startswith("Bearer ")
    assert "cookie" not in seen["headers"]
    assert (await browser.get("/api/v1/me")).json()["id"] == opened["person_id"]


async def test_a_wrong_password_is_told_as_registration_tells_it(browser: httpx.AsyncClient, mail: str) -> None:
    answer = await browser.post("/api/v1/session", json={"mail_address": mail, "password": "wrong password"})
    assert (answer.status_code, answer.json()["code"]) == (401, "credentials-wrong")
    assert "set-cookie" not in answer.headers


async def test_what_changes_something_by_cookie_needs_the_csrf_token_and_our_own_page(
    browser: httpx.AsyncClient, mail: str, behind: Behind
) -> None:
    opened = await sign_in(browser, mail)
    token = {"X-CSRF-Token": opened["csrf_token"]}
    path = "/api/v1/catalogue/x"

    async def refusal(headers: dict[str, str]) -> tuple[int, str]:
        answer = await browser.post(path, json={}, headers=headers)
        return answer.status_code, answer.json().get("code", "")

    assert await refusal({}) == (403, "csrf-token-missing")
    assert await refusal({"X-CSRF-Token": "made.up"}) == (403, "csrf-token-missing")
    assert await refusal(token | FOREIGN) == (403, "foreign-origin")
    assert behind.seen == 0
    own = {"Origin": str(browser.base_url).rstrip("/"), "Sec-Fetch-Site": "same-origin"}
    assert (await browser.post(path, json={}, headers=token | own)).status_code == 200
    assert (await browser.get(path, headers=FOREIGN)).status_code == 200


async def test_a_foreign_page_can_neither_sign_somebody_in_nor_refresh_nor_sign_out(
    browser: httpx.AsyncClient, mail: str
) -> None:
    credentials = {"mail_address": mail, "password": PASSWORD}
    assert (await browser.post("/api/v1/session", json=credentials, headers=FOREIGN)).status_code == 403
    opened = await sign_in(browser, mail)
    for method, path in (("POST", f"{SESSION_PATH}/refresh"), ("DELETE", SESSION_PATH)):
        assert (await browser.request(method, path)).json()["code"] == "csrf-token-missing"
        foreign = FOREIGN | {"X-CSRF-Token": opened["csrf_token"]}
        assert (await browser.request(method, path, headers=foreign)).json()["code"] == "foreign-origin"
    assert (await browser.get(SESSION_PATH)).status_code == 200


async def test_a_session_goes_on_also_when_two_tabs_ask_at_once_and_ends_when_it_is_closed(
    browser: httpx.AsyncClient, mail: str
) -> None:
    opened = await sign_in(browser, mail)
    first_refresh = browser.cookies["mission-refresh"]
    token = {"X-CSRF-Token": opened["csrf_token"]}
    tabs = await asyncio.gather(*(browser.post(f"{SESSION_PATH}/refresh", headers=token) for _ in range(3)))
    assert [tab.status_code for tab in tabs] == [200, 200, 200]
    assert browser.cookies["mission-refresh"] != first_refresh
    assert (await browser.get("/api/v1/me")).status_code == 200

    last_refresh = browser.cookies["mission-refresh"]
    token = {"X-CSRF-Token": browser.cookies["mission-csrf"]}
    assert (await browser.delete(SESSION_PATH, headers=token)).status_code == 204
    assert not browser.cookies
    assert (await browser.get(SESSION_PATH)).status_code == 401
    old = {"Cookie": f"mission-refresh={last_refresh}; mission-csrf=x", "X-CSRF-Token": "x"}
    ended = await browser.post(f"{SESSION_PATH}/refresh", headers=old)
    assert ended.status_code == 401
    assert {each.partition(";")[0] for each in ended.headers.get_list("set-cookie")} == {
        *('mission-access=""', 'mission-refresh=""', 'mission-csrf=""'),
    }


async def mailed(browser: httpx.AsyncClient, mailboxes: Mailboxes, mail: str) -> str:
    before = len(mailboxes.to(mail, "sign-in"))
    assert (await browser.post("/api/v1/auth/links", json={"mail_address": mail})).status_code == 202
    return "/api/v1" + await mailboxes.latest(mail, "sign-in", after=before)


async def test_a_mailed_link_opened_in_a_browser_ends_in_a_session(
    browser: httpx.AsyncClient, mailboxes: Mailboxes, mail: str
) -> None:
    link = await mailed(browser, mailboxes, mail)
    page = await browser.get(link, headers={"Accept": "text/html"})
    assert '<form method="post"' in page.text
    assert not browser.cookies
    # What a browser sends for the page's button: no fields, and no origin, as the page asks for.
    form = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "text/html,*/*;q=0.8", "Origin": "null"}
    foreign = await browser.post(link, headers=form | FOREIGN)
    assert foreign.status_code == 403
    pressed = await browser.post(f"{link}?choice=sign-in", headers=form | {"Sec-Fetch-Site": "same-origin"})
    assert (pressed.status_code, pressed.headers["location"], pressed.content) == (303, "/", b"")
    assert {"mission-access", "mission-refresh", "mission-csrf"} <= {cookie.name for cookie in browser.cookies.jar}

    async def signed_in() -> bool:
        return (await browser.get(SESSION_PATH)).status_code == 200

    await eventually(signed_in, "the session is accepted")
    again = await browser.post(f"{link}?choice=sign-in", headers=form)
    assert again.status_code == 410


async def test_a_mailed_link_opens_a_session_from_the_portals_script_and_gives_tokens_to_programs(
    browser: httpx.AsyncClient, mailboxes: Mailboxes, mail: str
) -> None:
    link = await mailed(browser, mailboxes, mail)
    token = link.rpartition("/")[2]
    opened = await browser.post(f"{SESSION_PATH}/links/{token}")
    assert (opened.status_code, set(opened.json())) == (200, {"person_id", "expires_in", "csrf_token"})
    assert "mission-access" in browser.cookies

    browser.cookies.clear()
    program = await browser.post(await mailed(browser, mailboxes, mail))
    assert {"access_token", "refresh_token"} <= set(program.json())
    assert "set-cookie" not in program.headers


async def test_over_https_the_cookies_belong_to_this_host_alone(
    stack: LocalStack, gateway: Gateway, browser: httpx.AsyncClient, mail: str
) -> None:
    async with serving(create_app(settings(stack, 1))) as registration:
        upstreams = {"registration": [str(registration.base_url)]}
        async with gateway(upstreams, public_url="https://mission.example.org") as client:
            credentials = {"mail_address": mail, "password": PASSWORD}
            answer = await client.post("/api/v1/session", json=credentials)
    cookies = answer.headers.get_list("set-cookie")
    assert {each.partition("=")[0] for each in cookies} == {
        *("__Host-mission-access", "__Secure-mission-refresh", "__Host-mission-csrf"),
    }
    assert all("Secure" in each for each in cookies)
    assert "strict-transport-security" in answer.headers
