"""Applications: cities ask, apply, replace and withdraw; managers read."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Query, Request
from pydantic import Field, StrictBool, StrictInt, StrictStr, StringConstraints

from contracts.common import CityId, HostId, PersonId, Slug
from services.cohort_selection.api.answers import (
    ApplicationListed,
    ApplicationShown,
    CandidateShown,
    Eligibility,
    HostListShown,
    RefusalShown,
)
from services.cohort_selection.api.calls import Manager
from services.cohort_selection.api.common import Id, Languages, page, routes
from services.cohort_selection.domain.states import ApplicationState
from services.cohort_selection.store import APPLICATIONS, REFUSALS, Application
from services.cohort_selection.usecases import applications, hosts
from services.cohort_selection.usecases.common import managed_call
from shared.bodies import Body
from shared.identity import SignedIn, arrival
from shared.paging import CursorParam, Limit, Page
from shared.service import ServiceDep, StoreDep

router = routes("applications")

Answer = (
    StrictBool
    | Annotated[StrictInt, Field(ge=-(10**12), le=10**12)]
    | Annotated[StrictStr, StringConstraints(max_length=20_000)]
    | Annotated[list[Annotated[StrictStr, StringConstraints(max_length=80)]], Field(max_length=200)]
)


class ApplicationBody(Body):
    """An application. Without ``representatives`` the person who submits it represents the city."""

    answers: Annotated[dict[Slug, Answer], Field(max_length=100)] = {}
    preferences: Annotated[tuple[HostId, ...], Field(max_length=300)] = ()
    representatives: Annotated[tuple[PersonId, ...], Field(min_length=1, max_length=20)] | None = None


class NewApplicationBody(ApplicationBody):
    """An application of a city."""

    city_id: CityId


class EligibilityBody(Body):
    """Which city asks."""

    city_id: CityId


class HostListBody(Body):
    """A host's list of applications, the most wanted first; who is left out is not acceptable to the host."""

    applications: Annotated[tuple[Annotated[str, StringConstraints(max_length=80)], ...], Field(max_length=10_000)]


@router.post("/calls/{call_id}/eligibility", status_code=200, summary="Ask whether a city may apply")
async def check_eligibility(
    call_id: Id, body: EligibilityBody, request: Request, store: StoreDep, caller: SignedIn, languages: Languages
) -> Eligibility:
    """Says before a city starts whether it may apply, with every reason why not."""
    return await applications.check(store, caller, call_id, body.city_id, arrival(request), languages)


@router.post("/calls/{call_id}/applications", status_code=201, summary="Apply to a call for a city")
async def submit_application(
    call_id: Id, body: NewApplicationBody, request: Request, store: StoreDep, caller: SignedIn, languages: Languages
) -> ApplicationShown:
    """Submits an application; the answer is its receipt. A refusal names every reason."""
    submission = _submission(body, body.city_id)
    return await applications.submit(store, caller, call_id, submission, arrival(request), languages)


@router.get("/calls/{call_id}/applications", status_code=200, summary="List the applications to a call")
async def list_call_applications(
    call_id: Id,
    service: ServiceDep,
    caller: Manager,
    limit: Limit = 100,
    cursor: CursorParam = None,
    state: Annotated[ApplicationState | None, Query()] = None,
) -> Page[ApplicationListed]:
    """For the call's managers."""
    await managed_call(service.store, call_id, caller)
    query: dict[str, Any] = {"call_id": call_id}
    if state is not None:
        query["state"] = state.value
    hint = "Nobody has applied yet."
    scope = f"applications/{call_id}"
    return await page(service, APPLICATIONS, query, limit, cursor, _listed, scope=scope, hint=hint)


@router.get("/calls/{call_id}/refusals", status_code=200, summary="List refused submissions to a call")
async def list_call_refusals(
    call_id: Id, service: ServiceDep, caller: Manager, limit: Limit = 100, cursor: CursorParam = None
) -> Page[RefusalShown]:
    """For the call's managers."""
    await managed_call(service.store, call_id, caller)

    async def shape(found: Sequence[Any]) -> list[RefusalShown]:
        return [RefusalShown.of(refusal) for refusal in found]

    scope, hint = f"refusals/{call_id}", "No submission was refused."
    return await page(service, REFUSALS, {"call_id": call_id}, limit, cursor, shape, scope=scope, hint=hint)


@router.get("/applications", status_code=200, summary="List the applications of the caller's cities")
async def list_applications(
    service: ServiceDep, caller: SignedIn, limit: Limit = 50, cursor: CursorParam = None
) -> Page[ApplicationListed]:
    """The newest first."""
    query = {"city_id": {"$in": sorted(caller.cities)}}
    hint = "Your cities have not applied to anything yet; GET /calls lists what is open."
    scope = f"own-applications/{caller.id}"
    return await page(service, APPLICATIONS, query, limit, cursor, _listed, scope=scope, hint=hint, newest_first=True)


@router.get("/applications/{application_id}", status_code=200, summary="Read an application")
async def read_application(application_id: Id, store: StoreDep, caller: SignedIn) -> ApplicationShown:
    """For its city, the call's managers and its reviewers; nobody else learns that it exists."""
    return ApplicationShown.of(await applications.read(store, caller, application_id))


@router.put("/applications/{application_id}", status_code=200, summary="Replace a submitted application")
async def replace_application(
    application_id: Id,
    body: ApplicationBody,
    request: Request,
    store: StoreDep,
    caller: SignedIn,
    languages: Languages,
) -> ApplicationShown:
    """Submits a new revision, until the window closes; the answer is its receipt."""
    submission = _submission(body, "")
    return await applications.replace_application(
        store, caller, application_id, submission, arrival(request), languages
    )


@router.post("/applications/{application_id}/withdrawal", status_code=200, summary="Withdraw an application")
async def withdraw_application(application_id: Id, store: StoreDep, caller: SignedIn) -> ApplicationShown:
    """Takes an application back, until it is decided or from the reserve list."""
    return await applications.withdraw(store, caller, application_id)


@router.put("/calls/{call_id}/hosts/{host_id}/preferences", status_code=200, summary="Give a host's list")
async def record_host_preferences(
    call_id: Id, host_id: Id, body: HostListBody, store: StoreDep, caller: SignedIn
) -> HostListShown:
    """For members of the host's cities, between the end of the window and the decision."""
    return await hosts.record(store, caller, call_id, host_id, body.applications)


@router.get(
    "/calls/{call_id}/hosts/{host_id}/candidates",
    status_code=200,
    responses={409: {"description": "Hosts rank between the end of the window and the decision"}},
    summary="List whom a host can rank",
)
async def list_host_candidates(
    call_id: Id, host_id: Id, service: ServiceDep, caller: SignedIn, limit: Limit = 100, cursor: CursorParam = None
) -> Page[CandidateShown]:
    """The applications that accept this host, for members of its cities: who, and nothing of what they wrote."""
    query = await hosts.candidates(service.store, caller, call_id, host_id)

    async def shape(found: Sequence[Application]) -> list[CandidateShown]:
        return [CandidateShown.of(application) for application in found]

    scope, hint = f"candidates/{host_id}", "No application accepts this host."
    return await page(service, APPLICATIONS, query, limit, cursor, shape, scope=scope, hint=hint)


def _submission(body: ApplicationBody, city_id: str) -> applications.Submission:
    return applications.Submission(city_id, body.answers, body.preferences, body.representatives)


async def _listed(found: Sequence[Application]) -> list[ApplicationListed]:
    return [ApplicationListed.of(application) for application in found]
