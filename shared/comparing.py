"""Compares two generations of a service's projections, row by row, both as they are at one moment."""

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from shared.collections import Collection, Row
from shared.store import Reader

BATCH: Final = 1000
SHOWN: Final = 200


@dataclass(frozen=True, slots=True)
class Difference:
    """A row that the generations have differently: what the present and the new one have, field by field.

    Of a row that only one of them has ``row`` stands for its fields.
    """

    collection: str
    id: str
    fields: dict[str, tuple[str, str]]

    def __str__(self) -> str:
        said = "; ".join(f"{name}: {old} -> {new}" for name, (old, new) in self.fields.items())
        return f"{self.collection} {self.id}: {said}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Rows per collection, how many differ, and the first that does. ``aside`` counts rows of erased persons."""

    rows: dict[str, int]
    differing: dict[str, int]
    aside: int
    first: Difference | None

    @property
    def equal(self) -> bool:
        """Whether both generations say the same."""
        return self.first is None


async def compare(reader: Reader, collections: Sequence[Collection[Any]], present: int, new: int) -> Comparison:
    """Compares the generations in the form that the service reads them in; erased persons are left aside."""
    rows: dict[str, int] = {}
    differing: dict[str, int] = {}
    aside, first = 0, None
    for collection in collections:
        rows[collection.name] = differing[collection.name] = 0
        async for old, fresh in _pairs(_rows(reader, collection, present), _rows(reader, collection, new)):
            rows[collection.name] += fresh is not None
            if collection.erased and any(collection.erased(row) for row in (old, fresh) if row):
                aside += 1
            elif old != fresh and (one := _canonical(collection, old)) != (other := _canonical(collection, fresh)):
                differing[collection.name] += 1
                first = first or _difference(collection, one, other)
    return Comparison(rows, differing, aside, first)


def _rows(reader: Reader, collection: Collection[Any], generation: int) -> AsyncIterator[Row]:
    found = reader.raw(collection.stored_as(generation)).find({}, session=reader.session)
    rows: AsyncIterator[Row] = found.sort("_id", 1).batch_size(BATCH)
    return rows


async def _pairs(old: AsyncIterator[Row], new: AsyncIterator[Row]) -> AsyncIterator[tuple[Row | None, Row | None]]:
    """The rows of both with the same id side by side, in the order of ids (which are text)."""
    one, other = await anext(old, None), await anext(new, None)
    while one is not None or other is not None:
        if other is None or (one is not None and _order(one) < _order(other)):
            yield one, None
            one = await anext(old, None)
        elif one is None or _order(other) < _order(one):
            yield None, other
            other = await anext(new, None)
        else:
            yield one, other
            one, other = await anext(old, None), await anext(new, None)


def _order(row: Row) -> bytes:
    # As the database sorts text.
    return str(row["_id"]).encode()


def _canonical(collection: Collection[Any], row: Row | None) -> Row | None:
    """A row as the service reads it; as it is where it does not read it."""
    if row is None:
        return None
    try:
        return dict(collection.model.model_validate(row).model_dump(by_alias=True))
    except ValidationError:
        return row


def _difference(collection: Collection[Any], old: Row | None, new: Row | None) -> Difference:
    if old is not None and new is not None:
        fields = {path: (_shown(collection, one), _shown(collection, other)) for path, one, other in _fields(old, new)}
    else:
        fields = {"row": ("there", "nothing") if new is None else ("nothing", "there")}
    return Difference(collection.name, str((old or new or {})["_id"]), fields)


def _fields(old: Row, new: Row, within: str = "") -> Iterator[tuple[str, Any, Any]]:
    """The fields that differ, each with dots leading into it and both values, ``...`` for none."""
    for name in old | new:
        one, other = old.get(name, ...), new.get(name, ...)
        if isinstance(one, dict) and isinstance(other, dict):
            yield from _fields(one, other, f"{within}{name}.")
        elif one != other:
            yield f"{within}{name}", one, other


def _shown(collection: Collection[Any], value: Any) -> str:
    if value is ...:
        return "nothing"
    # What is personal is told to nobody, operators included.
    return "(personal)" if collection.erased else repr(value)[:SHOWN]
