"""Calls: read by everybody, made by programme managers."""

from typing import Annotated, Any

from fastapi import Query

from contracts.common import LocalisedText, Slug, Text
from services.cohort_selection.api.answers import CallListed, CallShown, VersionShown
from services.cohort_selection.api.bodies import AmendmentBody, CallBody, Texts
from services.cohort_selection.api.common import Id, page, routes
from services.cohort_selection.domain.states import CallState
from services.cohort_selection.store import CALLS, Call
from services.cohort_selection.usecases import calls
from services.cohort_selection.usecases.common import MANAGER, call_of
from shared.identity import Caller, Public, may
from shared.paging import CursorParam, Limit, Page
from shared.service import ServiceDep, StoreDep

router = routes("calls")
Manager = Annotated[Caller, may(roles=[MANAGER])]


@router.get("/calls", status_code=200, summary="List calls, the newest first")
async def list_calls(
    service: ServiceDep,
    _: Public,
    limit: Limit = 50,
    cursor: CursorParam = None,
    programme: Annotated[Slug | None, Query()] = None,
    state: Annotated[CallState | None, Query()] = None,
) -> Page[CallListed]:
    """Published calls; drafts are found under ``/calls/drafts``."""
    query: dict[str, Any] = {"published_at": {"$ne": None}}
    if programme is not None:
        query["programme"] = programme
    if state is not None:
        query["state"] = state.value

    async def shape(found: Any) -> list[CallListed]:
        return [CallListed.of(call) for call in found]

    hint = "No call is published yet; the calendar and the catalogue say what is on offer meanwhile."
    return await page(service, CALLS, query, limit, cursor, shape, scope="calls", hint=hint, newest_first=True)


@router.get("/calls/drafts", status_code=200, summary="List drafts that the caller manages")
async def list_call_drafts(
    service: ServiceDep, caller: Manager, limit: Limit = 50, cursor: CursorParam = None
) -> Page[CallListed]:
    """Drafts of calls, the newest first."""
    everywhere = caller.has_role(MANAGER, scope=("mission", "*"))
    scopes = [grant for grant in caller.grants if grant.role == MANAGER]
    query: dict[str, Any] = {"state": CallState.DRAFT.value}
    if not everywhere:
        programmes = [grant.scope for grant in scopes if grant.scope_type == "programme"]
        ids = [grant.scope for grant in scopes if grant.scope_type == "call"]
        query["$or"] = [{"programme": {"$in": programmes}}, {"_id": {"$in": ids}}]

    async def shape(found: Any) -> list[CallListed]:
        return [CallListed.of(call) for call in found]

    hint = "There is no draft; POST /calls begins one."
    return await page(service, CALLS, query, limit, cursor, shape, scope="call-drafts", hint=hint, newest_first=True)


@router.post("/calls", status_code=201, summary="Draft a call")
async def draft_call(body: CallBody, store: StoreDep, caller: Manager) -> CallShown:
    """Begins a call; contradictory rules are refused with every field and reason."""
    return await calls.draft(store, caller, _content(body))


@router.get("/calls/{call_id}", status_code=200, summary="Read a call with its rules")
async def read_call(call_id: Id, store: StoreDep, caller: Public) -> CallShown:
    """A call and the rules that it is decided by."""
    call: Call = await call_of(store, call_id, caller)
    return CallShown.of(call)


@router.put("/calls/{call_id}", status_code=200, summary="Give a draft new content")
async def redraft_call(call_id: Id, body: CallBody, store: StoreDep, caller: Manager) -> CallShown:
    """Replaces the content of a draft."""
    return await calls.redraft(store, caller, call_id, _content(body))


@router.post("/calls/{call_id}/publication", status_code=200, summary="Publish a call and freeze its rules")
async def publish_call(call_id: Id, store: StoreDep, caller: Manager) -> CallShown:
    """From now on everybody can read the call; its window opens and closes by itself."""
    return await calls.publish(store, caller, call_id)


@router.post("/calls/{call_id}/amendments", status_code=200, summary="Amend a published call")
async def amend_call(call_id: Id, body: AmendmentBody, store: StoreDep, caller: Manager) -> CallShown:
    """Puts a new version of the rules in force; what could disadvantage those who applied is refused."""
    amendment = calls.Amendment(
        reason=_texts(body.reason),
        rules=body.rules.model_dump() if body.rules is not None else None,
        closes=body.closes.model_dump() if body.closes is not None else None,
        title=_texts(body.title) if body.title is not None else None,
        summary=_texts(body.summary) if body.summary is not None else None,
    )
    return await calls.amend(store, caller, call_id, amendment)


@router.post("/calls/{call_id}/cancellation", status_code=200, summary="Cancel a call")
async def cancel_call(call_id: Id, store: StoreDep, caller: Manager) -> CallShown:
    """Ends a call without a decision."""
    return await calls.cancel(store, caller, call_id)


@router.get("/calls/{call_id}/versions", status_code=200, summary="Read all versions of a call's rules")
async def list_call_versions(call_id: Id, store: StoreDep, caller: Public) -> list[VersionShown]:
    """Every version that was in force, with what changed and why, the first one first."""
    return [VersionShown.of(version) for version in await calls.versions(store, caller, call_id)]


def _texts(body: Texts) -> LocalisedText:
    return {language: Text(text=one.text, origin=one.origin) for language, one in body.items()}


def _content(body: CallBody) -> calls.CallDraft:
    return calls.CallDraft(
        programme=body.programme,
        cohort=body.cohort,
        title=_texts(body.title),
        summary=_texts(body.summary),
        admission=body.admission,
        rules=body.rules.model_dump(),
    )
