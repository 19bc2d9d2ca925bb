"""Cities as they are seen: by the public, from inside, in lists."""

from collections.abc import Mapping, Sequence
from typing import Any

from services.registration.domain.memberships import OPEN
from services.registration.domain.names import normalise
from services.registration.store import CITIES, MEMBERSHIPS, PEOPLE, City, Membership, Person
from services.registration.usecases import memberships, onboarding, places
from services.registration.usecases.memberships import HELPDESK_ROLES, members_only
from shared.identity import Caller
from shared.problems import forbidden, not_found
from shared.store import Reader, Store


async def visible(reader: Reader, city_id: str, caller: Caller) -> tuple[City, bool]:
    """A city that the caller may see, and whether it sees it from inside (a member, the helpdesk).

    Before its publication only approved members, who declared it and the helpdesk do; others get a 404 problem.
    """
    city, inside, _ = await _seen(reader, city_id, caller)
    return city, inside


async def changeable(reader: Reader, city_id: str, caller: Caller) -> City:
    """A city that the caller may change: as approved member or helpdesk. Raises 403 and 404 problems."""
    city, _, speaks = await _seen(reader, city_id, caller)
    if not speaks:
        raise members_only()
    return city


async def _seen(reader: Reader, city_id: str, caller: Caller) -> tuple[City, bool, bool]:
    """The city, whether the caller sees it from inside, and whether it speaks for it."""
    city = await onboarding.present_city(reader, city_id)
    if city is None:
        raise not_found("city", city_id)
    inside = speaks = caller.has_role(*HELPDESK_ROLES, scope=("country", city.country))
    if not speaks and caller.person is not None:
        membership = await memberships.open_membership(reader, city.id, caller.person)
        state = membership.state if membership else None
        speaks = state == "approved"
        inside = speaks or (state == "requested" and city.registered_by == caller.person)
    if city.published_at is None and not inside:
        raise not_found("city", city_id)
    return city, inside, speaks


async def from_inside(reader: Reader, city_id: str, caller: Caller) -> City:
    """A city for its own people and the helpdesk. Raises 403 and 404 problems."""
    city, inside = await visible(reader, city_id, caller)
    if not inside:
        raise forbidden("Only people of this city may see this.")
    return city


async def members(store: Store, caller: Caller, city_id: str) -> list[tuple[Membership, Person]]:
    """The open memberships of a city with their people, for its people and the helpdesk."""
    city = await from_inside(store, city_id, caller)
    found = await store.find(MEMBERSHIPS, {"city_id": city.id, "state": {"$in": list(OPEN)}}, sort=[("_id", 1)])
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
