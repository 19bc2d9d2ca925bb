"""What operators and the helpdesk look after: dead letters, messages; and everybody's inbox."""

from typing import Any

from contracts.envelope import Event
from contracts.events_calendar import BookingConfirmed
from contracts.registration import CityMerged
from contracts.registry import SERVICES
from tests.e2e.happy_paths.world import World
from tests.e2e.letters import spoil
from tests.e2e.running import eventually

UNREADABLE: dict[str, type[Event]] = {"registration": BookingConfirmed}
"""A type of events that the service reads; all others read of merged cities."""


def walk(world: World) -> None:
    """Everything that concerns dead letters and messages."""
    _dead_letters(world)
    _messages(world)


def _dead_letters(world: World) -> None:
    api, operator = world.api, world.people["operator"]
    for service in SERVICES:
        if service == "gateway":
            continue
        door = f"/{service}/dead-letters"
        about = spoil(world.platform.stack, UNREADABLE.get(service, CityMerged))

        def kept(door: str = door, about: str = about) -> list[dict[str, Any]]:
            return [each for each in api.do(f"GET {door}", operator)["items"] if each["aggregate"] == about]

        (letter,) = eventually(kept, f"{service} keeps what it cannot read")
        topic, partition, offset = letter["id"].split("/")
        one = f"GET {door}/{{topic}}/{{partition}}/{{offset}}"
        api.do(one, operator, topic=topic, partition=int(partition), offset=int(offset))
        decision = {"action": "drop", "why": "It tells of nothing.", "letters": [letter["id"]]}
        api.do(f"POST {door}/decisions", operator, decision)


def _messages(world: World) -> None:
    api, member = world.api, world.people["member"]
    message = eventually(lambda: api.do("GET /inbox", member)["items"], "the member was told something")[0]["id"]
    api.do("POST /inbox/{id}/read", member, id=message)
    api.do("GET /messages/{id}", world.people["helpdesk"], id=message)
