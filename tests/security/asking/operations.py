"""Requests about what people are told, and about what operators look after."""

import asyncio

from contracts.envelope import Event
from contracts.events_calendar import BookingConfirmed
from contracts.notification import MessageClass
from contracts.registration import PersonMerged
from contracts.registry import STORING
from services.notification import store
from shared.ids import new_id
from shared.testing import eventually
from tests.e2e.letters import spoil
from tests.security.asking.table import Asked, asks, nothing
from tests.security.callers import Caller
from tests.security.matrix import Side
from tests.security.world import World, now

UNREADABLE: dict[str, type[Event]] = {"registration": BookingConfirmed}
"""A type of events that the service reads; all others read of people who were merged."""

LETTERS = 3
"""As many of each service as there are requests about one: two of them are decided, through each door."""

nothing("GET /inbox", "GET /stream")


async def message(world: World, reader: str) -> str:
    """Something that somebody was told."""
    made = store.Message(
        id=new_id("msg"),
        reader=reader,
        template="welcome",
        message_class=MessageClass.SERVICE,
        topic="account",
        created_at=now(),
        caused_by=new_id("evt"),
        portal=True,
    )
    await world.put("notification", store.MESSAGES, made)
    return made.id


@asks("POST /inbox/{id}/read", personal=True)
async def read(world: World, caller: Caller, side: Side) -> Asked:
    """The caller's own message, or somebody else's."""
    own = side == "own" and caller.person
    return Asked({"id": await message(world, caller.person if own else world.somebody.person)})


@asks("GET /messages/{id}")
async def state(world: World, caller: Caller, side: Side) -> Asked:
    """What became of a message."""
    return Asked({"id": await message(world, world.somebody.person)})


async def prepare(world: World) -> None:
    """Sends every service events that say nothing, as a service with a bug would, and waits for its dead letters."""
    about: dict[str, list[str]] = {}
    for service in STORING:
        model = UNREADABLE.get(service, PersonMerged)
        about[service] = [await asyncio.to_thread(spoil, world.stack, model) for _ in range(LETTERS)]
    for service, subjects in about.items():

        async def kept(service: str = service, subjects: list[str] = subjects) -> list[str]:
            listed = await world.do(world.callers["operator"], f"GET /{service}/dead-letters?limit=200")
            found = [letter["id"] for letter in listed["items"] if letter["aggregate"] in subjects]
            return found if len(found) == LETTERS else []

        world.letters[service] = await eventually(kept, f"{service} keeps what it cannot read")


def _of(service: str) -> None:
    nothing(f"GET /{service}/dead-letters")

    @asks(f"GET /{service}/dead-letters/{{topic}}/{{partition}}/{{offset}}")
    async def show(world: World, caller: Caller, side: Side) -> Asked:
        topic, partition, offset = world.letters[service][0].split("/")
        return Asked({"topic": topic, "partition": partition, "offset": offset})

    @asks(f"POST /{service}/dead-letters/decisions")
    async def decide(world: World, caller: Caller, side: Side) -> Asked:
        # The last stays open for those who may not; whoever may has one of its own.
        letters = world.letters[service]
        letter = letters.pop() if caller.name == "operator" else letters[0]
        return Asked(body={"action": "drop", "why": "It tells of nothing.", "letters": [letter]})


for _service in STORING:
    _of(_service)
