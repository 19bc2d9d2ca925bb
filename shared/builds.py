"""The one generation that is being built in a service's store, by whom, and how far it is."""

from collections.abc import Sequence
from typing import Any

from shared.generations import FIRST, POINTER, Present
from shared.states import STATES, WAITING
from shared.store import PRESENT, Collection, Document, Store, Transaction

BUILD = "build"
LEFT_SECONDS = 30
"""A build that has written nothing for so long was cut off."""


class Build(Document):
    """The generation, who builds it, and the offset that each partition was read to: topic, partition, offset."""

    generation: int
    owner: str
    positions: list[tuple[str, int, int]] = []


BUILDS = Collection("generation_builds", Build)


class Busy(Exception):
    """Somebody else builds a generation."""


async def begin(store: Store, by: str, collections: Sequence[Collection[Any]], *, anew: bool) -> Build:
    """Begins the next generation of these collections, or goes on with the one that was cut off.

    Raises :class:`Busy` while somebody else is at work.
    """

    async def claim(tx: Transaction) -> Build:
        change = {"$setOnInsert": FIRST}
        await tx.update(POINTER, {"_id": PRESENT}, change, upsert=True)
        present: Present = await tx.require(POINTER, PRESENT)
        age = {"$expr": {"$gt": ["$at", {"$subtract": ["$$NOW", LEFT_SECONDS * 1000]}]}}
        if await tx.count(BUILDS, age):
            raise Busy("Somebody builds a generation of this service at this moment, or did so half a minute ago.")
        left = await tx.get(BUILDS, BUILD)
        build = Build(id=BUILD, generation=present.generation + 1, owner=by)
        if left is not None and left.generation == build.generation and not anew:
            build.positions = left.positions
        change = {"$set": build.model_dump(exclude={"id"}), "$currentDate": {"at": True}}
        await tx.update(BUILDS, {"_id": BUILD}, change, upsert=True)
        return build

    build = await store.transaction(claim)
    if not build.positions:
        await drop_others(store, collections)
    for collection in collections:
        await store.index(collection.stored_as(build.generation), collection.indexes)
    await store.index(f"{WAITING.name}~{build.generation}", WAITING.indexes)
    await store.raw(f"{STATES.name}~{build.generation}").create_index("waiting", sparse=True)
    return build


async def drop_others(store: Store, collections: Sequence[Collection[Any]]) -> None:
    """Drops every generation of these collections but the present one."""
    present = await store.look_up()
    stays = {collection.stored_as(present) for collection in collections}
    names = {collection.name for collection in collections} | {STATES.name, WAITING.name}
    for name in await store.db.list_collection_names():
        plain, _, generation = name.partition("~")
        projected = plain not in (STATES.name, WAITING.name)
        if plain in names and name not in stays and (projected or generation):
            await store.db.drop_collection(name)
