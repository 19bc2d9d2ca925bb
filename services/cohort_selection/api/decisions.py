"""Decisions: computed, adjusted, proposed, approved and published by managers, read by everybody."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from contracts.common import Slug
from services.cohort_selection.api.bodies import QuotaBody
from services.cohort_selection.api.calls import Manager
from services.cohort_selection.api.common import Id, page, routes
from services.cohort_selection.api.decision_answers import DecisionListed, DecisionShown, PublishedDecision
from services.cohort_selection.store import DECISIONS, Decision
from services.cohort_selection.usecases import computing, decisions, publication
from services.cohort_selection.usecases.common import managed_call
from shared.bodies import Body
from shared.identity import Public
from shared.paging import CursorParam, Limit, Page
from shared.service import ServiceDep, StoreDep

router = routes("decisions")


class WhatIfBody(Body):
    """Rules to try; what is left out is as the call has it. ``weights`` are by criterion and sum up to 100."""

    places: Annotated[int, Field(ge=1, le=10_000)] | None = None
    reserve: Annotated[int, Field(ge=0, le=10_000)] | None = None
    quotas: Annotated[tuple[QuotaBody, ...], Field(max_length=60)] | None = None
    weights: Annotated[dict[Slug, Annotated[int, Field(ge=1, le=100)]], Field(max_length=30)] | None = None


class ComputationBody(Body):
    """``what_if`` makes a trial of it, which is recorded and decides nothing."""

    what_if: WhatIfBody | None = None


class AdjustmentBody(Body):
    """A change of the computed result, and why (a code such as ``late-evidence``)."""

    application_id: Annotated[str, StringConstraints(min_length=1, max_length=80)]
    what: Literal["include", "exclude"]
    why: Slug


@router.post("/calls/{call_id}/decisions", status_code=201, summary="Compute a decision")
async def compute_decision(call_id: Id, body: ComputationBody, store: StoreDep, caller: Manager) -> DecisionShown:
    """Ends the review, selects, matches and lists the reserve by the rules; or tries other rules."""
    changes = body.what_if.model_dump(mode="json", exclude_none=True) if body.what_if is not None else None
    return await computing.compute(store, caller, call_id, changes)


@router.get("/calls/{call_id}/decisions", status_code=200, summary="List the decisions of a call, trials included")
async def list_decisions(
    call_id: Id, service: ServiceDep, caller: Manager, limit: Limit = 50, cursor: CursorParam = None
) -> Page[DecisionListed]:
    """The newest first, for the call's managers."""
    await managed_call(service.store, call_id, caller)

    async def shape(found: Sequence[Decision]) -> list[DecisionListed]:
        return [DecisionListed.of(decision) for decision in found]

    scope, hint = f"decisions/{call_id}", "Nothing was computed yet; POST here computes a decision."
    query: dict[str, Any] = {"call_id": call_id}
    return await page(service, DECISIONS, query, limit, cursor, shape, scope=scope, hint=hint, newest_first=True)


@router.get("/calls/{call_id}/decision", status_code=200, summary="Read the published result of a call")
async def read_published_decision(call_id: Id, store: StoreDep, caller: Public) -> PublishedDecision:
    """The selected cities as they were announced, and the cohort as it is now."""
    return await publication.published(store, caller, call_id)


@router.get("/decisions/{decision_id}", status_code=200, summary="Read a decision")
async def read_decision(decision_id: Id, store: StoreDep, caller: Manager) -> DecisionShown:
    """Ranking, quotas, matches, reserve list and the reasons for every application."""
    return DecisionShown.of(await decisions.read(store, caller, decision_id))


@router.post("/decisions/{decision_id}/adjustments", status_code=201, summary="Ask for an adjustment")
async def adjust_decision(decision_id: Id, body: AdjustmentBody, store: StoreDep, caller: Manager) -> DecisionShown:
    """It counts once another manager agrees."""
    asked = decisions.AdjustmentAsked(body.application_id, body.what, body.why)
    return await decisions.adjust(store, caller, decision_id, asked)


@router.post(
    "/decisions/{decision_id}/adjustments/{application_id}/agreement",
    status_code=200,
    summary="Agree to another manager's adjustment",
)
async def agree_to_adjustment(decision_id: Id, application_id: Id, store: StoreDep, caller: Manager) -> DecisionShown:
    """The result is computed again around it; a quota that cannot be kept then is marked as overridden."""
    return await decisions.agree(store, caller, decision_id, application_id)


@router.post("/decisions/{decision_id}/proposal", status_code=200, summary="Propose a decision")
async def propose_decision(decision_id: Id, store: StoreDep, caller: Manager) -> DecisionShown:
    """Puts the result before whoever approves it."""
    return await decisions.propose(store, caller, decision_id)


@router.post("/decisions/{decision_id}/approval", status_code=200, summary="Approve a decision")
async def approve_decision(decision_id: Id, store: StoreDep, caller: Manager) -> DecisionShown:
    """By another manager than the one who proposed it."""
    return await decisions.approve(store, caller, decision_id)


@router.post("/decisions/{decision_id}/publication", status_code=200, summary="Publish a decision")
async def publish_decision(decision_id: Id, store: StoreDep, caller: Manager) -> DecisionShown:
    """Tells every city its result and offers the places."""
    return await publication.publish(store, caller, decision_id)
