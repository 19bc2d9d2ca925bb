"""Changes to a city by its members or the helpdesk."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from services.registration.api.common import (
    AuthorityIn,
    CityPath,
    CityView,
    CommitmentIn,
    Helpdesk,
    MailboxIn,
    ProfileIn,
    StatusIn,
)
from services.registration.usecases import cities, mailboxes
from shared import idempotency
from shared.bodies import Body
from shared.identity import SignedIn
from shared.service import StoreDep

router = APIRouter(prefix="/cities/{city}", tags=["cities"])


class Statuses(Body):
    """All statuses of a city, ended ones included."""

    statuses: Annotated[tuple[StatusIn, ...], Field(max_length=50)]


@router.put("/authority", status_code=200, operation_id="change_city_authority", summary="Change what the authority is")
async def change_authority(city: CityPath, body: AuthorityIn, caller: SignedIn, store: StoreDep) -> CityView:
    shown = idempotency.answer(CityView.inside)
    return shown(await cities.change_profile(store, caller, city, declared=body.declared()))


@router.put("/profile", status_code=200, operation_id="change_city_profile", summary="Change what the city shows")
async def change_profile(city: CityPath, body: ProfileIn, caller: SignedIn, store: StoreDep) -> CityView:
    shown = idempotency.answer(CityView.inside)
    return shown(await cities.change_profile(store, caller, city, profile=body))


@router.put("/commitment", status_code=200, operation_id="record_city_commitment", summary="Record the commitment")
async def record_commitment(city: CityPath, body: CommitmentIn, caller: SignedIn, store: StoreDep) -> CityView:
    shown = idempotency.answer(CityView.inside)
    return shown(await cities.change_commitment(store, caller, city, body))


@router.delete(
    "/commitment", status_code=200, operation_id="take_back_city_commitment", summary="Take the commitment back"
)
async def take_back_commitment(city: CityPath, caller: SignedIn, store: StoreDep) -> CityView:
    shown = idempotency.answer(CityView.inside)
    return shown(await cities.change_commitment(store, caller, city, None))


@router.put("/mailbox", status_code=200, operation_id="set_city_mailbox", summary="Set the shared mailbox")
async def set_mailbox(city: CityPath, body: MailboxIn, caller: SignedIn, store: StoreDep) -> CityView:
    shown = idempotency.answer(CityView.inside)
    return shown(await mailboxes.change(store, caller, city, body.as_mailbox()))


@router.delete("/mailbox", status_code=200, operation_id="remove_city_mailbox", summary="Remove the shared mailbox")
async def remove_mailbox(city: CityPath, caller: SignedIn, store: StoreDep) -> CityView:
    shown = idempotency.answer(CityView.inside)
    return shown(await mailboxes.change(store, caller, city, None))


@router.put("/statuses", status_code=200, operation_id="record_city_statuses", summary="Record a city's statuses")
async def record_statuses(city: CityPath, body: Statuses, caller: Helpdesk, store: StoreDep) -> CityView:
    shown = idempotency.answer(CityView.inside)
    return shown(await cities.change_statuses(store, caller, city, body.statuses))
