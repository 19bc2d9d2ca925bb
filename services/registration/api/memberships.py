"""Memberships: asked for, invited to, decided."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from contracts.common import CountryCode, LanguageTag
from services.registration.api.common import (
    Address,
    CityPath,
    EvidenceIn,
    Helpdesk,
    MembershipPath,
    MembershipView,
    ReasonIn,
    Role,
    Zone,
)
from services.registration.domain.memberships import State
from services.registration.usecases import city_views, memberships
from shared import idempotency
from shared.bodies import Body
from shared.identity import SignedIn
from shared.paging import CursorParam, Limit, Page
from shared.service import ServiceDep, StoreDep

router = APIRouter(tags=["memberships"])


class AskForMembership(Body):
    """On what ground the caller speaks for the city."""

    role: Role = "representative"
    evidence: EvidenceIn | None = None


class Invite(Body):
    """A colleague."""

    mail_address: Address
    role: Role = "colleague"
    locale: LanguageTag = Field("en", description="For the mail, when the person is new here")
    time_zone: Zone | None = None


class Approve(Body):
    """On what ground the membership is approved."""

    evidence: EvidenceIn


class Decide(Body):
    """Why a membership is refused, suspended or ended."""

    reason: ReasonIn


class MemberView(BaseModel):
    """A membership with its person: by name once it has accepted, by the invited address before."""

    membership: MembershipView
    given_name: str | None
    family_name: str | None
    mail_address: str | None


class RequestView(BaseModel):
    """A membership as the helpdesk decides on it."""

    membership: MembershipView
    city_name: str
    country: str
    city_published: bool
    given_name: str | None
    family_name: str | None
    mail_address: str | None


@router.post(
    "/cities/{city}/memberships", status_code=201, operation_id="request_membership", summary="Ask to speak for a city"
)
async def ask(city: CityPath, body: AskForMembership, caller: SignedIn, store: StoreDep) -> MembershipView:
    shown = idempotency.answer(MembershipView.of)
    found = await memberships.request_membership(store, city, caller.id, body.role, body.evidence)
    return shown(found)


@router.post(
    "/cities/{city}/invitations", status_code=201, operation_id="invite_colleague", summary="Invite a colleague by mail"
)
async def invite(city: CityPath, body: Invite, caller: SignedIn, store: StoreDep) -> MembershipView:
    shown = idempotency.answer(MembershipView.of)
    invited = await memberships.invite(
        store,
        caller,
        city,
        mail_address=body.mail_address,
        role=body.role,
        locale=body.locale,
        time_zone=body.time_zone,
    )
    return shown(invited)


@router.get(
    "/cities/{city}/members", status_code=200, operation_id="list_members", summary="Who speaks for a city, or will"
)
async def list_members(city: CityPath, caller: SignedIn, store: StoreDep) -> list[MemberView]:
    return [
        MemberView(
            membership=MembershipView.of(each),
            given_name=person.given_name if each.state != "invited" else None,
            family_name=person.family_name if each.state != "invited" else None,
            mail_address=person.mail_address,
        )
        for each, person in await city_views.members(store, caller, city)
    ]


@router.get("/memberships", status_code=200, operation_id="list_memberships", summary="Memberships for the helpdesk")
async def list_memberships(
    caller: Helpdesk,
    service: ServiceDep,
    state: Annotated[State, Query()] = "requested",
    country: Annotated[CountryCode | None, Query()] = None,
    limit: Limit = 50,
    cursor: CursorParam = None,
) -> Page[RequestView]:
    scope = f"memberships/{state}/{country}"
    after = service.cursors.decode(scope, cursor)[0] if cursor else None
    found = await memberships.listed(service.store, caller, state=state, country=country, after=after, limit=limit + 1)
    items = [
        RequestView(
            membership=MembershipView.of(each.membership),
            city_name=each.city.authority.name,
            country=each.city.country,
            city_published=each.city.published_at is not None,
            given_name=each.person.given_name,
            family_name=each.person.family_name,
            mail_address=each.person.mail_address,
        )
        for each in found[:limit]
    ]
    next = service.cursors.encode(scope, [items[-1].membership.id]) if len(found) > limit else None
    return Page(items=items, next=next, hint=None if items else "No membership waits here.")


@router.post(
    "/memberships/{membership}/approval",
    status_code=200,
    operation_id="approve_membership",
    summary="Approve, on evidence",
)
async def approve(membership: MembershipPath, body: Approve, caller: Helpdesk, store: StoreDep) -> MembershipView:
    shown = idempotency.answer(MembershipView.of)
    return shown(await memberships.decide(store, caller, membership, "approved", evidence=body.evidence))


@router.post(
    "/memberships/{membership}/{decision}",
    status_code=200,
    operation_id="decide_membership",
    summary="Refuse, suspend or end a membership, with a reason",
)
async def decide(
    membership: MembershipPath,
    decision: Literal["refusal", "suspension", "end"],
    body: Decide,
    caller: Helpdesk,
    store: StoreDep,
) -> MembershipView:
    states: dict[str, State] = {"refusal": "refused", "suspension": "suspended", "end": "ended"}
    shown = idempotency.answer(MembershipView.of)
    return shown(await memberships.decide(store, caller, membership, states[decision], reason=body.reason))
