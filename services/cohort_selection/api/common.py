"""What the routes share: languages of the reader, and pages of a collection."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Path, Request
from fastapi.routing import APIRoute

from shared.link_pages import accepted
from shared.paging import Page
from shared.service import Service
from shared.store import Collection, Document

D = TypeVar("D", bound=Document)
T = TypeVar("T")

Id = Annotated[str, Path(min_length=1, max_length=80)]


def _operation_id(route: APIRoute) -> str:
    return route.name


def routes(tag: str) -> APIRouter:
    """A router whose operations are called like their functions in the API's document."""
    return APIRouter(tags=[tag], generate_unique_id_function=_operation_id)


async def _languages(request: Request) -> list[str]:
    return list(accepted(request.headers.get("accept-language", "")))


Languages = Annotated[list[str], Depends(_languages)]
"""The languages that the reader wants, the most wanted first."""


async def page(
    service: Service,
    collection: Collection[D],
    filter: Mapping[str, Any],
    limit: int,
    cursor: str | None,
    shape: Callable[[Sequence[D]], Awaitable[list[T]]],
    *,
    scope: str,
    hint: str,
    newest_first: bool = False,
) -> Page[T]:
    """One page of the documents that fit, in the order of their ids (which is that of their birth).

    ``scope`` names the list that its cursors belong to; ``hint`` is what a reader of an empty list can do.
    """
    query: dict[str, Any] = {"$and": [dict(filter)]}
    if cursor is not None:
        (last,) = service.cursors.decode(scope, cursor)
        query["$and"].append({"_id": {"$lt" if newest_first else "$gt": last}})
    rows = await service.store.find(collection, query, sort=[("_id", -1 if newest_first else 1)], limit=limit + 1)
    shown, more = rows[:limit], len(rows) > limit
    return Page[Any](
        items=await shape(shown),
        next=service.cursors.encode(scope, [shown[-1].id]) if more else None,
        hint=hint if cursor is None and not shown else None,
    )
