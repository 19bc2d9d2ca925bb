"""Mail while something goes wrong: nothing is lost, nothing is sent twice, nobody who is erased is written to."""

import asyncio
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx
from bson import encode

from contracts import registration
from contracts.notification import Channel, DeliveryState, DeliveryStateChanged, MessageCreated
from infra.local.ports import bindable
from infra.local.stack import LocalStack
from services.notification.main import create_app
from services.notification.settings import NotificationSettings
from shared.ids import new_id
from shared.outbox import Tombstone
from shared.service import Service
from shared.testing import Tokens, Topics, eventually, serving
from tests.service.conftest import SettingsFor
from tests.service.notification import world
from tests.service.notification.conftest import Serve
from tests.service.notification.test_inbox import filled, grant
from tests.service.notification.world import Mails, OwnServer

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def free_port() -> int:
    return next(port for port in range(20500, 21500) if bindable(port))


async def outcomes(topics: Topics, *people: str) -> dict[str, list[tuple[str, str | None]]]:
    """What became of the mails to these people, as the topic tells it."""
    found = await topics.read("notification.messages")
    reader = {e.event.message_id: e.event.recipient.person_id for e in found if isinstance(e.event, MessageCreated)}
    ends: dict[str, list[tuple[str, str | None]]] = {person: [] for person in people}
    for envelope in found:
        event = envelope.event
        if isinstance(event, DeliveryStateChanged) and event.channel is Channel.MAIL:
            person = reader.get(event.message_id)
            if person in ends:
                ends[person].append((event.state, event.reason))
    return ends


async def test_mail_waits_while_the_server_is_away_and_goes_out_once(
    serve: Serve, topics: Topics, tokens: Tokens
) -> None:
    port, server = free_port(), OwnServer()
    people = [new_id("prs") for _ in range(30)]
    async with serve(smtp_port=port) as client:
        await topics.publish(*(world.person(who, f"{who}@example.com") for who in people))
        await topics.publish(*(grant(who) for who in people))
        await filled(client, tokens.bearer(people[-1]), 1)
        with server.listening(port):
            await eventually(lambda: _all(server, people), "everything has gone out")
        # Away again, in the middle of the day.
        await topics.publish(*(grant(who) for who in people))
        await filled(client, tokens.bearer(people[-1]), 2)
        with server.listening(port):
            await eventually(lambda: _all(server, people, 2), "and so has the rest")

        async def noted() -> bool:
            states = await outcomes(topics, *people)
            return all(state == [("sent", None)] * 2 for state in states.values())

        await eventually(noted, "each mail is told to have been sent")
    for who in people:
        assert len(server.to(f"{who}@example.com")) == 2, "once each"
    assert server.connections < 12, "a burst shares a connection"


async def _all(server: OwnServer, people: list[str], count: int = 1) -> bool:
    return all(len(server.to(f"{who}@example.com")) >= count for who in people)


async def test_a_mailbox_that_does_not_exist_is_noted_and_one_that_is_full_tried_again(
    serve: Serve, topics: Topics, tokens: Tokens
) -> None:
    port, server = free_port(), OwnServer()
    gone, later, fine = new_id("prs"), new_id("prs"), new_id("prs")
    server.answers = {
        f"{gone}@example.com": "550 5.1.1 No such user here",
        f"{later}@example.com": "452 4.2.2 Mailbox full",
    }
    with server.listening(port):
        async with serve(smtp_port=port) as client:
            await topics.publish(*(world.person(who, f"{who}@example.com") for who in (gone, later, fine)))
            await topics.publish(*(grant(who) for who in (gone, later, fine)))
            helpdesk = tokens.bearer(new_id("prs"), roles=["helpdesk"])

            async def mail_of(person: str, state: str, attempts: int) -> dict[str, Any] | None:
                (entry,) = (await filled(client, tokens.bearer(person), 1))["items"]
                answer = (await client.get(f"/messages/{entry['id']}", headers=helpdesk)).json()
                found: dict[str, Any] = answer["channels"][1]
                return found if (found["state"], found["attempts"]) == (state, attempts) else None

            await eventually(lambda: mail_of(fine, "sent", 1), "the one that can is sent")
            bounced = await eventually(lambda: mail_of(gone, "bounced", 1), "the refused one is noted")
            waiting = await eventually(lambda: mail_of(later, "queued", 1), "the one put off waits")
            assert bounced is not None
            assert bounced["reason"] == "no-such-user"
            assert waiting is not None
            assert waiting["reason"] == "mailbox-full"
            assert waiting["next_attempt_at"] is not None

            async def told() -> bool:
                ends = await outcomes(topics, gone, later, fine)
                return ends == {gone: [("bounced", "no-such-user")], later: [], fine: [("sent", None)]}

            await eventually(told, "what became of the mails is told, and nothing of the one that waits")


async def test_facts_that_come_again_and_instances_that_share_the_work_double_nothing(
    serve: Serve, topics: Topics, tokens: Tokens, mails: Mails
) -> None:
    people = [new_id("prs") for _ in range(40)]
    facts = [grant(who) for who in people]
    async with serve() as client, serve(instance=1):
        await topics.publish(*(world.person(who, f"{who}@example.com") for who in people))
        await topics.publish(*facts, version=1)
        await topics.publish(*facts, version=1)
        for who in people:
            await filled(client, tokens.bearer(who), 1)
            await mails.one(f"{who}@example.com")
    async with serve() as client:
        await topics.publish(*facts, version=1)
        last = new_id("prs")
        await topics.publish(world.person(last, f"{last}@example.com"), grant(last))
        await mails.one(f"{last}@example.com")
    for who in people:
        await mails.one(f"{who}@example.com")
    assert all(state == [("sent", None)] for state in (await outcomes(topics, *people)).values())


async def test_what_a_killed_sender_had_in_hand_goes_out_and_what_it_had_sent_does_not_again(
    settings_for: SettingsFor, serve: Serve, topics: Topics, tokens: Tokens, mails: Mails
) -> None:
    sent, claimed = new_id("prs"), new_id("prs")
    port = free_port()
    async with serve(smtp_port=port) as client:
        await topics.publish(*(world.person(who, f"{who}@example.com") for who in (sent, claimed)))
        await topics.publish(grant(sent), grant(claimed))
        await filled(client, tokens.bearer(sent), 1)
        await filled(client, tokens.bearer(claimed), 1)
    settings = settings_for("notification", 0, NotificationSettings)
    assert isinstance(settings, NotificationSettings)
    app = create_app(settings)
    service: Service = app.state.service
    # As a sender leaves them that was killed: one answered by the server and noted, one only claimed.
    queue = service.store.db["mails"]
    claim = {"claim": "notification-0/clm_1"}
    for who, outcome in ((sent, DeliveryState.SENT.value), (claimed, None)):
        left = [{"$set": claim | {"outcome": outcome, "claimed_until": {"$add": ["$$NOW", 3_600_000]}}}]
        assert (await queue.update_one({"reader": who}, left)).matched_count == 1
    async with serving(app):
        await mails.one(f"{claimed}@example.com")
        await eventually(lambda: _noted(topics, sent, claimed), "both are told to have been sent")
    assert mails.all(f"{sent}@example.com") == []


async def _noted(topics: Topics, *people: str) -> bool:
    return all(state == [("sent", None)] for state in (await outcomes(topics, *people)).values())


async def test_who_is_erased_is_written_to_no_more_and_leaves_no_trace(
    serve: Serve, topics: Topics, tokens: Tokens, stack: LocalStack, settings_for: SettingsFor
) -> None:
    port, server = free_port(), OwnServer()
    gone, stays, address = new_id("prs"), new_id("prs"), f"gone-{new_id('x')}@example.com"
    link = registration.LinkIssued(
        link_id=new_id("lnk"),
        purpose="sign-in",
        person_id=gone,
        token="t" * 40,
        path="/links/secret-path-of-the-erased",
        expires_at=world.NOW.replace(year=2040),
    )
    settings = settings_for("notification", 0, NotificationSettings, smtp_port=port)
    assert isinstance(settings, NotificationSettings)
    app = create_app(settings)
    async with serving(app) as client:
        await topics.publish(world.person(gone, address, given_name="Zacharias"), world.person(stays, f"{stays}@x.org"))
        await topics.publish(grant(gone), link, grant(stays))
        await filled(client, tokens.bearer(gone), 1)
        await filled(client, tokens.bearer(stays), 1)
        await topics.publish(Tombstone(registration.PersonRecorded), subject=gone)
        await topics.publish(registration.PersonErased(person_id=gone))

        async def emptied() -> bool:
            return not (await client.get("/inbox", headers=tokens.bearer(gone))).json()["items"]

        await eventually(emptied, "the inbox is gone")
        # A fact about somebody who is erased waits for nobody, and what is recorded late is not kept.
        await topics.publish(grant(gone), world.person(gone, address))
        await topics.publish(grant(stays))
        await filled(client, tokens.bearer(stays), 2)
        with server.listening(port):
            await eventually(lambda: _all(server, []), "the server is back")
            await eventually(lambda: _has(server, f"{stays}@x.org", 2), "the others get their mail")
        service: Service = app.state.service
        for name in await service.store.db.list_collection_names():
            async for row in service.store.db[name].find({}):
                raw = encode(row)
                for secret in (address, "Zacharias", "secret-path-of-the-erased"):
                    assert secret.encode() not in raw, f"{secret} in {name}"
        assert await service.store.db["parked"].count_documents({"waiting_for": gone}) == 0
    assert server.to(address) == []


async def _has(server: OwnServer, address: str, count: int) -> bool:
    return len(server.to(address)) == count


async def test_an_expired_link_is_not_mailed(serve: Serve, topics: Topics) -> None:
    port, server = free_port(), OwnServer()
    ana = new_id("prs")
    link = registration.LinkIssued(
        link_id=new_id("lnk"),
        purpose="sign-in",
        person_id=ana,
        token="t" * 40,
        path="/links/too-late",
        expires_at=world.NOW,
    )
    with server.listening(port):
        async with serve(smtp_port=port):
            await topics.publish(world.person(ana, f"{ana}@example.com"), link)

            async def suppressed() -> bool:
                return (await outcomes(topics, ana))[ana] == [("suppressed", "expired")]

            await eventually(suppressed, "it is told that it was not sent")
    assert server.to(f"{ana}@example.com") == []


@asynccontextmanager
async def process(stack: LocalStack, port: int) -> AsyncIterator[tuple[Process, httpx.AsyncClient]]:
    """The service as a process of its own, and a client of it."""
    running = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "uvicorn", "services.notification.main:create_app", "--factory", "--host", "127.0.0.1"),
        *("--port", str(port), "--timeout-graceful-shutdown", "60"),
        env=stack.settings_for("notification"),
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:

            async def ready() -> bool:
                with suppress(httpx.TransportError):
                    return (await client.get("/health/ready")).status_code == 200
                return False

            await eventually(ready, "the process is ready", 60)
            yield running, client
    finally:
        if running.returncode is None:
            running.kill()
            await running.wait()


async def test_one_trace_reaches_from_the_first_request_to_the_mail(
    stack: LocalStack, topics: Topics, tokens: Tokens, mails: Mails
) -> None:
    ana, file = new_id("prs"), stack.home / "traces" / "notification-0.jsonl"
    async with process(stack, free_port()):
        await topics.publish(world.person(ana, f"{ana}@example.com"))
        await topics.publish(grant(ana), traceparent=f"00-{TRACE}-00f067aa0ba902b7-01")
        mail = await mails.one(f"{ana}@example.com")

        async def sent() -> list[dict[str, Any]]:
            return [span for span in world.spans(file, TRACE) if span["name"] == "mail send"]

        (span,) = await eventually(sent, "the mail's span is written")
    names = {one["span_id"]: one["name"] for one in world.spans(file, TRACE)}
    assert names[span["parent_id"]] == "eu.mission.registration.grant.given.v1 process"
    assert TRACE not in mail.as_string()
    traces = [e.attributes.traceparent or "" for e in await topics.read("notification.messages")]
    assert any(TRACE in one for one in traces), "the message's own events go on with it"


async def test_open_streams_do_not_hold_up_the_end_of_a_process(
    stack: LocalStack, topics: Topics, tokens: Tokens
) -> None:
    async with process(stack, free_port()) as (running, client):
        async with client.stream("GET", "/stream", headers=tokens.bearer(new_id("prs"))) as response:
            lines = response.aiter_lines()
            await anext(lines)
            running.send_signal(signal.SIGTERM)
            rest = [line async for line in lines]
            assert not any(line.startswith("event: message") for line in rest), "the stream has ended cleanly"
        async with asyncio.timeout(30):
            assert await running.wait() in {0, -signal.SIGTERM}
