"""Accounts and sessions, as people meet them."""

import asyncio

import pytest

from contracts.registration import AccountOpened, MailVerified, PersonErased
from shared.testing import eventually
from tests.service.registration.conftest import PASSWORD, Platform, address

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def test_opening_a_link_decides_nothing_and_its_button_works_once(platform: Platform) -> None:
    mail = address()
    await platform.sign_up(mail, password=PASSWORD)
    link = await platform.mailboxes.latest(mail, "verify-mail")
    credentials = {"mail_address": mail, "password": PASSWORD}

    for _ in range(3):
        page = await platform.client.get(link, headers={"Accept": "text/html"})
        assert page.status_code == 200
        assert '<html lang="pt">' in page.text
        assert 'method="post"' in page.text
        assert "no-store" in page.headers["cache-control"]
    assert (await platform.client.post("/auth/token", json=credentials)).status_code == 401

    form = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "text/html"}
    done = await platform.client.post(link + "?choice=confirm", headers=form)
    assert done.status_code == 200
    assert "confirmado" in done.text
    assert (await platform.client.post("/auth/token", json=credentials)).status_code == 200

    again = await platform.client.post(link)
    assert again.status_code == 410
    assert again.json()["code"] == "link-used"
    seen = await platform.client.get(link, headers={"Accept": "text/html", "Accept-Language": "de"})
    assert seen.status_code == 410
    assert "schon benutzt" in seen.text
    unknown = await platform.client.post("/links/" + "x" * 43)
    assert (unknown.status_code, unknown.json()["code"]) == (404, "link-unknown")


async def test_a_link_that_two_press_at_once_works_once(platform: Platform) -> None:
    mail = address()
    await platform.sign_up(mail)
    link = await platform.mailboxes.latest(mail, "verify-mail")
    answers = await asyncio.gather(*(platform.client.post(link) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] + [410] * 7


async def test_nobody_learns_who_has_an_account(platform: Platform) -> None:
    person = await platform.person(password=PASSWORD)
    stranger = address()

    async def answers(mail: str) -> list[tuple[int, object]]:
        asked = [
            await platform.client.post("/auth/links", json={"mail_address": mail}),
            await platform.sign_up(mail, password="another long password"),
            await platform.client.post("/auth/token", json={"mail_address": mail, "password": "wrong password"}),
        ]
        return [(answer.status_code, {**answer.json(), "trace_id": ""}) for answer in asked]

    assert await answers(person.mail) == await answers(stranger)
    # The second sign-up neither changed the password nor told anything but the mailbox.
    taken_over = {"mail_address": person.mail, "password": "another long password"}
    assert (await platform.client.post("/auth/token", json=taken_over)).status_code == 401


async def test_events_tell_of_an_account_without_personal_data(platform: Platform) -> None:
    person = await platform.person()
    facts = await platform.topics.read("registration.accounts", subject=person.id)
    assert [type(fact.event) for fact in facts] == [AccountOpened, MailVerified]
    recorded = platform.mailboxes.people[person.mail]
    assert (recorded.given_name, recorded.locale, recorded.time_zone) == ("Illustrative", "pt", "Europe/Lisbon")


async def test_wrong_passwords_are_limited_and_a_link_still_helps(platform: Platform) -> None:
    person = await platform.person(password=PASSWORD)
    wrong = {"mail_address": person.mail.upper(), "password": "a wrong password"}
    statuses = [(await platform.client.post("/auth/token", json=wrong)).status_code for _ in range(6)]
    assert statuses == [401] * 5 + [429]
    locked = await platform.client.post("/auth/token", json={"mail_address": person.mail, "password": PASSWORD})
    assert locked.status_code == 429
    assert 0 < int(locked.headers["retry-after"]) <= 900
    assert (await platform.sign_in(person.mail)).id == person.id


async def test_links_to_one_address_are_limited(platform: Platform) -> None:
    mail = address()
    asked = [await platform.client.post("/auth/links", json={"mail_address": mail}) for _ in range(6)]
    assert [answer.status_code for answer in asked] == [202] * 5 + [429]


async def test_refresh_tokens_rotate_and_reuse_ends_the_family(platform: Platform) -> None:
    person = await platform.person()
    other = await platform.sign_in(person.mail)
    second = (await platform.client.post("/auth/refresh", json={"refresh_token": person.refresh_token})).json()
    assert second["refresh_token"] != person.refresh_token

    stolen = await platform.client.post("/auth/refresh", json={"refresh_token": person.refresh_token})
    assert (stolen.status_code, stolen.json()["code"]) == (401, "refresh-token-reused")
    ended = await platform.client.post("/auth/refresh", json={"refresh_token": second["refresh_token"]})
    assert (ended.status_code, ended.json()["code"]) == (401, "refresh-token-invalid")
    # Another sign-in of the same person is another family.
    assert (await platform.client.post("/auth/refresh", json={"refresh_token": other.refresh_token})).status_code == 200


async def test_signing_out_ends_the_session(platform: Platform) -> None:
    person = await platform.person()
    body = {"refresh_token": person.refresh_token}
    assert (await platform.client.post("/auth/sign-out", json=body)).status_code == 204
    assert (await platform.client.post("/auth/refresh", json=body)).status_code == 401
    assert (await platform.client.post("/auth/sign-out", json=body)).status_code == 204


async def test_a_password_can_be_set_and_changed_by_its_owner(platform: Platform) -> None:
    person = await platform.person()
    put = platform.client.put
    assert (await put("/me/password", json={"new": PASSWORD}, headers=person.headers)).status_code == 204
    ended = await platform.client.post("/auth/refresh", json={"refresh_token": person.refresh_token})
    assert ended.status_code == 401
    credentials = {"mail_address": person.mail, "password": PASSWORD}
    assert (await platform.client.post("/auth/token", json=credentials)).status_code == 200
    refused = await put("/me/password", json={"new": "a quite new one", "present": "wrong"}, headers=person.headers)
    assert (refused.status_code, refused.json()["code"]) == (403, "password-wrong")


async def test_people_see_change_take_along_and_erase_their_data(platform: Platform) -> None:
    person = await platform.person(password=PASSWORD)
    changed = await platform.client.patch("/me", json={"family_name": "Changed"}, headers=person.headers)
    assert changed.json()["family_name"] == "Changed"
    exported = await platform.client.get("/me/export", headers=person.headers)
    assert exported.json()["person"]["mail_address"] == person.mail
    assert "password_hash" not in exported.text

    assert (await platform.client.delete("/me", headers=person.headers)).status_code == 204
    assert (await platform.client.get("/me", headers=person.headers)).status_code == 404
    refreshed = await platform.client.post("/auth/refresh", json={"refresh_token": person.refresh_token})
    assert refreshed.status_code == 401

    async def erased() -> bool:
        people = await platform.topics.read("registration.people", subject=person.id)
        accounts = await platform.topics.read("registration.accounts", subject=person.id)
        return people[-1].event is None and isinstance(accounts[-1].event, PersonErased)

    await eventually(erased, "the tombstone and the fact are published")
    # The address is free again, for another person.
    again = await platform.person(person.mail)
    assert again.id != person.id


async def test_an_operator_is_made_on_the_command_line(platform: Platform) -> None:
    me = (await platform.client.get("/me", headers=platform.operator.headers)).json()
    assert sorted(grant["role"] for grant in me["grants"]) == ["administrator", "helpdesk"]
    assert me["mail_verified_at"] is not None
