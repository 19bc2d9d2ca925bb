"""A small producing and a small consuming service, made of the real parts, for tests of what all services stand on."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaProducer
from pymongo import UpdateOne

from contracts import registration as facts
from contracts.envelope import Envelope
from contracts.registry import TOPICS, consumed_by, dead_letters
from infra.local.stack import LocalStack
from shared.ids import new_id
from shared.inbox import Inbox
from shared.service import Service
from shared.settings import Settings
from shared.store import Collection, Document, Transaction
from shared.testing import Topics, eventually

PRODUCER = "registration"
READER = "cohort-selection"
CITIES_TOPIC = next(topic for topic in TOPICS if topic.name == "registration.cities")
TOPIC = CITIES_TOPIC.name

AUTHORITY = facts.Authority(
    name="Illustrative Town",
    kind=facts.CityKind.MUNICIPALITY,
    country="PT",
    places=(
        facts.Place(source="geonames", code="1", name="Illustrative Town", country="PT", latitude=41, longitude=-8),
    ),
    time_zone="Europe/Lisbon",
)


class City(Document):
    """What the producing side keeps."""

    counter: int = 0


class Seen(Document):
    """What the reading side keeps: every effect counts, so one too many shows."""

    effects: int = 0
    order: list[int] = []


CITIES = Collection("test_cities", City)
SEEN = Collection("test_seen", Seen, kind="projection")


class Trap:
    """Makes the reader fail at some cities, for a reason that can be mended."""

    def __init__(self) -> None:
        self.cities: set[str] = set()

    async def __call__(self, tx: Transaction, envelope: Envelope) -> None:
        if envelope.attributes.subject in self.cities:
            raise ArithmeticError("this handler has a bug")


def settings(stack: LocalStack, service: str, instance: int = 0, **changes: Any) -> Settings:
    """The settings that a process of this service gets from the stack."""
    environment = {
        name.removeprefix("MISSION_").lower(): value for name, value in stack.settings_for(service, instance).items()
    }
    return Settings(_secrets_dir=environment.pop("secrets_dir"), **(environment | {"traces_file": None} | changes))


def counting_inbox(
    service: str = READER, before: Callable[[Transaction, Envelope], Awaitable[None]] | None = None
) -> Inbox:
    """Handlers for everything that the service reads; those of cities count, after ``before`` was called."""
    inbox = Inbox(service)

    async def count(tx: Transaction, event: Any, envelope: Envelope) -> None:
        if before is not None:
            await before(tx, envelope)
        version = envelope.attributes.aggregateversion
        change = {"$inc": {"effects": 1}, "$push": {"order": version}}
        tx.defer(SEEN, UpdateOne({"_id": envelope.attributes.subject}, change, upsert=True))

    async def ignore(tx: Transaction, event: Any, envelope: Envelope) -> None:
        return None

    for topic in consumed_by(service):
        for event in topic.readers[service]:
            inbox.projects(event)(count) if topic is CITIES_TOPIC else inbox.on(event)(ignore)
    return inbox


@asynccontextmanager
async def running(
    stack: LocalStack, service: str, inbox: Inbox | None = None, instance: int = 0
) -> AsyncIterator[Service]:
    """A service's parts at work, without its HTTP door."""
    running = Service(
        settings(stack, service, instance), inbox or counting_inbox(service), [CITIES, SEEN], None, [], []
    )
    running.start()
    try:
        await eventually(lambda: _value(running.started), f"{service} has started", 60)
        yield running
    finally:
        await running.stop()


async def _value(value: bool) -> bool:
    return value


async def orders(service: Service, *cities: City) -> dict[str, list[int]]:
    """Per city the versions whose effect was committed, in the order of the effects."""
    seen = await service.store.find(SEEN, {"_id": {"$in": [city.id for city in cities]}})
    return {row.id: row.order for row in seen}


async def write_city(service: Service, city: City | None = None) -> City:
    """One write: the aggregate's next version and the event that tells of it."""
    document = city or City(id=new_id("city"))

    async def work(tx: Transaction) -> City:
        event = (
            facts.CityPublished(city_id=document.id, ground="official-list")
            if document.version
            else facts.CityRegistered(city_id=document.id, authority=AUTHORITY, origin="official-list")
        )
        return await tx.save(CITIES, document.model_copy(update={"counter": document.counter + 1}), event)

    return await service.store.transaction(work)


async def story(producer: Service, cities: int, versions: int) -> list[City]:
    """Many aggregates, each written several times, at once."""
    written = list(await asyncio.gather(*(write_city(producer) for _ in range(cities))))
    for _ in range(versions - 1):
        written = list(await asyncio.gather(*(write_city(producer, city) for city in written)))
    return written


async def applied(reader: Service, cities: list[City], versions: int) -> None:
    """Waits until every version of every city had its effect, exactly once and in order."""
    expected = {city.id: list(range(1, versions + 1)) for city in cities}

    async def all_there() -> bool:
        return await orders(reader, *cities) == expected

    try:
        await eventually(all_there, "every version had its effect once and in order", 60)
    except AssertionError:
        assert await orders(reader, *cities) == expected


async def kept(topics: Topics, service: str, key: str) -> list[dict[str, bytes]]:
    """The dead letters of a service with this key, as headers with the value under ``""``."""
    records = await topics.read_raw(dead_letters(service))
    return [dict(r.headers) | {"": r.value} for r in records if r.key == key.encode()]


async def send(
    topics: Topics,
    topic: str,
    key: bytes,
    value: bytes | None,
    headers: list[tuple[str, bytes | None]] | list[tuple[str, bytes]],
) -> None:
    """Sends one record as it is."""
    producer = AIOKafkaProducer(**topics.options)
    await producer.start()
    try:
        await producer.send_and_wait(topic, value, key, headers=headers)
    finally:
        await producer.stop()
