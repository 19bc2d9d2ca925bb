"""People decide on what the engine computed: they adjust it with reason and consent, propose and approve it."""

from dataclasses import dataclass
from functools import partial
from typing import Literal

from contracts.cohort_selection import (
    Adjustment,
    DecisionApproved,
    DecisionProposed,
    DecisionState,
)
from services.cohort_selection.api.decision_answers import DecisionShown
from services.cohort_selection.domain.deciding import decide
from services.cohort_selection.domain.faults import Fault
from services.cohort_selection.domain.states import DECISION
from services.cohort_selection.store import DECISIONS, Call, Decision, PendingAdjustment
from services.cohort_selection.usecases.common import invalid, managed_call, step
from services.cohort_selection.usecases.computing import found, run_engine
from services.cohort_selection.usecases.inputs import Inputs, gather
from shared.identity import Caller
from shared.problems import conflict, forbidden, not_found
from shared.store import Reader, Store, Transaction


@dataclass(frozen=True, slots=True)
class AdjustmentAsked:
    """A change of the result that a manager asks for, and why."""

    application_id: str
    what: Literal["include", "exclude"]
    why: str


async def adjust(store: Store, caller: Caller, decision_id: str, asked: AdjustmentAsked) -> DecisionShown:
    """Asks for an adjustment; it counts once a second person agrees. Raises 403, 404, 409, 422."""

    async def work(tx: Transaction) -> DecisionShown:
        _, decision = await _managed(tx, decision_id, caller)
        _require_computed(decision)
        if asked.application_id not in decision.verdicts:
            message = "The decision has no such application."
            raise invalid([Fault("application-unknown", "application_id", message)])
        if any(one.application_id == asked.application_id for one in decision.adjustments):
            raise conflict("adjusted-already", "There is an adjustment of this application already.")
        adjustment = PendingAdjustment(
            application_id=asked.application_id, what=asked.what, why=asked.why, asked_by=caller.id
        )
        changed = decision.model_copy(update={"adjustments": (*decision.adjustments, adjustment)})
        return DecisionShown.of(await tx.save(DECISIONS, changed))

    return await store.transaction(work)


async def agree(store: Store, caller: Caller, decision_id: str, application_id: str) -> DecisionShown:
    """Agrees to another person's adjustment; the result is computed again around it.

    Raises 403 for the person who asked for it, 404, 409 when no host takes whom it includes.
    """

    async def work(tx: Transaction) -> DecisionShown:
        call, decision = await _managed(tx, decision_id, caller)
        _require_computed(decision)
        asked = next((one for one in decision.adjustments if one.application_id == application_id), None)
        if asked is None:
            raise not_found("adjustment", application_id)
        if asked.asked_by == caller.id:
            raise forbidden("A second person has to agree.")
        agreed = tuple(
            one.model_copy(update={"agreed_by": caller.id}) if one is asked else one for one in decision.adjustments
        )
        inputs = await _same_inputs(tx, call, decision)
        chosen = [one for one in agreed if one.agreed_by is not None]
        decided = await run_engine(
            partial(
                decide,
                decision.rules,
                inputs.applicants,
                inputs.lists,
                inputs.seed,
                include=[one.application_id for one in chosen if one.what == "include"],
                exclude=[one.application_id for one in chosen if one.what == "exclude"],
            )
        )
        adjustments = tuple(
            Adjustment(
                application_id=one.application_id,
                what=one.what,
                why=one.why,
                adjusted_by=one.asked_by,
                agreed_by=one.agreed_by or caller.id,
            )
            for one in chosen
        )
        result = decided.result.model_copy(update={"adjustments": adjustments})
        changed = decision.model_copy(update={"adjustments": agreed, **found(decided, result)})
        return DecisionShown.of(await tx.save(DECISIONS, changed))

    return await store.transaction(work)


async def propose(store: Store, caller: Caller, decision_id: str) -> DecisionShown:
    """Puts a decision before whoever approves it.

    Raises 403, 404, 409 when an adjustment waits for agreement or the inputs have changed since.
    """

    async def work(tx: Transaction) -> DecisionShown:
        call, decision = await _managed(tx, decision_id, caller)
        _require_computed(decision)
        if any(one.agreed_by is None for one in decision.adjustments):
            raise conflict("adjustment-open", "An adjustment waits for a second person's agreement.")
        await _same_inputs(tx, call, decision)
        state = step(DECISION, decision.state, DecisionState.PROPOSED)
        event = DecisionProposed(
            decision_id=decision.id,
            call_id=call.id,
            result=decision.result,
            digest=decision.digest,
            proposed_by=caller.id,
        )
        changed = decision.model_copy(update={"state": state, "proposed_by": caller.id})
        return DecisionShown.of(await tx.save(DECISIONS, changed, event))

    return await store.transaction(work)


async def approve(store: Store, caller: Caller, decision_id: str) -> DecisionShown:
    """Approves a decision that somebody else proposed. Raises 403, 404, 409."""

    async def work(tx: Transaction) -> DecisionShown:
        call, decision = await _managed(tx, decision_id, caller)
        state = step(DECISION, decision.state, DecisionState.APPROVED)
        if decision.proposed_by == caller.id:
            raise forbidden("Another person than the one who proposed it has to approve it.")
        event = DecisionApproved(
            decision_id=decision.id, call_id=call.id, digest=decision.digest, approved_by=caller.id
        )
        changed = decision.model_copy(update={"state": state, "approved_by": caller.id})
        return DecisionShown.of(await tx.save(DECISIONS, changed, event))

    return await store.transaction(work)


async def read(store: Store, caller: Caller, decision_id: str) -> Decision:
    """A decision, for the managers of its call. Raises 403, 404."""
    return (await _managed(store, decision_id, caller))[1]


async def publishable(tx: Transaction, caller: Caller, decision_id: str) -> tuple[Call, Decision]:
    """An approved decision whose inputs are still the same. Raises 403, 404, 409."""
    call, decision = await _managed(tx, decision_id, caller)
    step(DECISION, decision.state, DecisionState.PUBLISHED)
    await _same_inputs(tx, call, decision)
    return call, decision


async def _managed(reader: Reader, decision_id: str, caller: Caller) -> tuple[Call, Decision]:
    decision = await reader.require(DECISIONS, decision_id)
    return await managed_call(reader, decision.call_id, caller), decision


def _require_computed(decision: Decision) -> None:
    if decision.what_if is not None:
        raise conflict("what-if", "A trial with other rules decides nothing.")
    if decision.state is not DecisionState.COMPUTED:
        raise conflict("wrong-state", f"The decision is {decision.state} already.", present=decision.state)


async def _same_inputs(reader: Reader, call: Call, decision: Decision) -> Inputs:
    inputs = await gather(reader, call, decision.rules)
    if inputs.digest != decision.inputs or call.rules.version != decision.rules.version:
        raise conflict("decision-outdated", "Applications or rules have changed since; compute the decision again.")
    return inputs
