"""Cities: declared and changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from contracts.registration import (
    Authority,
    CityCommitmentChanged,
    CityKind,
    CityProfileChanged,
    CityPublished,
    CityRegistered,
    CityStatus,
    CityStatusesChanged,
    Commitment,
    CountryStatus,
    Evidence,
    Place,
    Population,
    PublicProfile,
)
from services.registration.domain.authorities import claims
from services.registration.domain.names import normalise, search_keys
from services.registration.store import CITIES, COUNTRIES, PLACES, City, Membership
from services.registration.usecases import city_views, mailboxes, memberships, onboarding, people, places
from services.registration.usecases.memberships import HELPDESK_ROLES
from shared.identity import Caller
from shared.ids import new_id
from shared.problems import NotYetKnown, Problem, conflict
from shared.store import Reader, Store, Transaction


@dataclass(frozen=True, slots=True)
class Declared:
    """An authority as somebody declares it: places by their id in the directory, the zone by default the first's."""

    name: str
    kind: CityKind
    place_ids: Sequence[str]
    population: Population | None = None
    time_zone: str | None = None
    website: str | None = None


async def _authority(reader: Reader, declared: Declared) -> Authority:
    """Raises 422 problems for unknown places, several countries, and countries that are not eligible."""
    found = {place.id: place for place in await reader.find(PLACES, {"_id": {"$in": list(declared.place_ids)}})}
    missing = [id for id in declared.place_ids if id not in found]
    if missing and not await places.loaded(reader):
        raise NotYetKnown("place", missing[0])
    if missing:
        raise Problem(422, "place-unknown", "A place is not in the directory.", params={"place": missing[0]})
    chosen = [found[id] for id in dict.fromkeys(declared.place_ids)]
    countries = sorted({place.country for place in chosen})
    if len(countries) > 1:
        raise Problem(422, "places-in-several-countries", "All places of an authority lie in one country.")
    country = await reader.get(COUNTRIES, countries[0])
    if country is None or country.status is CountryStatus.OTHER:
        detail = "Cities of the Union and of associated countries can register."
        raise Problem(422, "country-not-eligible", detail, params={"country": countries[0]})
    return Authority(
        name=declared.name,
        kind=declared.kind,
        country=countries[0],
        places=tuple(
            Place(
                source="geonames",
                code=place.id,
                name=place.name,
                country=place.country,
                region=place.region,
                latitude=place.latitude,
                longitude=place.longitude,
            )
            for place in chosen
        ),
        population=declared.population,
        time_zone=declared.time_zone or chosen[0].time_zone,
        website=declared.website,
    )


async def _check_free(reader: Reader, wanted: Sequence[str], but: str | None = None) -> None:
    """Raises a 409 problem that tells how to join the authority that is there, and nothing else about it."""
    present = await reader.one(CITIES, {"claims": {"$in": list(wanted)}, "_id": {"$ne": but}})
    if present is not None:
        raise conflict(
            "city-declared-already",
            "This authority is declared already; ask for membership of it instead.",
            city_id=present.id,
            request_membership=f"/cities/{present.id}/memberships",
        )


def _derived(authority: Authority, profile: PublicProfile) -> dict[str, Any]:
    """What lists are searched by."""
    keys = dict.fromkeys(search_keys(authority.name))
    for place in authority.places:
        keys.update(dict.fromkeys(search_keys(place.name)))
    return {
        "country": authority.country,
        "sort_name": normalise(authority.name),
        "keys": list(keys),
        "themes": [*profile.domains, *profile.levers],
        "claims": claims(authority.kind, authority.name, authority.places),
    }


async def _register(
    tx: Transaction,
    declared: Declared,
    *,
    profile: PublicProfile,
    commitment: Commitment | None,
    statuses: Sequence[CityStatus],
    origin: str,
    published: str | None,
    mailbox: mailboxes.Mailbox | None,
    by: str | None,
) -> City:
    authority = await _authority(tx, declared)
    _check_commitment(commitment, tx.clock.now().date())
    derived = _derived(authority, profile)
    await _check_free(tx, derived["claims"])
    now = tx.clock.now()
    city = City(
        id=new_id("city"),
        authority=authority,
        profile=profile,
        commitment=commitment,
        statuses=tuple(statuses),
        origin=origin,
        registered_by=by,
        registered_at=now,
        published_at=now if published else None,
        mail_address=mailbox.mail_address if mailbox else None,
        mail_locale=mailbox.locale if mailbox else None,
        **derived,
    )
    events: list[Any] = [
        CityRegistered(
            city_id=city.id,
            authority=authority,
            profile=profile,
            commitment=commitment,
            statuses=city.statuses,
            origin=origin,
        )
    ]
    if published:
        events.append(CityPublished(city_id=city.id, ground=published))
    if mailbox:
        events.append(mailboxes.fact(city))
    city = await tx.save(CITIES, city, *events)
    if mailbox:
        await mailboxes.mail_link(tx, city)
    return city


def _check_commitment(commitment: Commitment | None, today: date) -> None:
    if commitment is None:
        return
    if commitment.committed_on > today:
        raise Problem(422, "commitment-in-future", "The day of the commitment cannot be in the future.")
    if commitment.neutral_by < commitment.committed_on.year:
        raise Problem(422, "commitment-in-past", "The year of neutrality cannot be before the commitment.")


async def declare(
    store: Store,
    person_id: str,
    declared: Declared,
    *,
    role: str,
    evidence: Evidence | None,
    profile: PublicProfile,
    commitment: Commitment | None,
    mailbox: mailboxes.Mailbox | None,
) -> tuple[City, Membership]:
    """A person with a verified address declares its authority and asks for membership; nothing is public yet."""

    async def work(tx: Transaction) -> tuple[City, Membership]:
        person = await people.verified(tx, person_id)
        city = await _register(
            tx,
            declared,
            profile=profile,
            commitment=commitment,
            statuses=(),
            origin="self-registered",
            published=None,
            mailbox=mailbox,
            by=person_id,
        )
        membership = await memberships.request(tx, city, person, role, evidence)
        return city, membership

    return await store.transaction(work)


async def register_official(
    store: Store,
    caller: Caller,
    declared: Declared,
    *,
    origin: str,
    statuses: Sequence[CityStatus],
    profile: PublicProfile,
    commitment: Commitment | None,
    mailbox: mailboxes.Mailbox | None,
) -> City:
    """The helpdesk registers a city: off an official list it is public at once, assisted it waits for a member."""

    async def work(tx: Transaction) -> City:
        city = await _register(
            tx,
            declared,
            profile=profile,
            commitment=commitment,
            statuses=statuses,
            origin=origin,
            published="official-list" if origin == "official-list" else None,
            mailbox=mailbox,
            by=caller.id,
        )
        caller.require_role(*HELPDESK_ROLES, scope=("country", city.country))
        return city

    return await store.transaction(work)


async def change_profile(
    store: Store,
    caller: Caller,
    city_id: str,
    *,
    declared: Declared | None = None,
    profile: PublicProfile | None = None,
) -> City:
    """Changes what the authority is, or what it shows."""

    async def work(tx: Transaction) -> City:
        city = await city_views.changeable(tx, city_id, caller)
        authority = await _authority(tx, declared) if declared else city.authority
        shown = profile or city.profile
        derived = _derived(authority, shown)
        await _check_free(tx, derived["claims"], but=city.id)
        city = city.model_copy(update={"authority": authority, "profile": shown, **derived})
        return await tx.save(CITIES, city, CityProfileChanged(city_id=city.id, authority=authority, profile=shown))

    return await store.transaction(work)


async def change_commitment(store: Store, caller: Caller, city_id: str, commitment: Commitment | None) -> City:
    """Records the city's commitment, or that it was taken back."""

    async def work(tx: Transaction) -> City:
        city = await city_views.changeable(tx, city_id, caller)
        _check_commitment(commitment, tx.clock.now().date())
        city = city.model_copy(update={"commitment": commitment})
        return await tx.save(CITIES, city, CityCommitmentChanged(city_id=city.id, commitment=commitment))

    return await store.transaction(work)


async def change_statuses(store: Store, caller: Caller, city_id: str, statuses: Sequence[CityStatus]) -> City:
    """The helpdesk records all statuses of a city."""

    async def work(tx: Transaction) -> City:
        city, _ = await city_views.visible(tx, city_id, caller)
        caller.require_role(*HELPDESK_ROLES, scope=("country", city.country))
        city = city.model_copy(update={"statuses": tuple(statuses)})
        return await tx.save(CITIES, city, CityStatusesChanged(city_id=city.id, statuses=city.statuses))

    return await store.transaction(work)


async def explored(store: Store, caller: Caller, city_id: str) -> City:
    """A member says that the city has begun to use the offer."""

    async def work(tx: Transaction) -> City:
        return await onboarding.mark_explored(tx, await city_views.changeable(tx, city_id, caller))

    return await store.transaction(work)
