"""The Kafka door, and the clock's: what selection takes note of from registration, and what falls due."""

from contracts import registration
from contracts.envelope import Envelope
from services.cohort_selection.usecases import followups, offers, participations, projections, refilling, windows
from shared.deadlines import Deadline, Deadlines
from shared.inbox import Inbox
from shared.store import Transaction

inbox = Inbox("cohort-selection")


@inbox.projects(registration.CityRegistered)
async def on_city_registered(tx: Transaction, event: registration.CityRegistered, envelope: Envelope) -> None:
    """A city is known."""
    projections.city_registered(tx, event)


@inbox.projects(registration.CityPublished)
async def on_city_published(tx: Transaction, event: registration.CityPublished, envelope: Envelope) -> None:
    """A city is public."""
    projections.city_published(tx, event)


@inbox.projects(registration.CityProfileChanged, registration.CityCommitmentChanged, registration.CityStatusesChanged)
async def on_city_changed(
    tx: Transaction,
    event: registration.CityProfileChanged | registration.CityCommitmentChanged | registration.CityStatusesChanged,
    envelope: Envelope,
) -> None:
    """Something that rules look at is different now."""
    projections.city_changed(tx, event)


@inbox.projects(registration.CityMerged)
async def keep_city_merged(tx: Transaction, event: registration.CityMerged, envelope: Envelope) -> None:
    """Which city it is today."""
    projections.city_merged(tx, event)


@inbox.on(registration.CityMerged)
async def on_city_merged(tx: Transaction, event: registration.CityMerged, envelope: Envelope) -> None:
    """A city turned out to be another one."""
    await followups.city_merged(tx, event, envelope.attributes.actor)


@inbox.projects(registration.CountryRecorded)
async def on_country(tx: Transaction, event: registration.CountryRecorded, envelope: Envelope) -> None:
    """A country has this status."""
    projections.country_recorded(tx, event)


@inbox.projects(registration.MembershipApproved)
async def on_member(tx: Transaction, event: registration.MembershipApproved, envelope: Envelope) -> None:
    """Somebody speaks for a city."""
    await projections.membership(tx, event, active=True)


@inbox.projects(registration.MembershipSuspended, registration.MembershipEnded)
async def on_member_gone(
    tx: Transaction, event: registration.MembershipSuspended | registration.MembershipEnded, envelope: Envelope
) -> None:
    """Somebody no longer speaks for a city."""
    await projections.membership(tx, event, active=False)


@inbox.projects(registration.PersonMerged)
async def keep_person_merged(tx: Transaction, event: registration.PersonMerged, envelope: Envelope) -> None:
    """Who it is today."""
    projections.person_merged(tx, event)


@inbox.on(registration.PersonMerged)
async def on_person_merged(tx: Transaction, event: registration.PersonMerged, envelope: Envelope) -> None:
    """A person turned out to be another one."""
    await followups.person_merged(tx, event)


@inbox.projects(registration.PersonErased)
async def keep_person_erased(tx: Transaction, event: registration.PersonErased, envelope: Envelope) -> None:
    """Who is gone."""
    await projections.person_erased(tx, event)


@inbox.on(registration.PersonErased)
async def on_person_erased(tx: Transaction, event: registration.PersonErased, envelope: Envelope) -> None:
    """A person is erased."""
    await followups.person_erased(tx, event)


async def on_opening(tx: Transaction, deadline: Deadline) -> None:
    """A call's window opens."""
    await windows.open_window(tx, deadline.data["call_id"])


async def on_closing(tx: Transaction, deadline: Deadline) -> None:
    """A call's window has closed, and everything that arrived in time has gone through."""
    await windows.close_window(tx, deadline.data["call_id"])


async def on_offer_expired(tx: Transaction, deadline: Deadline) -> None:
    """An offer has ended."""
    await participations.expire(tx, deadline.data["participation_id"])


async def on_refill(tx: Transaction, deadline: Deadline) -> None:
    """Places may have come free."""
    await refilling.refill(tx, deadline.data["call_id"])


def make_timers() -> Deadlines:
    """What falls due, for one process."""
    timers = Deadlines()
    timers.on(windows.OPENS)(on_opening)
    timers.on(windows.CLOSES)(on_closing)
    timers.on(offers.EXPIRES)(on_offer_expired)
    timers.on(refilling.REFILL)(on_refill)
    return timers
