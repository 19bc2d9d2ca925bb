"""What registration keeps of a person, for that person."""

from dataclasses import dataclass
from typing import Any

from fastapi.encoders import jsonable_encoder

from services.registration.store import (
    BOOKINGS,
    CITIES,
    GRANTS,
    MEMBERSHIPS,
    REFRESH_TOKENS,
    Grant,
    Membership,
    Person,
)
from services.registration.usecases import people
from shared.links import LINKS
from shared.store import Store


@dataclass(frozen=True, slots=True)
class Mine:
    """A person's memberships with the cities' names, where it may know them, and the grants that were not revoked."""

    memberships: list[tuple[Membership, str | None]]
    grants: list[Grant]


async def person(store: Store, person_id: str) -> Person:
    """The person. Raises a 404 problem for one who was erased."""
    return await people.present(store, person_id)


async def of_person(store: Store, person: Person) -> Mine:
    """A person's memberships and grants."""
    memberships = await store.find(MEMBERSHIPS, {"person_id": person.id}, sort=[("_id", 1)])
    cities = {
        city.id: city for city in await store.find(CITIES, {"_id": {"$in": [each.city_id for each in memberships]}})
    }

    def name(membership: Membership) -> str | None:
        city = cities[membership.city_id]
        known = city.published_at is not None or city.registered_by == person.id or membership.state == "approved"
        return city.authority.name if known else None

    grants = await store.find(GRANTS, {"person_id": person.id, "revoked_at": None}, sort=[("_id", 1)])
    return Mine([(membership, name(membership)) for membership in memberships], grants)


async def export(store: Store, person_id: str) -> dict[str, Any]:
    """Everything about a person, as JSON values; secrets are told by their dates alone."""
    person = await people.present(store, person_id)
    mine = await of_person(store, person)
    holder = {"$or": [{"person_id": person_id}, {"guest_id": {"$in": person.guests}}]}
    data: dict[str, Any] = jsonable_encoder(
        {
            "person": person.model_dump(exclude={"password_hash", "mail_key", "mail_hash", "version"}),
            "memberships": [membership.model_dump(exclude={"version"}) for membership, _ in mine.memberships],
            "grants": [
                grant.model_dump(exclude={"version"}) for grant in await store.find(GRANTS, {"person_id": person_id})
            ],
            "bookings": [each.model_dump(exclude={"version"}) for each in await store.find(BOOKINGS, holder)],
            "sessions": [
                each.model_dump(include={"issued_at", "expires_at", "used_at"})
                for each in await store.find(REFRESH_TOKENS, {"person_id": person_id})
            ],
            "links": [
                each.model_dump(include={"purpose", "expires_at", "used_at", "choice"})
                for each in await store.find(LINKS, {"person_id": person_id})
            ],
        }
    )
    return data
