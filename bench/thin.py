"""The platform's side: services of ``create_service()`` with one document, one event and one reaction.

They stand under the names of two real services, whose rights on the broker and databases they use.
"""

from typing import Any, Final

from fastapi import APIRouter, FastAPI
from pydantic import BaseModel

from bench import payload
from contracts.envelope import Envelope
from contracts.registration import CityCommitmentChanged
from contracts.registry import consumed_by
from shared.identity import Public
from shared.inbox import Inbox
from shared.service import StoreDep, create_service
from shared.store import Collection, Document, Transaction

WRITER: Final = "registration"
READER: Final = "cohort-selection"
GROUP: Final = f"{READER}.events"
"""The reader's group."""


class City(Document):
    """What the writer keeps."""

    number: int = 0


class Seen(Document):
    """What the reader keeps."""

    number: int = 0


CITIES: Final = Collection("bench_cities", City)
SEEN: Final = Collection("bench_seen", Seen, kind="projection")


class Body(BaseModel):
    """A write."""

    number: int


def inbox(service: str, *, effect: bool = True) -> Inbox:
    """Handlers for all that the service reads; a commitment is written down when ``effect`` is asked for."""
    found = Inbox(service)

    async def see(tx: Transaction, event: CityCommitmentChanged, _: Envelope) -> None:
        tx.project(SEEN, event.city_id, {"number": payload.number_of(event)})

    async def ignore(*_: Any) -> None:
        return None

    for topic in consumed_by(service):
        for event in topic.readers[service]:
            if effect and event is CityCommitmentChanged:
                found.projects(event)(see)
            else:
                found.on(event)(ignore)
        if topic.template:
            found.on_raw(topic.name)(ignore)
    return found


def writer() -> FastAPI:
    """Takes writes."""
    router = APIRouter()

    @router.put("/cities/{city}")
    async def write(city: str, body: Body, _: Public, store: StoreDep) -> Body:
        async def work(tx: Transaction) -> None:
            found = await tx.get(CITIES, city) or City(id=city)
            changed = found.model_copy(update={"number": body.number})
            await tx.save(CITIES, changed, payload.event(city, body.number))

        await store.transaction(work)
        return body

    @router.get("/ready")
    async def ready(_: Public) -> None:
        return None

    return create_service(WRITER, title="Writer", routers=[router], inbox=inbox(WRITER), collections=[CITIES])


def reader() -> FastAPI:
    """Shows what has come to it."""
    return _reader(effect=True)


def idle_reader() -> FastAPI:
    """Takes note of what has come to it, and does nothing more."""
    return _reader(effect=False)


def _reader(*, effect: bool) -> FastAPI:
    router = APIRouter()

    @router.get("/cities/{city}")
    async def read(city: str, _: Public, store: StoreDep) -> Body:
        seen = await store.get(SEEN, city)
        return Body(number=seen.number if seen else -1)

    return create_service(
        READER, title="Reader", routers=[router], inbox=inbox(READER, effect=effect), collections=[SEEN]
    )
