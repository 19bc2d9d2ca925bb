"""Countries whose cities can take part: kept in a file, told as events when something in it is new."""

import csv
from functools import cache
from pathlib import Path

from contracts.registration import CountryRecorded, CountryStatus
from services.registration.store import COUNTRIES, Country
from shared.store import Store, Transaction

SOURCE = Path(__file__).resolve().parents[1] / "data" / "countries.csv"


@cache
def listed() -> tuple[Country, ...]:
    """The countries of the file: code, status, since which day, and where that is written."""
    with SOURCE.open(newline="", encoding="utf-8") as file:
        return tuple(
            Country(
                id=row["country"], status=CountryStatus(row["status"]), since=row["since"] or None, source=row["source"]
            )
            for row in csv.DictReader(file)
        )


async def seed(store: Store) -> None:
    """Records what is new or has changed in the file; does nothing when all of it is known."""

    async def work(tx: Transaction) -> None:
        known = {country.id: country for country in await tx.find(COUNTRIES, {})}
        for country in listed():
            present = known.get(country.id)
            if present is not None and present.model_copy(update={"version": 0}) == country:
                continue
            recorded = CountryRecorded(
                country=country.id, status=country.status, since=country.since, source=country.source
            )
            changed = country.model_copy(update={"version": present.version if present else 0})
            await tx.save(COUNTRIES, changed, recorded)

    await store.transaction(work)


async def all_countries(store: Store) -> list[Country]:
    """Every country, by code."""
    return await store.find(COUNTRIES, {}, sort=[("_id", 1)])
