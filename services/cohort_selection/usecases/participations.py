"""Cities answer their offers, leave, and complete; what comes free moves on."""

from typing import Any

from contracts.cohort_selection import (
    DecisionState,
    ParticipationAccepted,
    ParticipationCompleted,
    ParticipationDeclined,
    ParticipationState,
    ParticipationWithdrawn,
    PlaceGranted,
    PlaceReleased,
)
from contracts.common import Reason
from contracts.registration import TaskOutcome
from services.cohort_selection.api.decision_answers import ParticipationShown
from services.cohort_selection.domain.states import PARTICIPATION
from services.cohort_selection.store import APPLICATIONS, CALLS, DECISIONS, PARTICIPATIONS, Participation
from services.cohort_selection.usecases.common import MANAGER, call_of, has_role, managed_call, step
from services.cohort_selection.usecases.offers import close_task, fact
from services.cohort_selection.usecases.refilling import ask_for_refill, next_in
from shared.identity import Caller
from shared.problems import conflict, not_found
from shared.store import Reader, Store, Transaction

_P = ParticipationState


async def accept(store: Store, caller: Caller, participation_id: str) -> ParticipationShown:
    """Takes the place for the city. Raises 404 for others' offers, 409 when it has ended or is no longer free."""

    async def work(tx: Transaction) -> ParticipationShown:
        await _own(tx, caller, participation_id)
        return ParticipationShown.of(await answer(tx, participation_id, takes=True, person=caller.id))

    return await store.transaction(work)


async def decline(store: Store, caller: Caller, participation_id: str) -> ParticipationShown:
    """Leaves the place to others. Raises 404 for others' offers, 409 when it has ended."""

    async def work(tx: Transaction) -> ParticipationShown:
        await _own(tx, caller, participation_id)
        return ParticipationShown.of(await answer(tx, participation_id, takes=False, person=caller.id))

    return await store.transaction(work)


async def answer(tx: Transaction, participation_id: str, *, takes: bool, person: str | None) -> Participation:
    """The answer to an offer. Until the offer ends it may be changed, as long as the place is still free."""
    participation = await tx.require(PARTICIPATIONS, participation_id)
    wanted = _P.ACCEPTED if takes else _P.DECLINED
    if participation.state is wanted:
        return participation
    before = participation.state
    step(PARTICIPATION, before, wanted)
    if participation.expires.utc <= tx.clock.now():
        raise conflict("offer-ended", "The offer has ended.", expires=participation.expires.utc.isoformat())
    call = await tx.require(CALLS, participation.call_id)
    if before is _P.DECLINED:
        await _require_free(tx, participation)
    if before is _P.OFFERED:
        await close_task(tx, participation, TaskOutcome.DONE)
    changed = participation.model_copy(update={"state": wanted})
    if takes:
        taken = ParticipationAccepted(**fact(changed), accepted_by=person)
        return await tx.save(PARTICIPATIONS, changed, taken, _granted(changed))
    ask_for_refill(tx, call)
    left = [_released(changed, "declined")] if before is _P.ACCEPTED else []
    return await tx.save(PARTICIPATIONS, changed, ParticipationDeclined(**fact(changed), declined_by=person), *left)


async def expire(tx: Transaction, participation_id: str) -> None:
    """An offer that nobody answered in time counts as declined."""
    participation = await tx.require(PARTICIPATIONS, participation_id)
    if participation.state is not _P.OFFERED:
        return
    await close_task(tx, participation, TaskOutcome.EXPIRED)
    ask_for_refill(tx, await tx.require(CALLS, participation.call_id))
    changed = participation.model_copy(update={"state": _P.DECLINED})
    await tx.save(PARTICIPATIONS, changed, ParticipationDeclined(**fact(changed), expired=True))


async def withdraw(store: Store, caller: Caller, participation_id: str, reason: str | None) -> ParticipationShown:
    """Leaves after having accepted; the place moves on. Raises 404, 409."""

    async def work(tx: Transaction) -> ParticipationShown:
        participation = await _own(tx, caller, participation_id)
        state = step(PARTICIPATION, participation.state, _P.WITHDRAWN)
        changed = participation.model_copy(update={"state": state})
        ask_for_refill(tx, await tx.require(CALLS, participation.call_id))
        event = ParticipationWithdrawn(**fact(changed), reason=Reason(code=reason) if reason else None)
        return ParticipationShown.of(await tx.save(PARTICIPATIONS, changed, event, _released(changed, "withdrawn")))

    return await store.transaction(work)


async def complete(store: Store, caller: Caller, participation_id: str) -> ParticipationShown:
    """The manager states that the city completed the programme. Raises 403, 404, 409."""

    async def work(tx: Transaction) -> ParticipationShown:
        participation = await tx.require(PARTICIPATIONS, participation_id)
        await managed_call(tx, participation.call_id, caller)
        changed = participation.model_copy(update={"state": step(PARTICIPATION, participation.state, _P.COMPLETED)})
        return ParticipationShown.of(await tx.save(PARTICIPATIONS, changed, ParticipationCompleted(**fact(changed))))

    return await store.transaction(work)


async def read(store: Store, caller: Caller, participation_id: str) -> Participation:
    """A participation, for its city and the call's managers. Raises 404 for everybody else."""
    participation = await store.get(PARTICIPATIONS, participation_id)
    if participation is not None:
        call = await call_of(store, participation.call_id, caller)
        if participation.city_id in caller.cities or has_role(caller, MANAGER, call):
            return participation
    raise not_found("participation", participation_id)


async def _own(reader: Reader, caller: Caller, participation_id: str) -> Participation:
    participation = await reader.get(PARTICIPATIONS, participation_id)
    if participation is None or participation.city_id not in caller.cities:
        raise not_found("participation", participation_id)
    return participation


async def _require_free(tx: Transaction, participation: Participation) -> None:
    """Raises a 409 problem when the place that a city gave back is no longer free for it."""
    call = await tx.require(CALLS, participation.call_id)
    decision = await tx.one(DECISIONS, {"call_id": call.id, "state": DecisionState.PUBLISHED})
    application = await tx.require(APPLICATIONS, participation.application_id)
    others = await tx.find(PARTICIPATIONS, {"call_id": call.id, "_id": {"$ne": participation.id}})
    if decision is not None:
        # In conflict with a refill, which may be giving the place to somebody else.
        await tx.save(DECISIONS, decision.model_copy(update={"refills": decision.refills + 1}))
        wishes = {application.id: (participation.host_id,)} if participation.host_id else {}
        cohort = await next_in(tx, call, decision, others, [application], wishes)
        if application.id in cohort.selected:
            return
    raise conflict("place-gone", "The place has gone to somebody else.")


def _granted(participation: Participation) -> PlaceGranted:
    return PlaceGranted(
        **_place(participation), persons=participation.persons, places=max(len(participation.persons), 1)
    )


def _released(participation: Participation, why: str) -> PlaceReleased:
    return PlaceReleased(**_place(participation), reason=Reason(code=why))


def _place(participation: Participation) -> dict[str, Any]:
    own = participation.model_dump(include={"city_id", "programme", "cohort", "session_id"})
    return {"participation_id": participation.id, **own}
