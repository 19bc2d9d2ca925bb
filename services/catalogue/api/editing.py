"""Writing entries: for editors."""

import re
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Path, Query, Response
from pydantic import StringConstraints

from contracts.catalogue import EntryStatus
from services.catalogue import usecases
from services.catalogue.api.requests import EntryIn, Reference, SendBackIn, WithdrawIn
from services.catalogue.domain.lifecycle import WorkingCopy
from services.catalogue.store import ENTRIES
from shared.identity import Caller, may
from shared.paging import CursorParam, Limit, Page
from shared.problems import Problem
from shared.service import ServiceDep, StoreDep

TAG: Final = "editing"
NOTHING_HERE: Final = "Nothing stands in this state. Begin an entry, or look at another state."

Editor = Annotated[Caller, may(roles=usecases.EDITORS)]
EntryPath = Annotated[Reference, Path(description="The entry's id or code")]
VERSION: Final = re.compile(r'^(?:W/)?"?([0-9]{1,9})"?$')

wrong_state: dict[int | str, dict[str, Any]] = {
    404: {"description": "There is no such entry"},
    409: {"description": "The entry's present state does not allow it"},
}
router = APIRouter(prefix="/catalogue", tags=[TAG], generate_unique_id_function=lambda route: route.name)


def _shown(copy: WorkingCopy, response: Response) -> WorkingCopy:
    response.headers["ETag"] = f'"{copy.version}"'
    return copy


@router.post(
    "/entries",
    status_code=201,
    responses={409: {"description": "Another entry has this code"}},
    summary="Begin an entry, as a draft",
)
async def draft_entry(body: EntryIn, store: StoreDep, caller: Editor, response: Response) -> WorkingCopy:
    """Needs the role of an editor for what the owner answers for."""
    copy = await usecases.draft(store, caller, body.content(), body.related())
    response.headers["Location"] = f"/catalogue/entries/{copy.id}/draft"
    return _shown(copy, response)


@router.put(
    "/entries/{entry}",
    status_code=200,
    responses=wrong_state
    | {
        412: {"description": "Somebody else changed it in the meantime"},
        428: {"description": "`If-Match` is missing"},
    },
    summary="Give the working copy new content",
)
async def revise_entry(
    entry: EntryPath,
    body: EntryIn,
    store: StoreDep,
    caller: Editor,
    response: Response,
    if_match: Annotated[
        Annotated[str, StringConstraints(max_length=40)] | None,
        Header(description="The `ETag` of the version that was seen"),
    ] = None,
) -> WorkingCopy:
    """What is public stays until the new content is published."""
    if if_match is None:
        raise Problem(428, "if-match-missing", "Send the entry's ETag in If-Match, so that nobody's change is lost.")
    match = VERSION.match(if_match)
    if match is None:
        raise Problem(412, "changed-meanwhile", "If-Match names no version of this entry; load it again.")
    return _shown(await usecases.revise(store, caller, entry, body.content(), body.related(), int(match[1])), response)


@router.post("/entries/{entry}/submission", status_code=200, responses=wrong_state, summary="Ask for review")
async def submit_entry(entry: EntryPath, store: StoreDep, caller: Editor, response: Response) -> WorkingCopy:
    """From draft to in-review."""
    return _shown(await usecases.submit(store, caller, entry), response)


@router.post("/entries/{entry}/return", status_code=200, responses=wrong_state, summary="Send back to the author")
async def return_entry(
    entry: EntryPath, body: SendBackIn, store: StoreDep, caller: Editor, response: Response
) -> WorkingCopy:
    """From in-review to draft, with a note."""
    return _shown(await usecases.send_back(store, caller, entry, body.note), response)


@router.post("/entries/{entry}/publication", status_code=200, responses=wrong_state, summary="Publish")
async def publish_entry(entry: EntryPath, store: StoreDep, caller: Editor, response: Response) -> WorkingCopy:
    """From in-review to published."""
    return _shown(await usecases.publish(store, caller, entry), response)


@router.post("/entries/{entry}/withdrawal", status_code=200, responses=wrong_state, summary="Take out of the catalogue")
async def withdraw_entry(
    entry: EntryPath, body: WithdrawIn, store: StoreDep, caller: Editor, response: Response
) -> WorkingCopy:
    """From any state to withdrawn; revising brings it back as a draft."""
    copy = await usecases.withdraw(store, caller, entry, body.reason, body.note, body.replaced_by)
    return _shown(copy, response)


@router.get("/entries/{entry}/draft", status_code=200, responses=wrong_state, summary="Show the working copy")
async def show_draft(entry: EntryPath, store: StoreDep, caller: Editor, response: Response) -> WorkingCopy:
    """The entry with its state and version, also when it is not public."""
    record = await usecases.find(store, entry)
    usecases.require_editor(caller, record.content.owner)
    return _shown(WorkingCopy.of(record, record.version), response)


@router.get("/drafts", status_code=200, summary="List working copies by state")
async def list_drafts(
    store: StoreDep,
    service: ServiceDep,
    caller: Editor,
    status: Annotated[EntryStatus, Query()] = EntryStatus.IN_REVIEW,
    limit: Limit = 50,
    cursor: CursorParam = None,
) -> Page[WorkingCopy]:
    """Oldest first, only what the caller edits."""
    scope = f"catalogue drafts {caller.id} {status}"
    after = service.cursors.decode(scope, cursor)[0] if cursor else ""
    owners = [
        {"content.owner.kind": grant.scope_type, "content.owner.id": None if grant.scope == "*" else grant.scope}
        for grant in caller.grants
        if grant.role in usecases.EDITORS and grant.scope_type != "mission"
    ]
    everywhere = caller.has_role(*usecases.EDITORS, scope=("mission", "*"))
    allowed = {} if everywhere else {"$or": owners}
    found = await store.find(
        ENTRIES, {"status": status, "_id": {"$gt": after}, **allowed}, sort=[("_id", 1)], limit=limit + 1
    )
    items = [WorkingCopy.of(record, record.version) for record in found[:limit]]
    following = service.cursors.encode(scope, [items[-1].id]) if len(found) > limit else None
    return Page(items=items, next=following, hint=None if items or cursor else NOTHING_HERE)
