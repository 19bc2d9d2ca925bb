"""The engine computes a decision; a trial with other rules is recorded all the same."""

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any

from contracts.cohort_selection import DecisionComputed, DecisionState, DecisionSuperseded, Result, Rules
from contracts.common import Reason
from services.cohort_selection.api.decision_answers import DecisionShown
from services.cohort_selection.domain.canonical import digest
from services.cohort_selection.domain.cohort import NoHost
from services.cohort_selection.domain.deciding import ENGINE, Decided, decide
from services.cohort_selection.domain.faults import Fault
from services.cohort_selection.domain.rules import contradictions
from services.cohort_selection.domain.selection import Infeasible, Limit
from services.cohort_selection.domain.states import DECISION, CallState
from services.cohort_selection.store import DECISIONS, Decision
from services.cohort_selection.store.decisions import StoredVerdict
from services.cohort_selection.usecases.common import invalid, managed_call, refusal, step
from services.cohort_selection.usecases.inputs import Inputs, gather
from services.cohort_selection.usecases.windows import move
from shared.identity import Caller
from shared.ids import new_id
from shared.problems import conflict
from shared.store import Store, Transaction

ENGINE_PHASES = (CallState.REVIEW, CallState.DECISION)
OPEN_STATES = (DecisionState.COMPUTED, DecisionState.PROPOSED, DecisionState.APPROVED)


async def compute(store: Store, caller: Caller, call_id: str, what_if: Mapping[str, Any] | None) -> DecisionShown:
    """Computes a decision and ends the review, or tries other rules (``what_if``), which is recorded all the same.

    Raises 403, 404, 409 outside review and decision, for reviews that are missing and for quotas that cannot be kept
    (a smallest set that cannot be kept together is named), 422 for contradictions in the rules to try.
    """

    async def work(tx: Transaction) -> DecisionShown:
        call = await managed_call(tx, call_id, caller)
        if call.state not in ENGINE_PHASES:
            message = f"Decisions are computed in review and decision, the call is in {call.state}."
            raise conflict("not-decidable", message, state=call.state)
        rules = call.rules if what_if is None else _changed(call.rules, what_if)
        inputs = await gather(tx, call, rules)
        _require_reviews(inputs)
        decided = await run_engine(partial(decide, rules, inputs.applicants, inputs.lists, inputs.seed))
        decision = Decision(
            id=new_id("dec"),
            call_id=call.id,
            what_if=dict(what_if) if what_if is not None else None,
            rules=rules,
            engine=ENGINE,
            seed=inputs.seed,
            inputs=inputs.digest,
            computed_by=caller.id,
            computed_at=tx.clock.now(),
            **found(decided, decided.result),
        )
        if what_if is None:
            await _supersede(tx, call.id, decision.id)
            if call.state is CallState.REVIEW:
                await move(tx, call, CallState.DECISION)
        event = DecisionComputed(
            decision_id=decision.id,
            call_id=call.id,
            rules_version=rules.version,
            engine=decision.engine,
            seed=decision.seed,
            inputs=decision.inputs,
            ranking=decision.ranking,
            result=decision.result,
            digest=decision.digest,
            what_if=what_if is not None,
        )
        return DecisionShown.of(await tx.save(DECISIONS, decision, event))

    return await store.transaction(work)


def _require_reviews(inputs: Inputs) -> None:
    needed = inputs.rules.review.per_application
    missing = [one for one in inputs.applicants if len(one.reviews) < needed]
    if missing:
        faults = [
            Fault(
                "reviews-missing",
                "reviews",
                "The application has too few reviews.",
                {"application_id": one.id, "recorded": len(one.reviews), "needed": needed},
            )
            for one in missing[:50]
        ]
        detail = f"{len(missing)} applications have too few reviews."
        raise refusal(409, "reviews-missing", detail, faults, missing=len(missing))


async def run_engine(work: partial[Decided]) -> Decided:
    """Runs the engine beside the loop. Raises 409 problems when there is no result."""
    try:
        return await asyncio.to_thread(work)
    except Infeasible as error:
        faults = [_limit(one) for one in error.conflict]
        detail = "No cohort keeps these limits together; without any one of them there is one."
        raise refusal(409, "quotas-infeasible", detail, faults) from None
    except NoHost as error:
        raise conflict("no-host", "No host takes this application.", application_id=min(error.applicants)) from None


def _limit(limit: Limit) -> Fault:
    params: dict[str, str | int] = {"quota": limit.code, "side": limit.side, "limit": limit.limit}
    if limit.value is not None:
        params["value"] = limit.value
    name = f"{limit.code} ({limit.value})" if limit.value else limit.code
    return Fault("quota-conflict", "rules.quotas", f"{name}: {limit.side} {limit.limit}", params)


def found(decided: Decided, result: Result) -> dict[str, Any]:
    told = {
        id: StoredVerdict(outcome=v.outcome, reserve_rank=v.reserve_rank, reasons=v.reasons)
        for id, v in decided.verdicts.items()
    }
    return {
        "scale": decided.scale,
        "ranking": decided.ranking,
        "result": result,
        "verdicts": told,
        "warnings": decided.warnings,
        "digest": digest(result.model_dump(mode="json")),
    }


def _changed(rules: Rules, what_if: Mapping[str, Any]) -> Rules:
    """The rules with what a trial changes. ``weights`` are by criterion."""
    data = rules.model_dump(mode="json") | {k: v for k, v in what_if.items() if k != "weights"}
    weights = what_if.get("weights") or {}
    known = {criterion.code for criterion in rules.criteria}
    faults = [
        Fault("criterion-unknown", f"weights.{code}", f"There is no criterion {code}.")
        for code in weights.keys() - known
    ]
    data["criteria"] = [one | {"weight": weights.get(one["code"], one["weight"])} for one in data["criteria"]]
    changed = Rules.model_validate(data)
    if faults := [*faults, *contradictions(changed)]:
        raise invalid(faults)
    return changed


async def _supersede(tx: Transaction, call_id: str, by: str) -> None:
    earlier = {"call_id": call_id, "what_if": None, "state": {"$in": list(OPEN_STATES)}}
    for decision in await tx.find(DECISIONS, earlier):
        event = DecisionSuperseded(
            decision_id=decision.id, call_id=call_id, superseded_by=by, reason=Reason(code="computed-again")
        )
        state = step(DECISION, decision.state, DecisionState.SUPERSEDED)
        await tx.save(DECISIONS, decision.model_copy(update={"state": state}), event)
