"""Reading the public catalogue: no account, no database."""

import hashlib
import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from contracts.common import Audience, EmissionDomain, Lever
from services.catalogue.api.answers import EntryListed, EntryPage, EntryShown, FacetValue
from services.catalogue.api.requests import Reference
from services.catalogue.domain.search import FACETS, Filters
from services.catalogue.store import LiveShelf
from shared.identity import Public
from shared.kept_answers import keep
from shared.link_pages import accepted
from shared.problems import Problem, not_found
from shared.service import ServiceDep

TAG: Final = "catalogue"
CACHE_CONTROL: Final = "public, max-age=60"
NOTHING_FITS: Final = "Nothing fits. Take a filter away, look for a shorter word, or ask the helpdesk."
NOTHING_YET: Final = "Nothing is published yet. Come back soon, or ask the helpdesk what your city can use."

Value = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.-]+$", max_length=80)]
Values = Annotated[list[Value], Field(max_length=20)]


class EntryQuery(BaseModel):
    """What a reader looks for. Of one facet any of the values will do; every facet that is named must fit."""

    model_config = ConfigDict(extra="forbid")

    q: Annotated[str, Field(max_length=200, description="Words or their beginnings; accents do not matter")] = ""
    kind: Annotated[Values, Field(description="Such as `tool`, `programme` or `service`")] = []
    audience: Annotated[list[Audience], Field(max_length=20)] = []
    language: Annotated[Values, Field(description="Languages in which the offer itself is available (BCP 47)")] = []
    domain: Annotated[list[EmissionDomain], Field(max_length=20)] = []
    lever: Annotated[list[Lever], Field(max_length=20)] = []
    programme: Values = []
    country: Annotated[Values, Field(description="Also finds what is for all countries (ISO 3166-1)")] = []
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Annotated[str | None, Field(max_length=1000, description="`next` of the page before")] = None

    def filters(self) -> Filters:
        """The wanted values per facet."""
        return {facet: values for facet in FACETS if (values := getattr(self, facet))}

    def scope(self, languages: Sequence[str]) -> str:
        """What a cursor of this list belongs to."""
        return f"catalogue {self.model_dump_json(exclude={'limit', 'cursor'})} {','.join(languages)}"


def conditional(request: Request, model: BaseModel) -> Response:
    """The answer with its ``ETag``, or 304 when the client has it already (RFC 9110, sections 8.8.3 and 13.1.2)."""
    content = model.model_dump_json().encode()
    keep(request)
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": CACHE_CONTROL, "Vary": "Accept-Language"}
    given = re.findall(r'"[^"]*"|\*', request.headers.get("if-none-match", ""))
    if tag in given or "*" in given:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type="application/json", headers=headers)


def wanted_languages(request: Request) -> list[str]:
    """The languages that the reader asks for, the most wanted first."""
    return [tag for tag in accepted(request.headers.get("accept-language", "")) if tag != "*"]


def router(live: LiveShelf) -> APIRouter:
    """The endpoints that everybody may read."""
    router = APIRouter(prefix="/catalogue", tags=[TAG], generate_unique_id_function=lambda route: route.name)

    @router.get(
        "/entries",
        response_model=EntryPage,
        responses={304: {"description": "The reader has it already"}},
        status_code=200,
        summary="Find entries by words and by what they are for",
    )
    async def find_entries(
        request: Request, service: ServiceDep, _: Public, query: Annotated[EntryQuery, Query()]
    ) -> Response:
        languages = wanted_languages(request)
        scope = query.scope(languages)
        result = live.shelf.search(query.q, query.filters(), languages)
        start = 0
        if query.cursor is not None:
            score, title, id = service.cursors.decode(scope, query.cursor)
            start = bisect_right(result.found, (score, title, id), key=lambda found: found.position)
        found = result.found[start : start + query.limit]
        more = start + query.limit < len(result.found)
        hint = None
        if not result.found:
            hint = NOTHING_FITS if len(live.shelf) else NOTHING_YET
        page = EntryPage(
            items=[EntryListed.of(each.public, languages) for each in found],
            next=service.cursors.encode(scope, found[-1].position) if more else None,
            total=len(result.found),
            hint=hint,
            facets={
                facet: [FacetValue(value=value, count=count) for value, count in _largest_first(counts)]
                for facet, counts in result.counts.items()
            },
        )
        return conditional(request, page)

    @router.get(
        "/entries/{entry}",
        response_model=EntryShown,
        responses={
            304: {"description": "The reader has it already"},
            404: {"description": "Nothing public has this id or code"},
            410: {"description": "It was withdrawn; `replaced_by` may lead on"},
        },
        status_code=200,
        summary="Show a public entry",
    )
    async def show_entry(entry: Annotated[Reference, Path()], request: Request, _: Public) -> Response:
        public = live.shelf.get(entry)
        if public is not None:
            return conditional(request, EntryShown.on(live.shelf, public, wanted_languages(request)))
        if entry in live.gone:
            successor = live.gone[entry]
            raise Problem(410, "entry-withdrawn", "This entry was withdrawn.", params={"replaced_by": successor})
        raise not_found("entry", entry)

    return router


def _largest_first(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
