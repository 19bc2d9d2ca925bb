"""What a round is played on: people with their roles, cities, small sessions, a call and a national platform."""

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from contracts.national_platforms import PlatformListed
from mission import place, platforms
from mission.demo import rules
from mission.demo.door import Door, until
from mission.demo.errors import Untrue
from mission.demo.mails import Maildir, Mails
from mission.demo.people import Person
from tests.e2e.running import Platform

SESSIONS: Final = (*("orientation",) * 2, *("tool-training",) * 4)
"""Kinds of the sessions; a booking of the first kind completes a step of the city's onboarding."""

SEATS: Final = 3
PLATFORM: Final = "pt-faults"
SOURCE: Final = "https://pt-faults.example/calendar"
LETTER: Final = {"kind": "official-letter", "reference": "Letter of appointment"}
TEXT: Final = {"en": "Illustrative"}


@dataclass
class Office:
    """A city and the officer who speaks for it."""

    name: str
    person: Person
    password: str
    city: str = ""


@dataclass
class World:
    """What the clients know from the start."""

    door: Door
    offices: list[Office] = field(default_factory=list)
    place: str = ""
    sessions: list[str] = field(default_factory=list)
    call: str = ""
    client: Path = Path()


def moment(days: int) -> dict[str, str]:
    """A planned moment so many days from now."""
    at = datetime.now(UTC) + timedelta(days=days)
    return {"local": at.replace(tzinfo=None, microsecond=0).isoformat(), "zone": "UTC"}


def authority(name: str, code: str) -> dict[str, Any]:
    """An authority that is known by its name, so that one place of the directory serves for all."""
    return {"name": name, "kind": "other", "places": [code]}


def entry(platform: str) -> PlatformListed:
    """A platform's entry in the directory."""
    return PlatformListed(
        platform=platform,
        name="Illustrative",
        kind="hub",
        country="PT",
        sources=(SOURCE,),
        since=datetime.now(UTC).date(),
        languages=("en",),
    )


async def build(platform: Platform, door: Door, offices: int) -> World:
    """Makes everything, with nothing broken yet."""
    async with Mails(Maildir(platform.home / "mail")) as mails:
        password = secrets.token_urlsafe(12)
        operator = Person(door, mails, "operator@mission.example", ("Platform", "Operator"))
        await asyncio.to_thread(platform.make_operator, operator.mail, password)
        await operator.sign_in_by_password(password)

        async def hired(role: str) -> Person:
            person = await _account(door, mails, role, password)
            await operator.post("/grants", {"person_id": person.id, "role": role, "scope": {"kind": "mission"}})
            await person.refresh()
            return person

        helpdesk, organiser, manager = await asyncio.gather(*map(hired, ("helpdesk", "organiser", "programme-manager")))
        (client,) = await asyncio.to_thread(platforms.add, place.stack(), entry(PLATFORM))
        world = World(door, client=client)
        world.place = await until(lambda: _place(door), "The directory of places does not know Lisbon.", seconds=180)
        numbers = range(offices)
        made = (_office(world, mails, helpdesk, f"office-{number:02d}", password) for number in numbers)
        world.offices += await asyncio.gather(*made)
        for kind in SESSIONS:
            world.sessions.append((await organiser.post("/sessions", _session(kind)))["id"])
        world.call = await _call(manager)
        return world


async def _account(door: Door, mails: Mails, name: str, password: str) -> Person:
    person = Person(door, mails, f"{name}@city.example", ("Climate", "Officer"))
    await person.sign_up(password)
    await person.sign_in_by_password(password)
    return person


async def _place(door: Door) -> str | None:
    found = await door.ask("GET", "/places", params={"q": "Lisbon", "country": "PT"})
    return str(found["items"][0]["id"]) if found["items"] else None


async def _office(world: World, mails: Mails, helpdesk: Person, name: str, password: str) -> Office:
    person = await _account(world.door, mails, name, password)
    declared = await person.post("/cities", {"authority": authority(name, world.place), "evidence": LETTER})
    await helpdesk.post(f"/memberships/{declared['membership']['id']}/approval", {"evidence": LETTER})
    await person.refresh()
    return Office(name, person, password, declared["city"]["id"])


def _session(kind: str) -> dict[str, Any]:
    return {
        "kind": kind,
        "title": TEXT,
        "starts": moment(30),
        "ends": moment(31),
        "online_url": "https://meet.mission.example/",
        "languages": ["en"],
        "capacity": SEATS,
    }


async def _call(manager: Person) -> str:
    label = rules.text("Illustrative")
    drafted = await manager.post(
        "/calls",
        {
            "programme": "faults",
            "cohort": "faults-1",
            "title": label,
            "summary": label,
            "rules": {
                "window": {"opens": moment(-1), "closes": moment(14)},
                "eligibility": [
                    {
                        "code": "eligible-country",
                        "kind": "country-status",
                        "values": ["eu", "associated"],
                        "sentence": label,
                    }
                ],
                "form": [
                    {
                        "code": "number",
                        "kind": "number",
                        "label": label,
                        "required": True,
                        "judged": True,
                        "minimum": 0,
                        "maximum": 1_000_000,
                    }
                ],
                "review": {"per_application": 1},
                "criteria": [{"code": "fit", "label": label, "weight": 100}],
                "places": 5,
                "reserve": 2,
                "offers": {"days": 14},
                "illustrative": True,
            },
        },
    )
    call: dict[str, Any] = await manager.post(f"/calls/{drafted['id']}/publication")

    async def open() -> bool:
        return bool((await manager.get(f"/calls/{call['id']}"))["state"] == "application")

    await until(open, "The call did not open.")
    return str(call["id"])


async def renewed(office: Office) -> Mapping[str, str]:
    """The headers of a request in the officer's name, who signs in again however long that takes."""
    while True:
        try:
            await office.person.sign_in_by_password(office.password)
        except Untrue:
            await asyncio.sleep(0.5)
        else:
            return {"Authorization": f"Bearer {office.person.token}"}
