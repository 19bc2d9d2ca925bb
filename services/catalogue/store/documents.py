"""The catalogue's documents, collections and indexes."""

from typing import Any, Final

from pymongo import ASCENDING, IndexModel

from services.catalogue.domain.lifecycle import EntryState
from shared.store import Collection, Document, Reader

MAX_MERGES: Final = 20


class EntryRecord(Document, EntryState):
    """An entry as it is stored."""


class Alias(Document):
    """A person or city that turned out to be another one (``into``), or a person that was erased (None)."""

    into: str | None = None


ENTRIES: Final = Collection(
    "entries",
    EntryRecord,
    indexes=[
        IndexModel([("content.code", ASCENDING)], name="code", unique=True),
        IndexModel([("status", ASCENDING), ("_id", ASCENDING)], name="status"),
        IndexModel([("content.owner.kind", ASCENDING), ("content.owner.id", ASCENDING)], name="owner"),
        IndexModel([("public.owner.kind", ASCENDING), ("public.owner.id", ASCENDING)], name="public_owner"),
        IndexModel([("author", ASCENDING)], name="author"),
        IndexModel([("reviewed_by", ASCENDING)], name="reviewed_by"),
    ],
)
ALIASES: Final = Collection("aliases", Alias, kind="projection")

COLLECTIONS: Final[tuple[Collection[Any], ...]] = (ENTRIES, ALIASES)


async def present_id(reader: Reader, id: str) -> str | None:
    """The id that a person or city has today, after all merges; None when it was erased."""
    current: str | None = id
    for _ in range(MAX_MERGES):
        alias = await reader.get(ALIASES, current) if current else None
        if alias is None:
            break
        current = alias.into
    return current
