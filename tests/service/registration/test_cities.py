"""Cities and those who speak for them, as people meet them. Places differ from test to test: each has one authority."""

import asyncio

import pytest

from contracts.registration import (
    CityMerged,
    CityPublished,
    CityRegistered,
    MailboxRecorded,
    MembershipApproved,
    MembershipEnded,
    MembershipInvited,
    MembershipRequested,
    OnboardingStepCompleted,
)
from shared.testing import eventually
from tests.service.registration.conftest import Person, Platform, address

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def next_code(platform: Platform, person: Person) -> str:
    """What the platform says that somebody does next."""
    answer = await platform.client.get("/me/next-step", headers=person.headers)
    return str(answer.json()["next"]["code"])


async def test_places_are_found_however_they_are_written(directory: Platform) -> None:
    async def first(text: str, country: str | None = None) -> str:
        found = await directory.client.get("/places", params={"q": text} | ({"country": country} if country else {}))
        return str(found.json()["items"][0]["name"])

    assert {await first(text) for text in ("Łódź", "lodz", "LÓDZ", "lodz'")} == {"Łódź"}
    assert {await first(text) for text in ("München", "Muenchen", "Munich", "munche", "Мюнхен")} == {"Munich"}
    assert await first("famalicao", "PT") == "Vila Nova de Famalicão"
    assert await first("vila nova de famal") == "Vila Nova de Famalicão"
    assert await first("compostela") == "Santiago de Compostela"
    assert await first("Malmo") == "Malmö"
    largest = (await directory.client.get("/places", params={"q": "Li", "country": "PT"})).json()["items"]
    assert largest[0]["name"] == "Lisbon"
    assert (await directory.client.get("/places", params={"q": "--"})).json()["items"] == []


async def test_nothing_of_a_city_is_visible_until_somebody_is_approved(directory: Platform) -> None:
    platform = directory
    person, stranger = await platform.person(), await platform.person()
    assert await next_code(platform, person) == "book-orientation"
    place = await platform.place("Vila Nova de Famalicão")
    declared = await platform.declare(person, place, name="Município de Famalicão")
    assert declared.status_code == 201, declared.text
    city, membership = declared.json()["city"]["id"], declared.json()["membership"]["id"]
    assert declared.json()["city"]["authority"]["time_zone"] == "Europe/Lisbon"

    async def seen_by(headers: dict[str, str]) -> int:
        return (await platform.client.get(f"/cities/{city}", headers=headers)).status_code

    async def listed() -> list[str]:
        found = await platform.client.get("/cities", params={"q": "famalicao", "country": "PT"})
        return [each["id"] for each in found.json()["items"]]

    assert [await seen_by({}), await seen_by(stranger.headers), await seen_by(person.headers)] == [404, 404, 200]
    assert await listed() == []
    queue = await platform.client.get("/memberships", params={"country": "PT"}, headers=platform.operator.headers)
    assert membership in [each["membership"]["id"] for each in queue.json()["items"]]
    assert (await platform.client.get("/memberships", headers=person.headers)).status_code == 403

    assert (await platform.approve(membership)).status_code == 200
    assert [await seen_by({}), await listed()] == [200, [city]]
    # The next token says that the person speaks for the city.
    refreshed = await platform.client.post("/auth/refresh", json={"refresh_token": person.refresh_token})
    me = await platform.client.get("/me", headers={"Authorization": f"Bearer {refreshed.json()['access_token']}"})
    assert [(m["city_name"], m["state"]) for m in me.json()["memberships"]] == [("Município de Famalicão", "approved")]

    async def story() -> bool:
        facts = [type(each.event) for each in await platform.topics.read("registration.cities", subject=city)]
        ties = [type(each.event) for each in await platform.topics.read("registration.memberships", subject=membership)]
        return facts == [CityRegistered, CityPublished, OnboardingStepCompleted] and ties == [
            MembershipRequested,
            MembershipApproved,
        ]

    await eventually(story, "the topics tell the whole story in order")


async def test_a_place_is_declared_once_and_the_second_learns_how_to_join(directory: Platform) -> None:
    platform = directory
    place = await platform.place("Vila Real", "PT")
    people = [await platform.person() for _ in range(4)]
    answers = await asyncio.gather(*(platform.declare(person, place) for person in people))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    winner = next(answer.json() for answer in answers if answer.status_code == 201)
    late = await platform.declare(people[0] if answers[0].status_code == 409 else people[1], place)
    problem = late.json()
    assert problem["code"] == "city-declared-already"
    city = winner["city"]["id"]
    assert problem["params"] == {"city_id": city, "request_membership": f"/cities/{city}/memberships"}

    newcomer = await platform.person()
    asked = await platform.client.post(problem["params"]["request_membership"], json={}, headers=newcomer.headers)
    assert (asked.status_code, asked.json()["state"]) == (201, "requested")
    # Asking opens no view of a city that is not public.
    assert (await platform.client.get(f"/cities/{city}", headers=newcomer.headers)).status_code == 404
    # A metropolitan area of the same place is another authority.
    assert (await platform.declare(newcomer, place, kind="metropolitan-area")).status_code == 201


async def test_a_colleague_is_invited_accepts_and_leaves(directory: Platform) -> None:
    platform = directory
    person, city = await platform.member(await platform.place("Aveiro", "PT"), name="Câmara de Aveiro")
    mail = address()
    invitation = {"mail_address": mail, "locale": "de"}
    stranger = await platform.person()
    refused = await platform.client.post(f"/cities/{city}/invitations", json=invitation, headers=stranger.headers)
    assert refused.status_code == 403
    invited = await platform.client.post(f"/cities/{city}/invitations", json=invitation, headers=person.headers)
    assert (invited.status_code, invited.json()["state"]) == (201, "invited")

    link = await platform.mailboxes.latest(mail, "accept-invitation")
    page = await platform.client.get(link, headers={"Accept": "text/html"})
    assert "Câmara de Aveiro" in page.text
    assert [choice["name"] for choice in (await platform.client.get(link)).json()["choices"]] == ["accept", "decline"]
    assert (await platform.client.post(link)).status_code == 422
    assert (await platform.client.post(link, params={"choice": "accept"})).json()["result"]["state"] == "approved"

    colleague = await platform.sign_in(mail)
    seen = (await platform.client.get(f"/cities/{city}/members", headers=colleague.headers)).json()
    assert [each["membership"]["state"] for each in seen] == ["approved", "approved"]
    membership = invited.json()["id"]
    assert (await platform.client.delete(f"/me/memberships/{membership}", headers=person.headers)).status_code == 404
    left = await platform.client.delete(f"/me/memberships/{membership}", headers=colleague.headers)
    assert left.status_code == 204
    assert (await platform.client.get(f"/cities/{city}/members", headers=colleague.headers)).status_code == 403

    async def told() -> bool:
        facts = await platform.topics.read("registration.memberships", subject=membership)
        return [type(fact.event) for fact in facts] == [MembershipInvited, MembershipApproved, MembershipEnded]

    await eventually(told, "the membership's story is published")


async def test_the_helpdesk_refuses_suspends_and_approves_again(directory: Platform) -> None:
    platform = directory
    person, city = await platform.member(await platform.place("Évora"))
    second = await platform.person()
    asked = (await platform.client.post(f"/cities/{city}/memberships", json={}, headers=second.headers)).json()
    reason = {"reason": {"code": "no-evidence"}}
    headers = platform.operator.headers
    path = f"/memberships/{asked['id']}"
    assert (await platform.client.post(f"{path}/refusal", json=reason, headers=second.headers)).status_code == 403
    assert (await platform.client.post(f"{path}/refusal", json=reason, headers=headers)).json()["state"] == "refused"
    assert (await platform.approve(asked["id"])).status_code == 409

    mine = (await platform.client.get("/me", headers=person.headers)).json()["memberships"][0]["id"]
    profile = {"domains": ["mobility"], "languages": ["pt", "en"]}

    async def change() -> int:
        answer = await platform.client.put(f"/cities/{city}/profile", json=profile, headers=person.headers)
        return answer.status_code

    assert await change() == 200
    suspended = await platform.client.post(f"/memberships/{mine}/suspension", json=reason, headers=headers)
    assert suspended.json()["state"] == "suspended"
    assert await change() == 403
    assert (await platform.approve(mine)).status_code == 200
    assert await change() == 200
    found = await platform.client.get("/cities", params={"theme": "mobility", "country": "PT", "q": "illustrative"})
    assert city in [each["id"] for each in found.json()["items"]]


async def test_official_cities_are_public_at_once_and_found_by_status(directory: Platform) -> None:
    platform = directory
    status = {"kind": "mission-city", "valid_from": "2022-04-28", "source": "List of 112 cities"}
    made = []
    for name in ("Guimarães", "Kraków", "Cluj-Napoca"):
        body = {
            "authority": {"name": name, "kind": "municipality", "places": [await platform.place(name)]},
            "origin": "official-list",
            "statuses": [status],
        }
        answer = await platform.client.post("/helpdesk/cities", json=body, headers=platform.operator.headers)
        assert answer.status_code == 201, answer.text
        made.append(answer.json()["id"])

    names: list[str] = []
    query: dict[str, str | int] = {"status": "mission-city", "limit": 2}
    while True:
        page = (await platform.client.get("/cities", params=query)).json()
        names += [each["authority"]["name"] for each in page["items"]]
        if page["next"] is None:
            break
        query["cursor"] = page["next"]
    assert names == ["Cluj-Napoca", "Guimarães", "Kraków"]
    forged = await platform.client.get("/cities", params={"cursor": query["cursor"], "status": "pilot"})
    assert (forged.status_code, forged.json()["code"]) == (400, "cursor-invalid")

    # The helpdesk invites the first who speaks for it.
    mail = address()
    path = f"/cities/{made[0]}/invitations"
    await platform.client.post(path, json={"mail_address": mail}, headers=platform.operator.headers)
    link = await platform.mailboxes.latest(mail, "accept-invitation")
    assert (await platform.client.post(link, params={"choice": "accept"})).status_code == 200


async def test_a_city_changes_its_commitment_and_mailbox(directory: Platform) -> None:
    platform = directory
    person, city = await platform.member(await platform.place("Setúbal"))
    commitment = {"neutral_by": 2040, "committed_on": "2024-05-01", "evidence": "https://example.org/minutes/12"}
    put = platform.client.put
    changed = await put(f"/cities/{city}/commitment", json=commitment, headers=person.headers)
    assert changed.json()["commitment"]["neutral_by"] == 2040
    late = commitment | {"committed_on": "2999-01-01"}
    assert (await put(f"/cities/{city}/commitment", json=late, headers=person.headers)).status_code == 422

    mail = address()
    await put(f"/cities/{city}/mailbox", json={"mail_address": mail}, headers=person.headers)
    link = await platform.mailboxes.latest(mail, "verify-mailbox")
    assert (await platform.client.post(link)).status_code == 200
    inside = (await platform.client.get(f"/cities/{city}", headers=person.headers)).json()
    assert inside["mailbox"]["verified_at"] is not None
    assert (await platform.client.get(f"/cities/{city}")).json()["mailbox"] is None
    await platform.client.delete(f"/cities/{city}/mailbox", headers=person.headers)

    async def removed() -> bool:
        facts = await platform.topics.read("registration.people", subject=city)
        return isinstance(facts[0].event, MailboxRecorded) and facts[-1].event is None

    await eventually(removed, "the tombstone of the mailbox is published")


async def test_two_declarations_of_one_city_are_merged(directory: Platform) -> None:
    platform = directory
    first, old = await platform.member(await platform.place("Figueira da Foz"), name="Figueira")
    second, new = await platform.member(await platform.place("Leiria"), name="Leiria")
    headers = platform.operator.headers
    assert (
        await platform.client.post(f"/helpdesk/cities/{old}/merge", json={"into": new}, headers=first.headers)
    ).status_code == 403
    merged = await platform.client.post(f"/helpdesk/cities/{old}/merge", json={"into": new}, headers=headers)
    assert merged.status_code == 200, merged.text
    assert (await platform.client.get(f"/cities/{old}")).json()["id"] == new
    members = (await platform.client.get(f"/cities/{new}/members", headers=first.headers)).json()
    assert {each["membership"]["person_id"] for each in members} == {first.id, second.id}
    again = await platform.client.post(f"/helpdesk/cities/{old}/merge", json={"into": new}, headers=headers)
    assert again.status_code == 409
    # Its place is taken by the city that stays.
    assert (await platform.declare(second, await platform.place("Figueira da Foz"))).status_code == 409

    async def told() -> bool:
        facts = await platform.topics.read("registration.cities", subject=old)
        return isinstance(facts[-1].event, CityMerged)

    await eventually(told, "the merge is published")


async def test_countries_and_kinds_that_cannot_be_are_refused(directory: Platform) -> None:
    platform = directory
    person = await platform.person()
    lisbon, madrid = await platform.place("Lisbon"), await platform.place("Madrid", "ES")
    body = {"authority": {"name": "Both", "kind": "association", "places": [lisbon, madrid]}}
    answer = await platform.client.post("/cities", json=body, headers=person.headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "places-in-several-countries")
    unknown = await platform.declare(person, "999999999999")
    assert (unknown.status_code, unknown.json()["code"]) == (422, "place-unknown")
    countries = (await platform.client.get("/countries")).json()["items"]
    statuses = {each["country"]: each["status"] for each in countries}
    assert (statuses["PT"], statuses["GB"]) == ("eu", "associated")
    assert [list(statuses.values()).count(status) for status in ("eu", "associated")] == [27, 21]
