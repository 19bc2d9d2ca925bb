"""What the helpdesk does for cities and people."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from contracts.common import CityId, CountryCode, PersonId
from services.registration.api.common import (
    Address,
    AuthorityIn,
    CityPath,
    CityView,
    CommitmentIn,
    Helpdesk,
    MailboxIn,
    PersonPath,
    ProfileIn,
    StatusIn,
)
from services.registration.store import Person
from services.registration.usecases import cities, city_views, helpdesk, people
from shared import idempotency
from shared.bodies import Body
from shared.paging import CursorParam, Limit, Page
from shared.problems import not_found
from shared.service import ServiceDep, StoreDep

router = APIRouter(tags=["helpdesk"])


class RegisterCity(Body):
    """A city off an official list, public at once; or assisted, public with its first approved member."""

    authority: AuthorityIn
    origin: Literal["official-list", "assisted"]
    statuses: Annotated[tuple[StatusIn, ...], Field(max_length=50)] = ()
    profile: ProfileIn = ProfileIn()
    commitment: CommitmentIn | None = None
    mailbox: MailboxIn | None = None


class MergeCity(Body):
    """The city that stays."""

    into: CityId


class MergePerson(Body):
    """The person who stays."""

    into: PersonId


class FindPerson(Body):
    """A person by its mail address; in the body, so that the address stands in no log."""

    mail_address: Address


class PersonView(BaseModel):
    """A person as the helpdesk sees it."""

    id: str
    given_name: str | None
    family_name: str | None
    mail_address: str | None
    mail_verified_at: datetime | None
    locale: str
    time_zone: str

    @classmethod
    def of(cls, person: Person) -> "PersonView":
        """A person as the helpdesk sees it."""
        return cls(**person.model_dump(include=set(cls.model_fields)))


@router.post("/helpdesk/cities", status_code=201, operation_id="register_city", summary="Register a city for others")
async def register(body: RegisterCity, caller: Helpdesk, store: StoreDep) -> CityView:
    shown = idempotency.answer(CityView.inside)
    city = await cities.register_official(
        store,
        caller,
        body.authority.declared(),
        origin=body.origin,
        statuses=body.statuses,
        profile=body.profile,
        commitment=body.commitment,
        mailbox=body.mailbox.as_mailbox() if body.mailbox else None,
    )
    return shown(city)


@router.get(
    "/helpdesk/cities", status_code=200, operation_id="list_unpublished_cities", summary="Cities not yet public"
)
async def list_unpublished(
    caller: Helpdesk,
    service: ServiceDep,
    country: Annotated[CountryCode | None, Query()] = None,
    limit: Limit = 50,
    cursor: CursorParam = None,
) -> Page[CityView]:
    scope = f"unpublished/{country}"
    after = service.cursors.decode(scope, cursor) if cursor else []
    found, total = await city_views.listed(
        service.store, country=country, after=after, limit=limit + 1, unpublished_for=caller
    )
    shown, more = found[:limit], len(found) > limit
    next = service.cursors.encode(scope, [shown[-1].sort_name, shown[-1].id]) if more else None
    hint = None if total else "Every city is public."
    return Page(items=[CityView.of(city, inside=True) for city in shown], next=next, total=total, hint=hint)


@router.post(
    "/helpdesk/cities/{city}/merge", status_code=200, operation_id="merge_cities", summary="Merge a city into another"
)
async def merge_cities(city: CityPath, body: MergeCity, caller: Helpdesk, store: StoreDep) -> CityView:
    shown = idempotency.answer(CityView.inside)
    return shown(await helpdesk.merge_cities(store, caller, city, body.into))


@router.post("/people/search", status_code=200, operation_id="find_person", summary="Find a person by mail address")
async def find_person(body: FindPerson, caller: Helpdesk, store: StoreDep) -> PersonView:
    person = await people.by_mail(store, body.mail_address)
    if person is None:
        raise not_found("person", "mail-address")
    return PersonView.of(person)


@router.get("/people/{person}", status_code=200, operation_id="read_person", summary="One person")
async def read_person(person: PersonPath, caller: Helpdesk, store: StoreDep) -> PersonView:
    return PersonView.of(await people.present(store, person))


@router.post(
    "/people/{person}/merge", status_code=200, operation_id="merge_people", summary="Merge an account into another"
)
async def merge_people(person: PersonPath, body: MergePerson, caller: Helpdesk, store: StoreDep) -> PersonView:
    shown = idempotency.answer(PersonView.of)
    return shown(await helpdesk.merge_people(store, caller, person, body.into))


@router.delete("/people/{person}", status_code=204, operation_id="erase_person", summary="Erase a person")
async def erase_person(person: PersonPath, caller: Helpdesk, store: StoreDep) -> None:
    await helpdesk.erase_by(store, caller, person)
