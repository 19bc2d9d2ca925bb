"""Cities as they are declared and read."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from contracts.common import CountryCode, Slug
from services.registration.api.common import (
    AuthorityIn,
    CityPath,
    CityView,
    CommitmentIn,
    EvidenceIn,
    MailboxIn,
    MembershipView,
    ProfileIn,
    Role,
)
from services.registration.api.me import NextStepsView
from services.registration.store import City, Membership
from services.registration.usecases import cities, city_views, onboarding
from shared import idempotency
from shared.bodies import Body
from shared.identity import Public, SignedIn
from shared.paging import CursorParam, Limit, Page
from shared.service import ServiceDep, StoreDep

router = APIRouter(prefix="/cities", tags=["cities"])


class DeclareCity(Body):
    """A local authority, and on what ground the caller speaks for it."""

    authority: AuthorityIn
    profile: ProfileIn = ProfileIn()
    commitment: CommitmentIn | None = None
    mailbox: MailboxIn | None = None
    role: Role = "representative"
    evidence: EvidenceIn | None = None


class DeclaredCity(BaseModel):
    """The city, which is not public yet, and the membership that the helpdesk has to approve."""

    city: CityView
    membership: MembershipView

    @classmethod
    def of(cls, declared: tuple[City, Membership]) -> "DeclaredCity":
        """What was declared, as its author sees it."""
        city, membership = declared
        return cls(city=CityView.inside(city), membership=MembershipView.of(membership))


@router.post(
    "", status_code=201, operation_id="declare_city", summary="Declare a local authority and ask to speak for it"
)
async def declare(body: DeclareCity, caller: SignedIn, store: StoreDep) -> DeclaredCity:
    shown = idempotency.answer(DeclaredCity.of)
    declared = await cities.declare(
        store,
        caller.id,
        body.authority.declared(),
        role=body.role,
        evidence=body.evidence,
        profile=body.profile,
        commitment=body.commitment,
        mailbox=body.mailbox.as_mailbox() if body.mailbox else None,
    )
    return shown(declared)


@router.get("", status_code=200, operation_id="list_cities", summary="Public cities by name")
async def list_cities(
    _: Public,
    service: ServiceDep,
    q: Annotated[str | None, Query(max_length=100, description="The beginning of a word of the name")] = None,
    country: Annotated[CountryCode | None, Query()] = None,
    status: Annotated[Slug | None, Query(description="A status that holds today, such as mission-city")] = None,
    theme: Annotated[Slug | None, Query(description="An emission domain or lever of the profile")] = None,
    limit: Limit = 50,
    cursor: CursorParam = None,
) -> Page[CityView]:
    scope = f"cities/{q}/{country}/{status}/{theme}"
    after = service.cursors.decode(scope, cursor) if cursor else []
    found, total = await city_views.listed(
        service.store, text=q, country=country, status=status, theme=theme, after=after, limit=limit + 1
    )
    shown, more = found[:limit], len(found) > limit
    next = service.cursors.encode(scope, [shown[-1].sort_name, shown[-1].id]) if more else None
    hint = None if total else "No city fits. Take a filter away, or declare your own city."
    return Page(items=[CityView.of(city) for city in shown], next=next, total=total, hint=hint)


@router.get("/{city}", status_code=200, operation_id="read_city", summary="One city")
async def read(city: CityPath, caller: Public, store: StoreDep) -> CityView:
    found, inside = await city_views.visible(store, city, caller)
    return CityView.of(found, inside=inside)


@router.get("/{city}/next-steps", status_code=200, operation_id="read_city_next_steps", summary="What a city does next")
async def next_steps(city: CityPath, caller: SignedIn, store: StoreDep) -> NextStepsView:
    return NextStepsView.of(
        await onboarding.next_steps_of_city(store, await city_views.from_inside(store, city, caller))
    )


@router.post(
    "/{city}/onboarding/exploration",
    status_code=200,
    operation_id="complete_exploration",
    summary="Say that the city has begun to use the offer (step three)",
)
async def explore(city: CityPath, caller: SignedIn, store: StoreDep) -> NextStepsView:
    # The same step twice is the same.
    idempotency.not_kept()
    explored = await cities.explored(store, caller, city)
    return NextStepsView.of(await onboarding.next_steps_of_city(store, explored))
