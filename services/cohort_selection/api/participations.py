"""Participations: cities answer offers and leave; managers see the cohort."""

from collections.abc import Sequence

from contracts.common import Slug
from services.cohort_selection.api.calls import Manager
from services.cohort_selection.api.common import Id, page, routes
from services.cohort_selection.api.decision_answers import ParticipationShown
from services.cohort_selection.store import PARTICIPATIONS, Participation
from services.cohort_selection.usecases import participations, refilling
from services.cohort_selection.usecases.common import managed_call
from shared.bodies import Body
from shared.identity import SignedIn
from shared.paging import CursorParam, Limit, Page
from shared.service import ServiceDep, StoreDep

router = routes("participations")


class WithdrawalBody(Body):
    """Why, as a code such as ``lack-of-staff``."""

    reason: Slug | None = None


@router.get("/calls/{call_id}/participations", status_code=200, summary="List the cohort of a call")
async def list_call_participations(
    call_id: Id, service: ServiceDep, caller: Manager, limit: Limit = 100, cursor: CursorParam = None
) -> Page[ParticipationShown]:
    """Everybody who was offered a place, for the call's managers."""
    await managed_call(service.store, call_id, caller)
    scope, hint = f"participations/{call_id}", "No place was offered yet."
    return await page(service, PARTICIPATIONS, {"call_id": call_id}, limit, cursor, _shape, scope=scope, hint=hint)


@router.post("/calls/{call_id}/refill", status_code=200, summary="Fill free places from the reserve list")
async def refill_call(call_id: Id, store: StoreDep, caller: Manager) -> list[ParticipationShown]:
    """For calls whose rules leave it to the manager, or whose places were raised; gives what was offered."""
    return await refilling.refill_now(store, caller, call_id)


@router.get("/participations", status_code=200, summary="List the participations of the caller's cities")
async def list_participations(
    service: ServiceDep, caller: SignedIn, limit: Limit = 50, cursor: CursorParam = None
) -> Page[ParticipationShown]:
    """The newest first."""
    query = {"city_id": {"$in": sorted(caller.cities)}}
    scope, hint = (
        f"own-participations/{caller.id}",
        "Your cities take part in nothing yet; GET /calls lists what is open.",
    )
    return await page(service, PARTICIPATIONS, query, limit, cursor, _shape, scope=scope, hint=hint, newest_first=True)


@router.get("/participations/{participation_id}", status_code=200, summary="Read a participation")
async def read_participation(participation_id: Id, store: StoreDep, caller: SignedIn) -> ParticipationShown:
    """For its city and the call's managers."""
    return ParticipationShown.of(await participations.read(store, caller, participation_id))


@router.post("/participations/{participation_id}/acceptance", status_code=200, summary="Accept an offered place")
async def accept_participation(participation_id: Id, store: StoreDep, caller: SignedIn) -> ParticipationShown:
    """Takes the place; until the offer ends the answer may be changed."""
    return await participations.accept(store, caller, participation_id)


@router.post("/participations/{participation_id}/decline", status_code=200, summary="Decline an offered place")
async def decline_participation(participation_id: Id, store: StoreDep, caller: SignedIn) -> ParticipationShown:
    """Leaves the place to the reserve list, which moves up by itself."""
    return await participations.decline(store, caller, participation_id)


@router.post("/participations/{participation_id}/withdrawal", status_code=200, summary="Leave a cohort")
async def withdraw_participation(
    participation_id: Id, body: WithdrawalBody, store: StoreDep, caller: SignedIn
) -> ParticipationShown:
    """Gives an accepted place back, at any time."""
    return await participations.withdraw(store, caller, participation_id, body.reason)


@router.post("/participations/{participation_id}/completion", status_code=200, summary="State a completion")
async def complete_participation(participation_id: Id, store: StoreDep, caller: Manager) -> ParticipationShown:
    """The city completed the programme."""
    return await participations.complete(store, caller, participation_id)


async def _shape(found: Sequence[Participation]) -> list[ParticipationShown]:
    return [ParticipationShown.of(participation) for participation in found]
