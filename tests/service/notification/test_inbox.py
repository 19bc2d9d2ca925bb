"""The inbox through its HTTP door, and the live stream."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx

from contracts import registration
from contracts.notification import DeliveryStateChanged
from shared.ids import new_id
from shared.testing import Tokens, Topics, eventually
from tests.service.notification import world
from tests.service.notification.conftest import Serve
from tests.service.notification.world import Mails


def grant(person: str) -> registration.GrantGiven:
    return registration.GrantGiven(
        grant_id=new_id("grt"),
        person_id=person,
        role="reviewer",
        scope=registration.GrantScope(kind="mission"),
        valid_from=world.NOW,
        granted_by="operator",
    )


async def filled(client: httpx.AsyncClient, headers: dict[str, str], count: int, **query: Any) -> dict[str, Any]:
    """The inbox as soon as it holds this many entries."""

    async def page() -> dict[str, Any] | None:
        answer = await client.get("/inbox", headers=headers, params={"limit": 200, **query})
        found: dict[str, Any] = answer.json()
        return found if len(found["items"]) >= count else None

    found = await eventually(page, f"{count} entries")
    assert found is not None
    assert len(found["items"]) == count
    return found


async def test_an_inbox_is_read_page_by_page_in_any_language(
    notification: httpx.AsyncClient, topics: Topics, tokens: Tokens
) -> None:
    ana, rui = new_id("prs"), new_id("prs")
    await topics.publish(world.person(ana, f"{ana}@example.com", "de"), world.person(rui, f"{rui}@example.com"))
    await topics.publish(*(grant(ana) for _ in range(5)), registration.AccountOpened(person_id=ana, origin="operator"))
    mine = tokens.bearer(ana)
    everything = await filled(notification, mine, 6)
    assert everything["unread"] == 6
    assert everything["next"] is None
    assert {item["language"] for item in everything["items"]} == {"de"}
    (welcome,) = [item for item in everything["items"] if item["template"] == "welcome"]
    assert welcome["action"] == {"label": "Sehen, wie es weitergeht", "path": "/"}

    seen, cursor = [], None
    while True:
        params = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await notification.get("/inbox", headers=mine, params=params)).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == [item["id"] for item in everything["items"]]

    wanted = mine | {"Accept-Language": "sv, pt-PT;q=0.8, en;q=0.1"}
    answer = await notification.get("/inbox", headers=wanted, params={"topic": "account", "limit": 1})
    assert answer.json()["items"][0]["language"] == "pt"
    assert answer.headers["Vary"] == "Accept-Language"

    read = await notification.post(f"/inbox/{welcome['id']}/read", headers=mine)
    assert read.status_code == 200
    assert read.json()["read_at"] is not None
    again = await notification.post(f"/inbox/{welcome['id']}/read", headers=mine)
    assert again.json()["read_at"] == read.json()["read_at"]
    assert (await filled(notification, mine, 5, unread=True))["unread"] == 5
    states = [e.event for e in await topics.read("notification.messages", subject=welcome["id"])]
    assert [s.state for s in states if isinstance(s, DeliveryStateChanged)] == ["read"]

    theirs = tokens.bearer(rui)
    assert (await notification.get("/inbox", headers=theirs)).json()["items"] == []
    assert (await notification.post(f"/inbox/{welcome['id']}/read", headers=theirs)).status_code == 404
    assert (await notification.get("/inbox")).status_code == 401
    page = (await notification.get("/inbox", headers=mine, params={"limit": 2})).json()
    for cursor, headers in ((page["next"][:-2] + "xx", mine), (page["next"], theirs)):
        stolen = await notification.get("/inbox", headers=headers, params={"cursor": cursor})
        assert (stolen.status_code, stolen.json()["code"]) == (400, "cursor-invalid")


async def test_the_helpdesk_sees_whether_a_message_arrived(
    notification: httpx.AsyncClient, topics: Topics, tokens: Tokens, mails: Mails
) -> None:
    ana, agent = new_id("prs"), new_id("prs")
    (fact,) = await topics.publish(grant(ana))
    await topics.publish(world.person(ana, f"{ana}@example.com"))
    (entry,) = (await filled(notification, tokens.bearer(ana), 1))["items"]
    await mails.one(f"{ana}@example.com")
    await world.settled(topics, entry["id"])
    helpdesk = tokens.bearer(agent, roles=["helpdesk"])
    state = (await notification.get(f"/messages/{entry['id']}", headers=helpdesk)).json()
    assert state["recipient"] == {"person_id": ana, "guest_id": None, "mailbox_of": None}
    assert state["caused_by"] == fact.attributes.id
    assert [(one["channel"], one["state"], one["attempts"]) for one in state["channels"]] == [
        ("portal", "sent", 0),
        ("mail", "sent", 1),
    ]
    assert "example.com" not in json.dumps(state)
    assert (await notification.get(f"/messages/{entry['id']}", headers=tokens.bearer(ana))).status_code == 403
    assert (await notification.get(f"/messages/{new_id('msg')}", headers=helpdesk)).status_code == 404
    assert (await notification.get("/messages/nonsense", headers=helpdesk)).status_code == 422


async def events(response: httpx.Response) -> AsyncIterator[dict[str, str]]:
    """Server-sent events as a browser takes them apart."""
    event: dict[str, str] = {}
    async for line in response.aiter_lines():
        if not line:
            if event:
                yield event
            event = {}
        elif not line.startswith(":"):
            name, _, value = line.partition(":")
            event[name] = value.strip()


async def test_new_entries_are_streamed_and_none_is_missed_between_two_streams(
    notification: httpx.AsyncClient, serve: Serve, topics: Topics, tokens: Tokens
) -> None:
    ana = new_id("prs")
    await topics.publish(world.person(ana, f"{ana}@example.com", "pt"), grant(ana))
    mine = tokens.bearer(ana)
    await filled(notification, mine, 1)
    # Which of two instances applies an event is chance: streams of either see it.
    async with serve(instance=1) as other, asyncio.timeout(30):
        async with other.stream("GET", "/stream", headers=mine) as response:
            assert response.headers["content-type"].startswith("text/event-stream")
            stream = events(response)
            first = await anext(stream)
            assert (first["event"], json.loads(first["data"])) == ("unread", {"unread": 1})
            await topics.publish(grant(ana))
            entry = await anext(stream)
            shown = json.loads(entry["data"])
            assert (entry["event"], shown["unread"], shown["language"]) == ("message", 2, "pt")
            assert shown["subject"] == "Tem uma nova função: avaliação de candidaturas"
        await topics.publish(grant(ana), grant(ana))
        await filled(notification, mine, 4)
        resumed = mine | {"Last-Event-ID": entry["id"]}
        async with notification.stream("GET", "/stream", headers=resumed) as response:
            stream = events(response)
            await anext(stream)
            missed = [await anext(stream), await anext(stream)]
            assert [int(one["id"]) for one in missed] == [int(entry["id"]) + 1, int(entry["id"]) + 2]
            await topics.publish(grant(ana))
            assert int((await anext(stream))["id"]) == int(entry["id"]) + 3
    assert (await notification.get("/stream")).status_code == 401
    assert (await notification.get("/stream", headers=mine | {"Last-Event-ID": "x"})).status_code == 422


async def test_a_merged_person_has_one_inbox(
    notification: httpx.AsyncClient, topics: Topics, tokens: Tokens, mails: Mails
) -> None:
    old, new, newest = new_id("prs"), new_id("prs"), new_id("prs")
    await topics.publish(*(world.person(who, f"{who}@example.com") for who in (old, new, newest)))
    await topics.publish(grant(old), grant(new))
    for who in (old, new):
        await filled(notification, tokens.bearer(who), 1)
        await mails.one(f"{who}@example.com")
    # In the wrong order: the second merge is known first.
    await topics.publish(registration.PersonMerged(person_id=new, into_person_id=newest))
    await topics.publish(registration.PersonMerged(person_id=old, into_person_id=new))
    await filled(notification, tokens.bearer(newest), 2)
    await topics.publish(grant(old))
    await filled(notification, tokens.bearer(newest), 3)
    await mails.one(f"{newest}@example.com")
    await mails.one(f"{old}@example.com")


async def test_members_of_merged_cities_are_told_together(
    notification: httpx.AsyncClient, topics: Topics, tokens: Tokens
) -> None:
    old, town, ana, rui = new_id("city"), new_id("city"), new_id("prs"), new_id("prs")
    await topics.publish(
        world.city(old, "Old Town"),
        world.city(town, "Town"),
        *(world.person(who, f"{who}@example.com") for who in (ana, rui)),
        world.approved(old, ana),
        world.approved(town, rui),
    )
    await filled(notification, tokens.bearer(ana), 1)
    await filled(notification, tokens.bearer(rui), 1)
    await topics.publish(registration.CityMerged(city_id=old, into_city_id=town))
    step = registration.OnboardingStep.EXPLORATION
    await topics.publish(registration.OnboardingStepCompleted(city_id=town, step=step, ground="booking-confirmed"))
    for who in (ana, rui):
        newest = (await filled(notification, tokens.bearer(who), 2))["items"][0]
        assert newest["subject"] == "Town has completed a step: Exploration"
