"""The world of the matrix: two of everything, of which one is the callers' own, and hands to make more of it.

Objects that a request needs are put into the services' stores in the state that it needs: each allowed request
gets objects of its own, and none waits for what another one did.
"""

import re
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
from aiokafka import AIOKafkaProducer
from pymongo import AsyncMongoClient
from pymongo.asynchronous.database import AsyncDatabase

from contracts.registration import Authority, CityKind, PersonState, Place
from contracts.registry import STORING
from infra.databases import database
from infra.local import HOST
from infra.local.stack import LocalStack
from services.cohort_selection import store as selection
from services.events_calendar import store as calendar
from services.gateway.routes import PREFIX, service_for
from services.registration import store as registration
from shared.collections import CODEC, Collection, Document
from shared.identity import Grant
from shared.ids import new_id
from shared.testing import Tokens, Topics, eventually
from tests.security.callers import (
    OTHER_COUNTRY,
    OTHER_PLATFORM,
    OTHER_PROGRAMME,
    OWN_COUNTRY,
    OWN_PLATFORM,
    OWN_PROGRAMME,
    Caller,
    everybody,
    make,
)
from tests.security.matrix import Side

Row = dict[str, Any]
Template = dict[str, list[Row]]
"""Documents of one service that belong together, by collection."""

ID = re.compile(r"(?<![a-z])[a-z]{3,4}_[0-9a-f]{32}")


@dataclass(frozen=True)
class Where:
    """One half of the world. ``city`` has a member or none, ``second`` and ``host`` are further cities."""

    country: str
    programme: str
    platform: str
    city: str
    member: Caller
    second: str
    second_member: Caller
    host: str


def place(code: str, country: str) -> Place:
    """A place of the directory."""
    return Place(source="geonames", code=code, name="Illustrative Town", country=country, latitude=40, longitude=8)


def authority(country: str, code: str) -> Authority:
    """A municipality."""
    return Authority(
        name="Illustrative Town",
        kind=CityKind.MUNICIPALITY,
        country=country,
        places=(place(code, country),),
        time_zone="Europe/Lisbon",
    )


def now() -> datetime:
    """The present instant, as stores keep it."""
    return datetime.now(UTC).replace(microsecond=0)


class World:
    """The running platform, who calls it, and what they may call it about."""

    def __init__(self, stack: LocalStack, tokens: Tokens, topics: Topics, http: httpx.AsyncClient) -> None:
        self.stack = stack
        self.tokens = tokens
        self.topics = topics
        self.http = http
        self.clients: dict[str, AsyncMongoClient[Row]] = {
            service: AsyncMongoClient(stack.mongo.url(service)) for service in STORING
        }
        own, other = new_id("city"), new_id("city")
        self.callers = everybody(tokens, own)
        self.other_manager = make(tokens, "manager", (Grant("programme-manager"),))
        self.somebody = make(tokens, "somebody", ())
        self.sides: dict[Side, Where] = {
            "own": self._where(OWN_COUNTRY, OWN_PROGRAMME, OWN_PLATFORM, own, self.callers["member"]),
            "foreign": self._where(
                OTHER_COUNTRY, OTHER_PROGRAMME, OTHER_PLATFORM, other, make(tokens, "member", (), other)
            ),
        }
        self.templates: dict[str, Template] = {}
        self.letters: dict[str, list[str]] = {}

    def _where(self, country: str, programme: str, platform: str, city: str, member: Caller) -> Where:
        second = new_id("city")
        second_member = make(self.tokens, "member", (), second)
        return Where(country, programme, platform, city, member, second, second_member, new_id("city"))

    def place_code(self) -> str:
        """The id of a place that nobody has declared; the directory's own are shorter."""
        return str(900_000_000_000 + secrets.randbelow(99_999_999_999))

    def db(self, service: str) -> AsyncDatabase[Row]:
        """A service's database, with the rights of the service's own user."""
        return self.clients[service].get_database(database(service), codec_options=CODEC)

    async def put(self, service: str, collection: Collection[Any], *documents: Document) -> None:
        """Stores documents as the service does."""
        rows = [document.model_dump(by_alias=True) | {"version": 1} for document in documents]
        await self.db(service)[collection.name].insert_many(rows)

    async def capture(self, service: str, filters: Mapping[str, Row]) -> Template:
        """The documents that fit, by collection."""
        return {name: await self.db(service)[name].find(which).to_list() for name, which in filters.items()}

    async def copy(self, service: str, template: Template, edit: Callable[[str, Row], None]) -> dict[str, str]:
        """Stores a copy, edited, under new ids, and returns old id -> new id. Ids of people and cities stay."""
        new: dict[str, str] = {}

        def fresh(match: re.Match[str]) -> str:
            old = match[0]
            if old.startswith(("city_", "prs_")):
                return old
            return new.setdefault(old, new_id(old.partition("_")[0]))

        def renamed(value: Any) -> Any:
            if isinstance(value, str):
                return ID.sub(fresh, value)
            if isinstance(value, dict):
                return {renamed(key): renamed(each) for key, each in value.items()}
            return [renamed(each) for each in value] if isinstance(value, list) else value

        for name, rows in template.items():
            copies = [renamed(row) for row in rows]
            for row in copies:
                edit(name, row)
            if copies:
                await self.db(service)[name].insert_many(copies)
        return new

    def url(self, path: str, *, direct: bool) -> str:
        """Where a path is asked for: at the gateway, or at the port of the service itself."""
        target = service_for(PREFIX + path)
        if direct and target is not None:
            return f"http://{HOST}:{self.stack.ports.service(target[0])}{path}"
        return f"{self.stack.public_url}{PREFIX}{path}"

    async def do(self, caller: Caller, operation: str, body: Any = None) -> Any:
        """A request that prepares something; it must succeed."""
        method, _, path = operation.partition(" ")
        answer = await self.http.request(method, self.url(path, direct=True), json=body, headers=caller.headers)
        assert answer.is_success, f"{operation}: {answer.status_code} {answer.text}"
        return answer.json()

    async def send(self, topic: str, key: str, value: bytes, headers: list[tuple[str, bytes]]) -> None:
        """Writes a record as any service could."""
        async with AIOKafkaProducer(**self.topics.options) as producer:
            await producer.send_and_wait(topic, value, key.encode(), headers=headers)

    async def person(self, person: str | None = None, **more: Any) -> registration.Person:
        """A person with a verified address."""
        person = person or new_id("prs")
        address = f"{person}@people.example"
        values = {"mail_address": address, "mail_key": address, "given_name": "Somebody", "opened": True} | more
        made = registration.Person(
            id=person,
            state=PersonState.REGISTERED,
            origin="self-registered",
            mail_verified_at=now(),
            created_at=now(),
            **values,
        )
        await self.put("registration", registration.PEOPLE, made)
        return made

    async def city(self, where: Where, *, id: str | None = None, public: bool = True) -> str:
        """A city of this half of the world for which its member speaks."""
        made = registration.City(
            id=id or new_id("city"),
            authority=authority(where.country, self.place_code()),
            origin="self-registered",
            registered_at=now(),
            published_at=now() if public else None,
            country=where.country,
            sort_name="illustrative town",
        )
        await self.put("registration", registration.CITIES, made)
        await self.membership(where, made.id, where.member.person, "approved")
        return made.id

    async def membership(self, where: Where, city: str, person: str, state: str) -> str:
        """Somebody's membership."""
        made = registration.Membership(
            id=new_id("mem"),
            city_id=city,
            country=where.country,
            person_id=person,
            role="representative",
            state=state,
            created_at=now(),
        )
        await self.put("registration", registration.MEMBERSHIPS, made)
        return made.id

    async def begin(self) -> None:
        """Makes everybody, both halves, and waits until every service believes the tokens."""
        await self.topics.publish(self.tokens.published())
        people = [*self.callers.values(), self.other_manager, self.somebody]
        people += [each for where in self.sides.values() for each in (where.member, where.second_member)]
        for person in {caller.person for caller in people if caller.person}:
            await self.person(person)
        for where in self.sides.values():
            await self.city(where, id=where.city)
            await self._known(where)
        for service in STORING:

            async def believed(service: str = service) -> bool:
                url = self.url(f"/{service}/dead-letters", direct=True)
                return (await self.http.get(url, headers=self.callers["operator"].headers)).status_code == 200

            await eventually(believed, f"{service} believes the tokens")

    async def _known(self, where: Where) -> None:
        """What registration would have told the others."""
        for id, member in ((where.city, where.member), (where.second, where.second_member), (where.host, None)):
            known = selection.City(id=id, authority=authority(where.country, self.place_code()), published=True)
            await self.put("cohort-selection", selection.CITIES, known)
            await self.put("events-calendar", calendar.CITIES, calendar.City(id=id, name="Town", public=True))
            if member is not None:
                membership = selection.Member(id=new_id("mem"), person_id=member.person, city_id=id, active=True)
                await self.put("cohort-selection", selection.MEMBERS, membership)


@asynccontextmanager
async def world(stack: LocalStack) -> AsyncIterator[World]:
    """The world on a running platform."""
    topics = Topics(stack.kafka.aiokafka())
    async with httpx.AsyncClient(timeout=60) as http:
        made = World(stack, Tokens(), topics, http)
        try:
            await made.begin()
            yield made
        finally:
            await topics.close()
            for client in made.clients.values():
                await client.close()
