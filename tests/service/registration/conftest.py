"""Registration on the real broker and store, and the hands of its users: their mail, their sessions."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, TopicPartition

from contracts.envelope import Attributes, decode
from contracts.registration import LinkIssued, MailboxRecorded, PersonRecorded
from contracts.registry import topic
from infra.local.stack import LocalStack
from services.registration import bootstrap
from services.registration.main import create_app
from services.registration.settings import RegistrationSettings
from shared.testing import Topics, eventually, serving

PASSWORD = "correct horse battery staple"
TOWN = 5000
"""Inhabitants of the smallest place that tests look for; the directory of all places takes a minute to load."""


def settings(stack: LocalStack, instance: int = 0, **changes: Any) -> RegistrationSettings:
    """What a process of registration gets from the stack."""
    environment = stack.settings_for("registration", instance)
    values = {name.removeprefix("MISSION_").lower(): value for name, value in environment.items()}
    values.pop("traces_file", None)
    return RegistrationSettings(_secrets_dir=values.pop("secrets_dir"), **({"smallest_place": TOWN} | values | changes))


class Mailboxes:
    """Everybody's mail: which links were sent to which address, as notification would read them."""

    def __init__(self, options: dict[str, Any]) -> None:
        self._options = options
        self._links: list[LinkIssued] = []
        self._addresses: dict[str, str] = {}
        self.people: dict[str, PersonRecorded] = {}
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._consumer = AIOKafkaConsumer(**self._options, auto_offset_reset="earliest", enable_auto_commit=False)
        await self._consumer.start()
        topics = [topic("registration.links"), topic("registration.people")]
        partitions = [TopicPartition(each.name, number) for each in topics for number in range(each.partitions)]
        self._consumer.assign(partitions)
        await self._consumer.seek_to_beginning(*partitions)
        self._task = asyncio.create_task(self._read())

    async def stop(self) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._consumer.stop()

    async def _read(self) -> None:
        async for record in self._consumer:
            if record.value is None:
                continue
            event = decode(Attributes.from_headers(record.headers).type, record.value)
            if isinstance(event, LinkIssued):
                self._links.append(event)
            elif isinstance(event, (PersonRecorded, MailboxRecorded)):
                self._addresses[event.aggregate_id] = event.mail_address
                if isinstance(event, PersonRecorded):
                    self.people[event.mail_address] = event

    def to(self, address: str, purpose: str) -> list[LinkIssued]:
        """The links that arrived at an address, the oldest first."""
        return [
            link
            for link in self._links
            if link.purpose == purpose and self._addresses.get(link.person_id or link.city_id or "") == address
        ]

    async def latest(self, address: str, purpose: str, *, after: int = 0) -> str:
        """Waits for a link to arrive (more than ``after`` of them) and gives its path."""

        async def arrived() -> list[LinkIssued] | None:
            found = self.to(address, purpose)
            return found if len(found) > after else None

        return (await eventually(arrived, f"a {purpose} link for {address}"))[-1].path


@dataclass
class Person:
    """Somebody who is signed in."""

    id: str
    mail: str
    headers: dict[str, str]
    refresh_token: str


@dataclass
class Platform:
    """Registration, served."""

    client: httpx.AsyncClient
    mailboxes: Mailboxes
    topics: Topics
    stack: LocalStack
    operator: Person = field(init=False)

    async def sign_up(self, mail: str, **fields: Any) -> httpx.Response:
        """Sends the form."""
        form = {"mail_address": mail, "given_name": "Illustrative", "family_name": "Officer", "locale": "pt"}
        return await self.client.post("/auth/sign-up", json=form | {"time_zone": "Europe/Lisbon"} | fields)

    async def person(self, mail: str | None = None, **fields: Any) -> Person:
        """Somebody new: signed up, verified and signed in by mailed links."""
        mail = mail or address()
        before = len(self.mailboxes.to(mail, "verify-mail"))
        assert (await self.sign_up(mail, **fields)).status_code == 202
        verify = await self.mailboxes.latest(mail, "verify-mail", after=before)
        assert (await self.client.post(verify)).status_code == 200
        return await self.sign_in(mail)

    async def sign_in(self, mail: str) -> Person:
        """Signs in by a mailed link."""
        before = len(self.mailboxes.to(mail, "sign-in"))
        assert (await self.client.post("/auth/links", json={"mail_address": mail})).status_code == 202
        answer = await self.client.post(await self.mailboxes.latest(mail, "sign-in", after=before))
        assert answer.status_code == 200, answer.text
        return self.session(mail, answer.json())

    @staticmethod
    def session(mail: str, tokens: dict[str, Any]) -> Person:
        """Somebody with these tokens."""
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        return Person(tokens["person_id"], mail, headers, tokens["refresh_token"])

    async def place(self, text: str, country: str | None = None) -> str:
        """The id of the first place found."""
        found = await self.client.get("/places", params={"q": text} | ({"country": country} if country else {}))
        return str(found.json()["items"][0]["id"])

    async def declare(self, person: Person, place: str, kind: str = "municipality", **fields: Any) -> httpx.Response:
        """Declares the authority of a place."""
        authority = {"name": fields.pop("name", "Illustrative Authority"), "kind": kind, "places": [place]}
        return await self.client.post("/cities", json={"authority": authority} | fields, headers=person.headers)

    async def approve(self, membership: str) -> httpx.Response:
        """The helpdesk approves a membership."""
        evidence = {"evidence": {"kind": "official-letter", "reference": "letter 1"}}
        return await self.client.post(
            f"/memberships/{membership}/approval", json=evidence, headers=self.operator.headers
        )

    async def member(self, place: str, **fields: Any) -> tuple[Person, str]:
        """Somebody who speaks for a city of its own, and the city's id."""
        person = await self.person()
        declared = await self.declare(person, place, **fields)
        assert declared.status_code == 201, declared.text
        assert (await self.approve(declared.json()["membership"]["id"])).status_code == 200
        return person, declared.json()["city"]["id"]


def address() -> str:
    """A mail address that nobody else has."""
    return f"role-{uuid.uuid4().hex[:12]}@example.org"


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def topics(stack: LocalStack) -> AsyncIterator[Topics]:
    """Publishes as any service, and reads what registration published."""
    hands = Topics(stack.kafka.aiokafka())
    yield hands
    await hands.close()


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def platform(stack: LocalStack, topics: Topics) -> AsyncIterator[Platform]:
    """Registration served, with an operator made on the command line's way, and everybody's mail at hand."""
    config = settings(stack)
    mail = address()
    await bootstrap.run(config, mail, PASSWORD, ("Platform", "Operator"))
    async with serving(create_app(config)) as client:
        mailboxes = Mailboxes(topics.options)
        await mailboxes.start()
        platform = Platform(client, mailboxes, topics, stack)
        tokens = await client.post("/auth/token", json={"mail_address": mail, "password": PASSWORD})
        platform.operator = platform.session(mail, tokens.json())
        yield platform
        await mailboxes.stop()


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def directory(platform: Platform) -> Platform:
    """The same once the directory of places is loaded."""

    async def complete() -> bool:
        return bool((await platform.client.get("/places", params={"q": "Lisboa"})).json()["complete"])

    await eventually(complete, "the directory of places is loaded", 180)
    return platform
