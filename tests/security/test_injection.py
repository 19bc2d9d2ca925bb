"""Text stays text: in mails' headers, in logs, on operators' terminals, in the headers of answers and events."""

import json
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import Message
from email.utils import parseaddr
from typing import Any, Final

import pytest

from contracts.envelope import Attributes
from contracts.registration import AccountOpened, CityMerged, PersonRecorded, PersonState
from contracts.registry import SERVICES
from shared.ids import new_id
from shared.testing import eventually
from tests.e2e.running import Platform
from tests.security.asking.cities import authority
from tests.security.matrix import ANONYMOUS
from tests.security.world import World

pytestmark = pytest.mark.asyncio(loop_scope="package")

MARK: Final = "x-injected"
EVIL: Final = f'Town\r\nBcc: victim@people.example\r\n{MARK}: 1\r\n\r\nHello\n{{"event": "forged"}}\x1b[2J\x07'
"""A name as somebody would write it to add headers, a body, lines of a log, and commands for a terminal."""

OF_OUR_MAILS: Final = {
    *("from", "to", "subject", "date", "message-id", "auto-submitted", "mime-version", "content-type"),
    *("content-language", "content-transfer-encoding", "x-rcptto", "x-mailfrom", "x-peer"),
}
"""The headers that our mails have, and the development mail server's own."""


def raw_mails(platform: Platform, address: str) -> list[Message]:
    """Everything that was delivered to an address, as it was delivered."""
    mails = [message_from_bytes(file.read_bytes()) for file in (platform.home / "mail").glob("new/*")]
    return [mail for mail in mails if address in str(mail.get("X-RcptTo", "")).lower()]


async def delivered(platform: Platform, address: str) -> Message:
    """The mail to this address, with no header but ours."""

    async def there() -> list[Message]:
        return raw_mails(platform, address)

    mail = (await eventually(there, f"a mail reaches {address}"))[0]
    names = [name.lower() for name, _ in mail.items()]
    assert set(names) <= OF_OUR_MAILS
    assert len(names) == len(set(names)), names
    assert mail["X-RcptTo"].lower() == address
    assert parseaddr(mail["To"])[1] == address
    return mail


async def test_names_become_no_headers_of_mails(platform: Platform, world: World) -> None:
    address = f"{new_id('new')}@people.example"
    body = {"mail_address": address, "given_name": EVIL, "family_name": f"a\r\n {MARK}: 1"}
    answer = await world.http.post(world.url("/auth/sign-up", direct=False), json=body)
    assert answer.status_code == 202
    await delivered(platform, address)


async def test_a_citys_name_becomes_no_header_of_an_invitation(platform: Platform, world: World) -> None:
    where = world.sides["own"]
    city = await world.city(where)
    renamed = await authority(world, where.country) | {"name": EVIL}
    url = world.url(f"/cities/{city}", direct=False)
    changed = await world.http.put(f"{url}/authority", json=renamed, headers=where.member.headers)
    assert changed.status_code == 200
    address = f"{new_id('new')}@people.example"
    body = {"mail_address": address, "role": "colleague"}
    invited = await world.http.post(f"{url}/invitations", json=body, headers=where.member.headers)
    assert invited.status_code == 201
    await delivered(platform, address)


@pytest.mark.parametrize(
    "address",
    ["a@b.example\r\nBcc: victim@people.example", "a@b.example\nBcc: v@b.example", "a\r\n@b.example", "a\0@b.example"],
)
async def test_an_address_with_line_breaks_is_none(world: World, address: str) -> None:
    for path, more in (
        ("/auth/sign-up", {"given_name": "Some", "family_name": "Body"}),
        ("/auth/links", {}),
        ("/auth/token", {"password": "a password of the matrix"}),
    ):
        answer = await world.http.post(world.url(path, direct=False), json={"mail_address": address} | more)
        assert answer.status_code == 422, path


async def test_attributes_and_data_of_events_become_no_headers(world: World) -> None:
    person = new_id("prs")
    recorded = PersonRecorded(
        person_id=person,
        state=PersonState.REGISTERED,
        mail_address=f"{person}@people.example",
        given_name=EVIL,
        family_name="Body",
        locale="en",
        time_zone="Europe/Lisbon",
    )
    evil: dict[str, Any] = dict.fromkeys(("actor", "correlationid", "causationid", "traceparent", "city"), EVIL)
    await world.topics.publish(recorded, **evil)
    await world.topics.publish(AccountOpened(person_id=person, origin="self-registered"), **evil)

    async def told() -> list[Any]:
        found = await world.topics.read("notification.messages")
        return [each for each in found if person in str(each.event)]

    message = (await eventually(told, "the reader was told"))[0]
    assert "\n" not in message.attributes.id + message.attributes.source + message.attributes.type
    url = world.url(f"/messages/{message.attributes.subject}", direct=False)
    answer = await world.http.get(url, headers=world.callers["helpdesk"].headers)
    assert answer.status_code == 200
    assert MARK not in answer.headers


async def test_what_a_request_says_becomes_no_header_of_the_answer(world: World) -> None:
    hostile = {"X-Request-ID": f"a{MARK}:", "traceparent": "é", "Accept-Language": f"{MARK}: 1", "Origin": "null"}
    headers = [(name.encode(), value.encode()) for name, value in hostile.items()]
    for path in ("/calls", f"/events/%0d%0a{MARK}:1", f"/links/%0d%0a{MARK}:1", f"/nowhere%0d%0a{MARK}:%201"):
        for direct in (False, True):
            answer = await world.http.get(world.url(path, direct=direct), headers=headers)
            assert MARK not in {name.lower() for name in answer.headers}, path
            assert MARK not in answer.headers.get("x-request-id", "")


async def test_no_text_forges_a_line_of_a_log(platform: Platform, world: World) -> None:
    subject = new_id("test")
    attributes = Attributes(new_id("evt"), EVIL, CityMerged.type, subject, datetime.now(UTC), 1, actor=EVIL)
    # A dead letter's log line tells of the aggregate, which is the key, and of what was wrong with the data.
    key = f"{subject}{EVIL}"
    await world.send("registration.cities", key, json.dumps({"city_id": EVIL}).encode(), attributes.headers())
    operator = world.callers["operator"]

    async def kept() -> list[dict[str, Any]]:
        found = (await world.do(operator, "GET /catalogue/dead-letters?limit=200"))["items"]
        return [letter for letter in found if subject in letter["aggregate"]]

    letter = (await eventually(kept, "the record is a dead letter"))[0]
    for caller in (world.callers[ANONYMOUS], operator):
        for path in (f"/events/{'%0a'.join('ab')}%1b[2J", "/catalogue/entries/%0a%7b%22event%22:%22forged%22%7d"):
            await world.http.get(world.url(path, direct=False), headers=caller.headers)

    for service in SERVICES:
        for line in (platform.home / "logs" / f"{service}-0.log").read_bytes().split(b"\n"):
            if line:
                entry = json.loads(line)
                assert "timestamp" in entry, entry
                assert entry["event"] != "forged"
                assert not [byte for byte in line if byte < 0x20], line

    shown = [platform.run("logs", "catalogue", wide=True), platform.run("dead-letters", "show", letter["id"])]
    shown.append(platform.run("dead-letters", "list", "--service", "catalogue", wide=True))
    for output in shown:
        assert not [character for character in output if character < " " and character not in "\n\t"]
    assert any(subject in output for output in shown)
    assert not [line for line in shown[0].splitlines() if line.startswith('{"event": "forged"}')]
