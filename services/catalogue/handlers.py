"""What the catalogue does when something happens elsewhere."""

from typing import Final

from contracts.envelope import Envelope
from contracts.national_platforms import PlatformListed
from contracts.registration import CityMerged, PersonErased, PersonMerged
from services.catalogue import usecases
from shared.inbox import Inbox
from shared.store import Transaction

inbox: Final = Inbox("catalogue")


@inbox.on(PlatformListed)
async def on_platform_listed(tx: Transaction, event: PlatformListed, _: Envelope) -> None:
    """A national platform is in the directory."""
    await usecases.list_platform(tx, event)


@inbox.projects(CityMerged)
async def keep_city_merged(tx: Transaction, event: CityMerged, _: Envelope) -> None:
    """Which city it is today."""
    usecases.keep_alias(tx, event.city_id, event.into_city_id)


@inbox.on(CityMerged)
async def on_city_merged(tx: Transaction, event: CityMerged, _: Envelope) -> None:
    """A city turned out to be another one."""
    await usecases.merge_city(tx, event.city_id, event.into_city_id)


@inbox.projects(PersonMerged)
async def keep_person_merged(tx: Transaction, event: PersonMerged, _: Envelope) -> None:
    """Who it is today."""
    usecases.keep_alias(tx, event.person_id, event.into_person_id)


@inbox.on(PersonMerged)
async def on_person_merged(tx: Transaction, event: PersonMerged, _: Envelope) -> None:
    """A person turned out to be another one."""
    await usecases.merge_person(tx, event.person_id, event.into_person_id)


@inbox.projects(PersonErased)
async def keep_person_erased(tx: Transaction, event: PersonErased, _: Envelope) -> None:
    """Whom nothing leads to any more."""
    usecases.keep_alias(tx, event.person_id, None)


@inbox.on(PersonErased)
async def on_person_erased(tx: Transaction, event: PersonErased, _: Envelope) -> None:
    """A person's data is erased."""
    await usecases.erase_person(tx, event.person_id)
