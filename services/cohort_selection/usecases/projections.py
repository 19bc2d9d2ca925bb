"""What is kept here of registration's facts."""

from contracts import registration as facts
from services.cohort_selection.store import CITIES, COUNTRIES, MEMBERS, PERSONS
from shared.store import Transaction


def city_registered(tx: Transaction, event: facts.CityRegistered) -> None:
    """A city is known."""
    fields = event.model_dump(mode="json", include={"authority", "commitment", "statuses"})
    tx.project(CITIES, event.city_id, fields)


def city_published(tx: Transaction, event: facts.CityPublished) -> None:
    """A city is public."""
    tx.project(CITIES, event.city_id, {"published": True})


def city_changed(
    tx: Transaction, event: facts.CityProfileChanged | facts.CityCommitmentChanged | facts.CityStatusesChanged
) -> None:
    """Something that rules look at is different now."""
    fields = event.model_dump(mode="json", include={"authority", "commitment", "statuses"})
    tx.project(CITIES, event.city_id, fields)


def country_recorded(tx: Transaction, event: facts.CountryRecorded) -> None:
    """A country has this status."""
    tx.project(COUNTRIES, event.country, event.model_dump(mode="json", include={"status", "since"}))


async def membership(tx: Transaction, event: facts.MembershipFact, *, active: bool) -> None:
    """Somebody speaks for a city, or no longer; of who is erased nothing is kept."""
    person = await tx.get(PERSONS, event.person_id)
    if person is not None and person.erased:
        return
    tx.project(MEMBERS, event.membership_id, {"person_id": event.person_id, "city_id": event.city_id, "active": active})


def city_merged(tx: Transaction, event: facts.CityMerged) -> None:
    """A city turned out to be another one."""
    tx.project(CITIES, event.city_id, {"merged_into": event.into_city_id})


def person_merged(tx: Transaction, event: facts.PersonMerged) -> None:
    """A person turned out to be another one."""
    tx.project(PERSONS, event.person_id, {"merged_into": event.into_person_id})


async def person_erased(tx: Transaction, event: facts.PersonErased) -> None:
    """A person is no more, and speaks for no city."""
    tx.project(PERSONS, event.person_id, {"erased": True})
    await tx.delete(MEMBERS, {"person_id": event.person_id})
