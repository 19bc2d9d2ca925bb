"""What is known here of cities, and of the places that selections granted them."""

from typing import Any

from contracts.cohort_selection import PlaceGranted, PlaceReleased
from contracts.common import CityId
from contracts.events_calendar import Session
from contracts.registration import Authority, CityStatus
from services.events_calendar.domain import booking as rules
from services.events_calendar.store import CITIES, GRANTED_PLACES, City, GrantedPlace
from shared.problems import NotYetKnown
from shared.store import Reader, Transaction


def note_authority(tx: Transaction, city: CityId, authority: Authority) -> None:
    """Keeps a city's name and country."""
    tx.project(CITIES, city, {"name": authority.name, "country": authority.country})


def note_statuses(tx: Transaction, city: CityId, statuses: tuple[CityStatus, ...]) -> None:
    """Keeps a city's statuses."""
    tx.project(CITIES, city, {"statuses": [status.model_dump(mode="json") for status in statuses]})


def note_public(tx: Transaction, city: CityId) -> None:
    """Keeps that a city is public."""
    tx.project(CITIES, city, {"public": True})


async def note_merge(tx: Transaction, city: CityId, into: CityId) -> None:
    """Keeps that a city turned out to be another one, or whatever that one is by now."""
    final = await present(tx, into) or into
    tx.project(CITIES, city, {"merged_into": final})
    await tx.update(CITIES, {"merged_into": city}, {"$set": {"merged_into": final}})


async def present(reader: Reader, city: str | None) -> str | None:
    """The city that a city is by now, after merges."""
    known = await reader.get(CITIES, city) if city else None
    return known.merged_into if known and known.merged_into else city


async def is_mission_city(tx: Transaction, city: str) -> bool:
    """Whether the city is a Mission City today. Raises :class:`NotYetKnown` for a city that has not arrived here."""
    known: City | None = await tx.get(CITIES, city)
    if known is None:
        raise NotYetKnown("city", city)
    return rules.is_mission_city(known.statuses, tx.clock.now().date())


async def granted(reader: Reader, city: str, session_id: str, session: Session) -> list[GrantedPlace]:
    """The places of a city that are good for this session; those for this session alone come first."""
    former = await reader.find(CITIES, {"merged_into": city})
    own: dict[str, Any] = {"city_id": {"$in": [city, *(one.id for one in former)]}, "released": {"$ne": True}}
    cohort = {"session_id": None, "programme": session.programme, "cohort": session.cohort}
    places = await reader.find(GRANTED_PLACES, {**own, "$or": [{"session_id": session_id}, cohort]})
    return sorted(places, key=lambda place: (place.session_id is None, place.id))


def note_grant(tx: Transaction, event: PlaceGranted) -> None:
    """Keeps that a city may book places."""
    fields = event.model_dump(mode="json", exclude={"persons"}) | {"released": False}
    tx.project(GRANTED_PLACES, _place_id(event), fields)


def note_release(tx: Transaction, event: PlaceReleased) -> None:
    """Keeps that places are the city's no more."""
    fields = event.model_dump(mode="json", exclude={"reason"}) | {"released": True}
    tx.project(GRANTED_PLACES, _place_id(event), fields)


def _place_id(event: PlaceGranted | PlaceReleased) -> str:
    return f"{event.participation_id}/{event.session_id or '*'}"
