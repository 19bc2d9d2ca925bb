"""Places and countries: what cities are found by."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from contracts.common import CountryCode
from contracts.registration import CountryStatus
from services.registration.store import Place
from services.registration.usecases import countries, places
from shared.identity import Public
from shared.service import StoreDep

router = APIRouter()


class PlaceView(BaseModel):
    """A place of the gazetteer (GeoNames, CC BY 4.0). ``population`` is the place's, not an authority's."""

    id: str
    name: str
    country: str
    region: str | None
    latitude: float
    longitude: float
    population: int
    time_zone: str

    @classmethod
    def of(cls, place: Place) -> "PlaceView":
        """A place as it is shown."""
        return cls(**place.model_dump(include=set(cls.model_fields)))


class Places(BaseModel):
    """Places found. ``complete`` is false while the directory is still being loaded."""

    items: list[PlaceView]
    complete: bool


class CountryView(BaseModel):
    """A country's relation to the Union's research programme."""

    country: str
    status: CountryStatus
    since: date | None
    source: str


class Countries(BaseModel):
    """All countries whose cities can take part."""

    items: list[CountryView]


@router.get("/places", tags=["places"], operation_id="search_places", summary="Find a place by typing", status_code=200)
async def search(
    _: Public,
    store: StoreDep,
    q: Annotated[str, Query(min_length=1, max_length=100, description="The beginning of a name, in any spelling")],
    country: Annotated[CountryCode | None, Query(description="ISO 3166-1 alpha-2")] = None,
    limit: Annotated[int, Query(ge=1, le=50)] = 10,
) -> Places:
    # Asked first: a search may come to its end just before the directory does.
    complete = await places.loaded(store)
    found = await places.search(store, q, country, limit)
    return Places(items=[PlaceView.of(place) for place in found], complete=complete)


@router.get("/countries", tags=["places"], operation_id="list_countries", summary="Eligible countries", status_code=200)
async def list_countries(_: Public, store: StoreDep) -> Countries:
    found = await countries.all_countries(store)
    return Countries(
        items=[
            CountryView.model_validate({"country": each.id, **each.model_dump(include={"status", "since", "source"})})
            for each in found
        ]
    )
