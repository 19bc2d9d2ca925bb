"""What cannot be is refused with the right status, and changes nothing."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import OKPKey

from shared.ids import new_id
from tests.service.registration.conftest import PASSWORD, Platform, address

pytestmark = pytest.mark.asyncio(loop_scope="package")

SIGN_UP = {"given_name": "Illustrative", "family_name": "Officer"}


def code(answer: httpx.Response) -> tuple[int, str]:
    """Status and stable code; every error is a problem."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["code"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"mail_address": "not an address"},
        {"mail_address": "a" * 300 + "@example.org"},
        {"given_name": "x" * 10_000},
        {"given_name": "   "},
        {"locale": "not a language"},
        {"time_zone": "Europe/Atlantis"},
        {"time_zone": "../../etc/passwd"},
        {"password": "short"},
        {"password": "x" * 10_000},
        {"given_name": 7},
        {"given_name": {"$ne": None}},
        {"role": "administrator"},
    ],
    ids=str,
)
async def test_a_form_with_a_wrong_field_opens_no_account(platform: Platform, wrong: dict[str, Any]) -> None:
    mail = address()
    answer = await platform.client.post("/auth/sign-up", json={"mail_address": mail, **SIGN_UP, **wrong})
    assert code(answer) == (422, "invalid")
    assert answer.json()["errors"][0]["field"].startswith("body.")
    assert mail not in platform.mailboxes.people


async def test_bodies_that_are_no_json_are_refused(platform: Platform) -> None:
    post = platform.client.post
    as_json = {"Content-Type": "application/json"}
    assert code(await post("/auth/links", content=b"{", headers=as_json)) == (400, "malformed-json")
    invalid_utf8 = b'{"mail_address": "\xff\xfe@example.org"}'
    assert (await post("/auth/links", content=invalid_utf8, headers=as_json)).status_code in {400, 422}
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert code(await post("/auth/links", content=b"mail_address=a", headers=form))[0] == 415
    large = json.dumps({"mail_address": "x" * 2_000_000}).encode()
    assert code(await post("/auth/links", content=large, headers=as_json)) == (413, "too-large")


async def test_tokens_that_are_not_ours_are_refused(platform: Platform) -> None:
    person = await platform.person()
    token = person.headers["Authorization"].removeprefix("Bearer ")
    kid = _kid(token)
    now = int(datetime.now(UTC).timestamp())
    claims = {"iss": "registration", "aud": "cities-mission-platform", "sub": person.id, "iat": now, "exp": now + 60}
    forged = jwt.encode({"alg": "Ed25519", "kid": kid}, claims, OKPKey.generate_key("Ed25519"), algorithms=["Ed25519"])
    head, body, signature = token.split(".")
    without = _b64({"alg": "none", "kid": kid}) + "." + _b64({**claims, "grants": [["administrator", "mission", "*"]]})
    for bad in (forged, f"{without}.", f"{head}.{_b64(claims)}.{signature}", f"{head}.{body}.", "x" * 5000):
        answer = await platform.client.get("/me", headers={"Authorization": f"Bearer {bad}"})
        assert code(answer) == (401, "token-invalid")
    assert code(await platform.client.get("/me")) == (401, "not-signed-in")


def _b64(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def _kid(token: str) -> str:
    head = token.split(".")[0]
    return str(json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))["kid"])


async def test_ids_of_nothing_and_of_others_are_refused(directory: Platform) -> None:
    platform = directory
    person, city = await platform.member(await platform.place("Faro", "PT"))
    stranger = await platform.person()
    nobody = new_id("city")
    get, put, post = platform.client.get, platform.client.put, platform.client.post
    assert code(await get(f"/cities/{nobody}")) == (404, "city-not-found")
    assert code(await get("/cities/1%20or%201")) == (422, "invalid")
    asked = await post(f"/cities/{nobody}/memberships", json={}, headers=stranger.headers)
    assert code(asked) == (404, "city-not-found")
    for path, body in (
        (f"/cities/{city}/profile", {"domains": ["mobility"]}),
        (f"/cities/{city}/mailbox", {"mail_address": address()}),
        (f"/cities/{city}/statuses", {"statuses": []}),
    ):
        assert code(await put(path, json=body, headers=stranger.headers))[0] == 403
    for path in (f"/cities/{city}/members", f"/cities/{city}/next-steps"):
        assert code(await get(path, headers=stranger.headers))[0] == 403
    seen = (await get(f"/cities/{city}", headers=person.headers)).json()
    assert (seen["profile"]["domains"], seen["mailbox"]) == ([], None)
    # Not even a member says for itself that its city is a Mission City.
    assert code(await put(f"/cities/{city}/statuses", json={"statuses": []}, headers=person.headers))[0] == 403


async def test_a_city_with_impossible_data_is_refused(directory: Platform) -> None:
    platform = directory
    person = await platform.person()
    place = await platform.place("Beja")
    population = {"inhabitants": 1000, "year": 2021, "source": "census"}
    commitment = {"neutral_by": 2040, "committed_on": "2024-05-01", "evidence": "minutes"}

    async def refused(authority: dict[str, Any] | None = None, **fields: Any) -> bool:
        whole = {"name": "Illustrative", "kind": "municipality", "places": [place], **(authority or {})}
        answer = await platform.client.post("/cities", json={"authority": whole, **fields}, headers=person.headers)
        return answer.status_code == 422

    assert await refused({"name": "x" * 10_000})
    assert await refused({"kind": "galaxy"})
    assert await refused({"places": []})
    assert await refused({"places": ["1"] * 401})
    assert await refused({"time_zone": "Mars/Olympus"})
    assert await refused({"population": population | {"inhabitants": -1}})
    assert await refused({"population": population | {"year": 99999}})
    assert await refused({"population": population | {"surprise": 1}})
    assert await refused(commitment=commitment | {"committed_on": "2024-02-30"})
    assert await refused(commitment=commitment | {"evidence": "somebody@example.org"})
    assert await refused(profile={"domains": ["astrology"]})
    assert await refused(profile={"offers": ["a"] * 31})
    mine = await platform.client.get("/me", headers=person.headers)
    assert mine.json()["memberships"] == []


async def test_somebody_whose_address_is_not_verified_cannot_get_in(platform: Platform) -> None:
    mail = address()
    await platform.sign_up(mail, password=PASSWORD)
    answer = await platform.client.post("/auth/token", json={"mail_address": mail, "password": PASSWORD})
    assert code(answer) == (401, "credentials-wrong")


async def test_grants_are_given_by_administrators_alone(platform: Platform) -> None:
    person = await platform.person()
    body = {"person_id": person.id, "role": "reviewer", "scope": {"kind": "call", "id": "call-1"}}
    assert code(await platform.client.post("/grants", json=body, headers=person.headers))[0] == 403
    headers = platform.operator.headers
    given = await platform.client.post("/grants", json=body, headers=headers)
    assert given.status_code == 201
    assert code(await platform.client.post("/grants", json=body, headers=headers)) == (409, "grant-held")
    for wrong in (
        {"scope": {"kind": "mission", "id": "x"}},
        {"scope": {"kind": "call"}},
        {"role": "emperor"},
        {"valid_until": (datetime.now(UTC) - timedelta(days=1)).isoformat(), "role": "editor"},
    ):
        assert (await platform.client.post("/grants", json=body | wrong, headers=headers)).status_code == 422
    unknown = await platform.client.post("/grants", json=body | {"person_id": new_id("prs")}, headers=headers)
    assert code(unknown) == (404, "person-not-found")
    again = await platform.sign_in(person.mail)
    assert [grant["role"] for grant in (await _me(platform, again.headers))["grants"]] == ["reviewer"]
    assert (await platform.client.delete(f"/grants/{given.json()['id']}", headers=headers)).status_code == 204
    assert (await _me(platform, again.headers))["grants"] == []


async def test_an_administrator_of_one_country_has_no_say_in_keys_and_roles(platform: Platform) -> None:
    person, scope = await platform.person(), {"kind": "country", "id": "PT"}
    body = {"person_id": person.id, "role": "administrator", "scope": scope}
    given = await platform.client.post("/grants", json=body, headers=platform.operator.headers)
    assert given.status_code == 201
    headers = (await platform.sign_in(person.mail)).headers
    requests: tuple[tuple[str, str, Any], ...] = (
        ("POST", "/auth/signing-keys", {"at_once": True}),
        ("GET", "/grants", None),
        ("POST", "/grants", {"person_id": new_id("prs"), "role": "administrator"}),
        ("DELETE", f"/grants/{given.json()['id']}", None),
    )
    for method, path, asked in requests:
        answer = await platform.client.request(method, path, json=asked, headers=headers)
        assert code(answer) == (403, "forbidden"), path


async def _me(platform: Platform, headers: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = (await platform.client.get("/me", headers=headers)).json()
    return found


async def test_a_repeated_declaration_gives_the_first_answer_again(directory: Platform) -> None:
    platform = directory
    person = await platform.person()
    place = await platform.place("Estremoz")
    body = {"authority": {"name": "Illustrative", "kind": "municipality", "places": [place]}}
    headers = person.headers | {"Idempotency-Key": new_id("try")}
    answers = [await platform.client.post("/cities", json=body, headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()


async def test_tokens_are_not_kept_for_repeated_requests(platform: Platform) -> None:
    person = await platform.person(password=PASSWORD)
    headers = {"Idempotency-Key": new_id("try")}
    body = {"mail_address": person.mail, "password": PASSWORD}
    answers = [(await platform.client.post("/auth/token", json=body, headers=headers)).json() for _ in range(2)]
    assert answers[0]["refresh_token"] != answers[1]["refresh_token"]
