"""What is stored, as a service declares it: documents, and the collections that they are in."""

from collections.abc import Callable, Sequence
from datetime import date, time
from typing import Any, Generic, Literal, TypeVar

from bson.codec_options import CodecOptions, TypeRegistry
from pydantic import BaseModel, ConfigDict, Field
from pymongo import IndexModel

D = TypeVar("D", bound="Document")
Row = dict[str, Any]


def _as_bson(value: Any) -> Any:
    """What BSON has no type for, in a form that pydantic reads back."""
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, BaseModel):
        return value.model_dump()
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    return str(value)


CODEC = CodecOptions[Row](tz_aware=True, type_registry=TypeRegistry(fallback_encoder=_as_bson))

ANY_TEXT = {"$gt": ""}
"""In the filter of a partial index: documents that have this text. With ``$type`` instead, MongoDB would not use the
index for a query that asks for one text, only to keep it unique."""


class Document(BaseModel):
    """Base of everything that is stored: an id, and the version that guards concurrent writes (0 = not yet stored)."""

    model_config = ConfigDict(populate_by_name=True, extra="ignore")

    id: str = Field(alias="_id")
    version: int = 0


class Collection(Generic[D]):
    """One collection of a service and the model of its documents.

    ``kind`` says whether it is ``truth`` (written by use cases) or a ``projection`` (made from events alone, so that
    it can be rebuilt from the log); a collection is never both. ``erased`` tells rows of persons who were erased, which
    a rebuild need not have alike: the log forgets them. A projection that has it holds what is personal.
    """

    def __init__(
        self,
        name: str,
        model: type[D],
        *,
        kind: Literal["truth", "projection"] = "truth",
        indexes: Sequence[IndexModel] = (),
        erased: Callable[[Row], bool] | None = None,
    ) -> None:
        self.name = name
        self.model = model
        self.kind = kind
        self.indexes = indexes
        self.erased = erased

    @property
    def projected(self) -> bool:
        """Whether it is made from events alone."""
        return self.kind == "projection"

    def stored_as(self, generation: int) -> str:
        """The name in the database; projections have a generation, and the first one's name is plain."""
        return f"{self.name}~{generation}" if self.projected and generation > 1 else self.name
