"""Cities: declared, shown, changed."""

from collections.abc import Mapping, Sequence
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
    MailboxRecorded,
    Place,
    Population,
    PublicProfile,
)
from services.registration.domain.authorities import claims
from services.registration.domain.names import normalise, search_keys
from services.registration.store import CITIES, COUNTRIES, MEMBERSHIPS, PEOPLE, PLACES, City, Membership, Person
from services.registration.usecases import memberships, onboarding, people, places
from services.registration.usecases.links import VALID, VERIFY_MAILBOX, links
from services.registration.usecases.memberships import HELPDESK_ROLES
from shared.identity import Caller
from shared.ids import new_id
from shared.links import LINKS, Link
from shared.outbox import Tombstone
from shared.problems import NotYetKnown, Problem, conflict, forbidden, not_found
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


@dataclass(frozen=True, slots=True)
class Mailbox:
    """The mailbox that a city's people share."""

    mail_address: str
    locale: str


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
    mailbox: Mailbox | None,
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
        events.append(_mailbox_fact(city))
    city = await tx.save(CITIES, city, *events)
    if mailbox:
        await _mail_mailbox_link(tx, city)
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
    mailbox: Mailbox | None,
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
    mailbox: Mailbox | None,
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


async def visible(reader: Reader, city_id: str, caller: Caller) -> tuple[City, bool]:
    """A city that the caller may see, and whether it sees it from inside (a member, the helpdesk).

    Before its publication only approved members, who declared it and the helpdesk do; others get a 404 problem.
    """
    city = await onboarding.present_city(reader, city_id)
    if city is None:
        raise not_found("city", city_id)
    inside = caller.has_role(*HELPDESK_ROLES, scope=("country", city.country))
    if not inside and caller.person is not None:
        membership = await memberships.open_membership(reader, city.id, caller.person)
        state = membership.state if membership else None
        inside = state == "approved" or (state == "requested" and city.registered_by == caller.person)
    if city.published_at is None and not inside:
        raise not_found("city", city_id)
    return city, inside


async def _mine(tx: Transaction, city_id: str, caller: Caller) -> City:
    """A city that the caller may change: as approved member or helpdesk. Raises 403 and 404 problems."""
    city, _ = await visible(tx, city_id, caller)
    if not caller.has_role(*HELPDESK_ROLES, scope=("country", city.country)):
        await memberships.require_member(tx, city.id, caller)
    return city


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
        city = await _mine(tx, city_id, caller)
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
        city = await _mine(tx, city_id, caller)
        _check_commitment(commitment, tx.clock.now().date())
        city = city.model_copy(update={"commitment": commitment})
        return await tx.save(CITIES, city, CityCommitmentChanged(city_id=city.id, commitment=commitment))

    return await store.transaction(work)


async def change_statuses(store: Store, caller: Caller, city_id: str, statuses: Sequence[CityStatus]) -> City:
    """The helpdesk records all statuses of a city."""

    async def work(tx: Transaction) -> City:
        city, _ = await visible(tx, city_id, caller)
        caller.require_role(*HELPDESK_ROLES, scope=("country", city.country))
        city = city.model_copy(update={"statuses": tuple(statuses)})
        return await tx.save(CITIES, city, CityStatusesChanged(city_id=city.id, statuses=city.statuses))

    return await store.transaction(work)


def _mailbox_fact(city: City) -> MailboxRecorded:
    assert city.mail_address is not None
    return MailboxRecorded(
        city_id=city.id,
        mail_address=city.mail_address,
        mail_verified_at=city.mail_verified_at,
        locale=city.mail_locale or "en",
        time_zone=city.authority.time_zone,
    )


async def _mail_mailbox_link(tx: Transaction, city: City) -> None:
    await tx.delete(LINKS, {"purpose": VERIFY_MAILBOX, "city_id": city.id})
    await links.issue(
        tx,
        VERIFY_MAILBOX,
        city_id=city.id,
        locale=city.mail_locale,
        expires_at=tx.clock.now() + VALID[VERIFY_MAILBOX],
        data={"mail_address": city.mail_address},
    )


async def change_mailbox(store: Store, caller: Caller, city_id: str, mailbox: Mailbox | None) -> City:
    """Sets the shared mailbox, which a mailed link verifies, or removes it."""

    async def work(tx: Transaction) -> City:
        city = await _mine(tx, city_id, caller)
        had_one = city.mail_address is not None
        city = city.model_copy(
            update={
                "mail_address": mailbox.mail_address if mailbox else None,
                "mail_locale": mailbox.locale if mailbox else None,
                "mail_verified_at": None,
            }
        )
        if mailbox:
            city = await tx.save(CITIES, city, _mailbox_fact(city))
            await _mail_mailbox_link(tx, city)
        elif had_one:
            city = await tx.save(CITIES, city, Tombstone(MailboxRecorded))
        return city

    return await store.transaction(work)


async def verify_mailbox(tx: Transaction, link: Link) -> None:
    """The link in a city's shared mailbox was used."""
    assert link.city_id is not None
    city = await tx.require(CITIES, link.city_id)
    if city.mail_address != link.data["mail_address"]:
        raise conflict("mailbox-changed", "The mailbox was changed in the meantime.")
    city = city.model_copy(update={"mail_verified_at": tx.clock.now()})
    await tx.save(CITIES, city, _mailbox_fact(city))


async def explored(store: Store, caller: Caller, city_id: str) -> City:
    """A member says that the city has begun to use the offer."""

    async def work(tx: Transaction) -> City:
        return await onboarding.mark_explored(tx, await _mine(tx, city_id, caller))

    return await store.transaction(work)


async def from_inside(reader: Reader, city_id: str, caller: Caller) -> City:
    """A city for its own people and the helpdesk. Raises 403 and 404 problems."""
    city, inside = await visible(reader, city_id, caller)
    if not inside:
        raise forbidden("Only people of this city may see this.")
    return city


async def members(store: Store, caller: Caller, city_id: str) -> list[tuple[Membership, Person]]:
    """The open memberships of a city with their people, for its people and the helpdesk."""
    city = await from_inside(store, city_id, caller)
    open_states = {"$in": ["invited", "requested", "approved", "suspended"]}
    found = await store.find(MEMBERSHIPS, {"city_id": city.id, "state": open_states}, sort=[("_id", 1)])
    persons = {p.id: p for p in await store.find(PEOPLE, {"_id": {"$in": [m.person_id for m in found]}})}
    return [(membership, persons[membership.person_id]) for membership in found]


async def listed(
    store: Store,
    *,
    text: str | None = None,
    country: str | None = None,
    status: str | None = None,
    theme: str | None = None,
    after: Sequence[Any] = (),
    limit: int,
    unpublished_for: Caller | None = None,
) -> tuple[list[City], int]:
    """Cities by name, and how many there are in all; ``after`` is the sort name and id of the last one seen.

    ``unpublished_for`` lists those that are not public to a caller of the helpdesk, in its countries.
    """
    public = unpublished_for is None
    where: list[Mapping[str, Any]] = [{"merged_into": None, "published_at": {"$ne": None} if public else None}]
    if unpublished_for is not None and (countries := memberships.reach(unpublished_for)) is not None:
        where.append({"country": {"$in": countries}})
    if text and (key := normalise(text)):
        where.append({"keys": {"$regex": f"^{places.escape(key)}"}})
    if country:
        where.append({"country": country})
    if theme:
        where.append({"themes": theme})
    if status:
        today = store.clock.now().date().isoformat()
        now_holds = [{"valid_until": None}, {"valid_until": {"$gte": today}}]
        where.append({"statuses": {"$elemMatch": {"kind": status, "valid_from": {"$lte": today}, "$or": now_holds}}})
    total = await store.count(CITIES, {"$and": where})
    if after:
        name, id = after
        where.append({"$or": [{"sort_name": {"$gt": name}}, {"sort_name": name, "_id": {"$gt": id}}]})
    found = await store.find(CITIES, {"$and": where}, sort=[("sort_name", 1), ("_id", 1)], limit=limit)
    return found, total
