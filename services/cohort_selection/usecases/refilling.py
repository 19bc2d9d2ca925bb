"""Places that come free go to the reserve list by themselves, quotas held, around those who keep theirs."""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial

from contracts.cohort_selection import DecisionState, Outcome, ParticipationReplaced, ParticipationState
from services.cohort_selection.api.decision_answers import ParticipationShown
from services.cohort_selection.domain.cohort import Cohort, Placed, form_cohort
from services.cohort_selection.domain.deciding import field_of, hosting_of
from services.cohort_selection.domain.states import APPLICATION, PARTICIPATION, ApplicationState, CallState
from services.cohort_selection.store import (
    APPLICATIONS,
    CALLS,
    DECISIONS,
    PARTICIPATIONS,
    Application,
    Call,
    Decision,
    Participation,
)
from services.cohort_selection.usecases.common import managed_call, step
from services.cohort_selection.usecases.inputs import applicant, host_lists
from services.cohort_selection.usecases.offers import fact, offer
from shared import deadlines
from shared.identity import Caller
from shared.problems import conflict
from shared.store import Reader, Store, Transaction

REFILL = "refill"
HOLDING = (ParticipationState.OFFERED, ParticipationState.ACCEPTED, ParticipationState.COMPLETED)
VACATED = (ParticipationState.DECLINED, ParticipationState.WITHDRAWN)


def ask_for_refill(tx: Transaction, call: Call) -> None:
    """Has the free places of a call filled at once; what comes free meanwhile is filled together."""
    if call.rules.offers.refill:
        deadlines.at(tx, REFILL, tx.clock.now(), {"call_id": call.id}, id=f"{call.id}/refill")


async def refill_now(store: Store, caller: Caller, call_id: str) -> list[ParticipationShown]:
    """Fills free places when the manager asks for it; gives what was offered. Raises 403, 404, 409 undecided."""

    async def work(tx: Transaction) -> list[ParticipationShown]:
        call = await managed_call(tx, call_id, caller)
        if call.state is not CallState.DECIDED:
            raise conflict("not-decided", "Places are filled from the reserve list once the call is decided.")
        return [ParticipationShown.of(one) for one in await refill(tx, call_id)]

    return await store.transaction(work)


async def refill(tx: Transaction, call_id: str) -> list[Participation]:
    """Offers the free places of a decided call to those of the reserve list who come next; gives the offers."""
    call = await tx.require(CALLS, call_id)
    decision = await tx.one(DECISIONS, {"call_id": call_id, "state": DecisionState.PUBLISHED})
    if decision is None:
        return []
    # Two refills of one call must not see the same places free.
    await tx.save(DECISIONS, decision.model_copy(update={"refills": decision.refills + 1}))
    participations = await tx.find(PARTICIPATIONS, {"call_id": call_id}, sort=[("_id", 1)])
    reserve = await tx.find(APPLICATIONS, {"call_id": call_id, "state": ApplicationState.RESERVE})
    cohort = await next_in(tx, call, decision, participations, reserve)
    vacated = [one for one in participations if one.state in VACATED]
    offers = []
    for application in sorted(reserve, key=lambda one: one.reserve_rank or 0):
        if application.id not in cohort.selected:
            continue
        host = cohort.hosts.get(application.id)
        state = step(APPLICATION, application.state, ApplicationState.SELECTED)
        moved = await tx.save(APPLICATIONS, application.model_copy(update={"state": state, "host_id": host}))
        offered = await offer(tx, call, moved, host, from_reserve=True)
        offers.append(offered)
        if vacated:
            before = next((one for one in vacated if one.host_id == host), vacated[0])
            vacated.remove(before)
            await _replace(tx, before, offered)
    return offers


async def _replace(tx: Transaction, before: Participation, by: Participation) -> None:
    state = step(PARTICIPATION, before.state, ParticipationState.REPLACED)
    changed = before.model_copy(update={"state": state, "replaced_by": by.id})
    await tx.save(PARTICIPATIONS, changed, ParticipationReplaced(**fact(before), replaced_by=by.id))


async def next_in(
    reader: Reader,
    call: Call,
    decision: Decision,
    participations: list[Participation],
    waiting: list[Application],
    wishes: Mapping[str, Sequence[str]] | None = None,
) -> Cohort:
    """Who of those waiting gets the places that are free now, and with which hosts."""
    rules = call.rules
    decided = await reader.find(APPLICATIONS, {"call_id": call.id, "outcome": {"$in": list(Outcome)}})
    scored = {one.id: one.score or 0 for one in decided}
    field = field_of(rules, [applicant(rules, one) for one in decided], scored, decision.seed)
    by_id = {one.id: one for one in field.candidates}
    placed = [Placed(by_id[one.application_id].groups, one.host_id) for one in participations if one.state in HOLDING]
    named = wishes if wishes is not None else {one.id: one.preferences for one in waiting}
    hosting = hosting_of(rules.hosts, named, await host_lists(reader, call.id))
    work = partial(
        form_cohort,
        [by_id[one.id] for one in waiting],
        rules.places,
        field.bounds,
        hosting,
        decision.seed,
        placed=placed,
        strict=False,
    )
    return await asyncio.to_thread(work)
