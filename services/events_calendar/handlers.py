"""The Kafka door: which use case takes which event."""

from contracts import cohort_selection as selection
from contracts import registration
from contracts.envelope import Envelope
from contracts.national_platforms import PlatformListed
from services.events_calendar.usecases import cities, directory, holders, platform_events
from shared.inbox import Inbox, RawRecord
from shared.store import Transaction

inbox = Inbox("events-calendar")


@inbox.on_raw(platform_events.TOPIC)
async def on_platform_record(tx: Transaction, record: RawRecord) -> None:
    """A national platform has sent something."""
    await platform_events.take(tx, record)


@inbox.projects(PlatformListed)
async def on_platform_listed(tx: Transaction, event: PlatformListed, _: Envelope) -> None:
    """The directory has a platform, or has it otherwise."""
    directory.listed(tx, event)


@inbox.projects_tombstone(PlatformListed)
async def on_platform_unlisted(tx: Transaction, _: None, envelope: Envelope) -> None:
    """The directory has a platform no more."""
    directory.unlisted(tx, envelope.attributes.subject)


@inbox.projects(registration.CityRegistered)
async def on_city_registered(tx: Transaction, event: registration.CityRegistered, _: Envelope) -> None:
    """A city was declared."""
    cities.note_authority(tx, event.city_id, event.authority)
    cities.note_statuses(tx, event.city_id, event.statuses)


@inbox.projects(registration.CityPublished)
async def on_city_published(tx: Transaction, event: registration.CityPublished, _: Envelope) -> None:
    """A city is public."""
    cities.note_public(tx, event.city_id)


@inbox.projects(registration.CityProfileChanged)
async def on_city_changed(tx: Transaction, event: registration.CityProfileChanged, _: Envelope) -> None:
    """A city is called otherwise."""
    cities.note_authority(tx, event.city_id, event.authority)


@inbox.projects(registration.CityStatusesChanged)
async def on_city_statuses(tx: Transaction, event: registration.CityStatusesChanged, _: Envelope) -> None:
    """A city has other statuses."""
    cities.note_statuses(tx, event.city_id, event.statuses)


@inbox.projects(registration.CityMerged)
async def keep_city_merged(tx: Transaction, event: registration.CityMerged, _: Envelope) -> None:
    """Which city it is today."""
    await cities.note_merge(tx, event.city_id, event.into_city_id)


@inbox.on(registration.CityMerged)
async def on_city_merged(tx: Transaction, event: registration.CityMerged, _: Envelope) -> None:
    """A city turned out to be another one."""
    await holders.merge_cities(tx, event.city_id, event.into_city_id)


@inbox.on(registration.GuestLinked)
async def on_guest_linked(tx: Transaction, event: registration.GuestLinked, _: Envelope) -> None:
    """A guest turned out to be a person with an account."""
    await holders.link_guest(tx, event)


@inbox.on(registration.PersonMerged)
async def on_person_merged(tx: Transaction, event: registration.PersonMerged, _: Envelope) -> None:
    """A person turned out to be another one."""
    await holders.merge_persons(tx, event.person_id, event.into_person_id)


@inbox.on(registration.PersonErased)
async def on_person_erased(tx: Transaction, event: registration.PersonErased, _: Envelope) -> None:
    """A person's data is erased."""
    await holders.erase_person(tx, event.person_id)


@inbox.projects(selection.PlaceGranted)
async def on_place_granted(tx: Transaction, event: selection.PlaceGranted, _: Envelope) -> None:
    """A selection has granted a city places."""
    cities.note_grant(tx, event)


@inbox.projects(selection.PlaceReleased)
async def keep_place_released(tx: Transaction, event: selection.PlaceReleased, _: Envelope) -> None:
    """Which places are a city's no more."""
    cities.note_release(tx, event)


@inbox.on(selection.PlaceReleased)
async def on_place_released(tx: Transaction, event: selection.PlaceReleased, _: Envelope) -> None:
    """Places that were granted are a city's no more."""
    await holders.release_places(tx, event)
