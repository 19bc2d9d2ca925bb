"""Public pages that many read, by one process of the real services: beside a FastAPI route with constant bytes.

The stores hold as many entries and events as a large Mission would have, all of them like the contracts' own examples.
The route answers with as many bytes as the page has.
"""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import aiohttp
from pymongo import MongoClient

from bench.figures import Figure, interleaved
from bench.ground import Ground
from bench.http import ask
from contracts.catalogue import EntryPublished, EntryStatus
from contracts.events_calendar import EventPublished
from infra.databases import database
from infra.local.stack import ROOT
from services.catalogue.store import ENTRIES, EntryRecord
from services.events_calendar.store import EVENTS, CalendarEvent
from services.events_calendar.usecases.showing import shown_as
from shared.collections import CODEC, Row
from shared.ids import new_id

ENTRY_COUNT: Final = 500
EVENT_COUNT: Final = 5_000
ROUNDS: Final = 5
SECONDS: Final = 3.0
CONNECTIONS: Final = 16
EXAMPLES: Final = ROOT / "contracts" / "examples"


def entries(count: int) -> list[Row]:
    """Published entries, the first one with the code ``entry-0``."""
    example = json.loads((EXAMPLES / f"{EntryPublished.type}.json").read_text())["data"]
    entry = EntryPublished.model_validate(example).entry
    found = []
    for number in range(count):
        content = entry.model_copy(update={"code": f"entry-{number}"})
        record = EntryRecord(
            id=new_id("ent"),
            version=1,
            content=content,
            public=content,
            status=EntryStatus.PUBLISHED,
            revision=1,
            published_at=datetime.now(UTC),
        )
        found.append(record.model_dump(by_alias=True))
    return found


def events(count: int) -> list[Row]:
    """Events of a national platform, one every hour from now on."""
    example = json.loads((EXAMPLES / f"{EventPublished.type}.json").read_text())["data"]
    event = EventPublished.model_validate(example).event
    now = datetime.now(UTC)
    found = []
    for number in range(count):
        begin = now + timedelta(hours=number + 1)
        record = CalendarEvent(
            id=new_id("evt"),
            version=1,
            platform="se-viable-cities",
            uid=f"{number}@viablecities.example",
            kind="event",
            standing="published",
            changed_at=now,
        ).model_copy(update=shown_as(event, None) | {"starts_at": begin, "ends_at": begin + timedelta(hours=7)})
        found.append(record.model_dump(by_alias=True))
    return found


async def measure(ground: Ground, share: float) -> list[Figure]:
    """One entry of the catalogue, and the calendar's first page."""
    client: MongoClient[Any]
    with MongoClient(ground.stack.mongo.admin_url) as client:
        for service, name, rows in (
            ("catalogue", ENTRIES.name, entries(ENTRY_COUNT)),
            ("events-calendar", EVENTS.name, events(EVENT_COUNT)),
        ):
            stored: Any = client.get_database(database(service), CODEC)[name]
            stored.insert_many(rows)
    found = []
    for what, service, app, path in (
        ("a catalogue entry read", "catalogue", "services.catalogue.main:create_app", "/catalogue/entries/entry-0"),
        ("the event list read", "events-calendar", "services.events_calendar.main:create_app", "/events?limit=50"),
    ):
        async with ground.ours(app, service, path) as ours:
            page = await _page(ours + path)
            async with ground.bare("web:constant", bytes=str(len(page))) as bare:

                async def one(side: str, _: int, ours: str = ours + path, bare: str = f"{bare}/constant") -> float:
                    answers = await ask(ours if side == "ours" else bare, CONNECTIONS, SECONDS * share)
                    return len(answers) / (SECONDS * share)

                figures = await interleaved(ROUNDS, one)
        found.append(Figure(what, f"{len(page):,} bytes", "/s", *figures, 0.8, "at least"))
    return found


async def _page(url: str) -> bytes:
    async with aiohttp.ClientSession() as session:
        while True:
            async with session.get(url) as answer:
                answer.raise_for_status()
                content = await answer.read()
            if b"viablecities" in content or b"netzeroplanner" in content.lower():
                return content
            await asyncio.sleep(0.1)
