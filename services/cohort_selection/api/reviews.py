"""Reviews: managers assign, reviewers score."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Query
from pydantic import Field, StrictInt, StringConstraints

from contracts.common import PersonId, Slug
from services.cohort_selection.api.answers import (
    ReviewProgress,
    ReviewsAssigned,
    ReviewShown,
    ReviewsRecorded,
    ReviewTask,
)
from services.cohort_selection.api.calls import Manager
from services.cohort_selection.api.common import Id, page, routes
from services.cohort_selection.domain.states import ReviewState
from services.cohort_selection.store import APPLICATIONS, REVIEWS, Review
from services.cohort_selection.usecases import reviews
from services.cohort_selection.usecases.common import REVIEWER, managed_call
from shared.bodies import Body
from shared.identity import Caller, may
from shared.paging import CursorParam, Limit, Page
from shared.service import ServiceDep, StoreDep
from shared.store import Store

router = routes("reviews")
Reviewer = Annotated[Caller, may(roles=[REVIEWER])]
ApplicationRef = Annotated[str, StringConstraints(min_length=1, max_length=80)]


class AssignmentBody(Body):
    """Who is to review what."""

    application_id: ApplicationRef
    reviewer: PersonId


class AssignmentsBody(Body):
    """Assignments, all or none."""

    assignments: Annotated[tuple[AssignmentBody, ...], Field(min_length=1, max_length=2000)]


class ScoresBody(Body):
    """Whole points per criterion, and a comment for the managers."""

    scores: Annotated[dict[Slug, StrictInt], Field(max_length=30)]
    comment: Annotated[str, StringConstraints(max_length=5000)] | None = None


class ScoredBody(ScoresBody):
    """The scores of one application."""

    application_id: ApplicationRef


class ScoredManyBody(Body):
    """One reviewer's scores of many applications, all or none."""

    reviews: Annotated[tuple[ScoredBody, ...], Field(min_length=1, max_length=500)]


@router.post("/calls/{call_id}/reviews", status_code=201, summary="Assign reviewers")
async def assign_reviews(call_id: Id, body: AssignmentsBody, store: StoreDep, caller: Manager) -> ReviewsAssigned:
    """Assigns applications to reviewers; a tie of city or country between them is refused."""
    wanted = [reviews.Assignment(one.application_id, one.reviewer) for one in body.assignments]
    return await reviews.assign(store, caller, call_id, wanted)


@router.get("/calls/{call_id}/reviews", status_code=200, summary="List the reviews of a call")
async def list_call_reviews(
    call_id: Id,
    service: ServiceDep,
    caller: Manager,
    limit: Limit = 100,
    cursor: CursorParam = None,
    application_id: Annotated[str | None, Query(max_length=80)] = None,
) -> Page[ReviewShown]:
    """For the call's managers."""
    await managed_call(service.store, call_id, caller)
    query = {"call_id": call_id} | ({"application_id": application_id} if application_id else {})

    async def shape(found: Sequence[Review]) -> list[ReviewShown]:
        return [ReviewShown.of(review) for review in found]

    scope, hint = f"reviews/{call_id}", "No reviewer is assigned yet; POST here assigns them."
    return await page(service, REVIEWS, query, limit, cursor, shape, scope=scope, hint=hint)


@router.get("/calls/{call_id}/reviews/progress", status_code=200, summary="See how far the reviews are")
async def read_review_progress(call_id: Id, store: StoreDep, caller: Manager) -> ReviewProgress:
    """How many reviews are recorded, and which applications need more."""
    return await reviews.progress(store, caller, call_id)


@router.put("/calls/{call_id}/scores", status_code=200, summary="Score many applications at once")
async def record_scores(call_id: Id, body: ScoredManyBody, store: StoreDep, caller: Reviewer) -> ReviewsRecorded:
    """Records the caller's scores of applications that are assigned to it, all or none."""
    scored = [reviews.Scored(one.application_id, one.scores, one.comment) for one in body.reviews]
    return await reviews.record(store, caller, call_id, scored)


@router.get("/reviews", status_code=200, summary="List what the caller is to review")
async def list_reviews(
    service: ServiceDep,
    caller: Reviewer,
    limit: Limit = 50,
    cursor: CursorParam = None,
    call_id: Annotated[str | None, Query(max_length=80)] = None,
) -> Page[ReviewTask]:
    """The caller's reviews with the applications to judge, and nobody else's scores."""
    counting = [ReviewState.ASSIGNED.value, ReviewState.RECORDED.value]
    query: dict[str, Any] = {"reviewer": caller.id, "state": {"$in": counting}}
    if call_id is not None:
        query["call_id"] = call_id

    async def shape(found: Sequence[Review]) -> list[ReviewTask]:
        return await _tasks(service.store, found)

    scope, hint = f"own-reviews/{caller.id}", "Nothing is assigned to you; the call's managers assign reviews."
    return await page(service, REVIEWS, query, limit, cursor, shape, scope=scope, hint=hint)


@router.get("/reviews/{review_id}", status_code=200, summary="Read one of the caller's reviews")
async def read_review(review_id: Id, store: StoreDep, caller: Reviewer) -> ReviewTask:
    """The review with the application to judge."""
    review = await reviews.own(store, caller, review_id)
    return (await _tasks(store, [review]))[0]


@router.put("/reviews/{review_id}", status_code=200, summary="Score an application")
async def record_review(review_id: Id, body: ScoresBody, store: StoreDep, caller: Reviewer) -> ReviewShown:
    """Records the caller's scores; until the decision they may be changed."""
    review = await reviews.own(store, caller, review_id)
    scored = reviews.Scored(review.application_id, body.scores, body.comment)
    return (await reviews.record(store, caller, review.call_id, [scored])).recorded[0]


@router.post("/reviews/{review_id}/release", status_code=200, summary="Take an application back from a reviewer")
async def release_review(review_id: Id, store: StoreDep, caller: Manager) -> ReviewShown:
    """For a review that is not recorded yet; another reviewer can be assigned then."""
    return await reviews.release(store, caller, review_id)


async def _tasks(store: Store, found: Sequence[Review]) -> list[ReviewTask]:
    ids = {"_id": {"$in": [review.application_id for review in found]}}
    applications = {one.id: one for one in await store.find(APPLICATIONS, ids)}
    return [
        ReviewTask(
            review=ReviewShown.of(review),
            city_id=applications[review.application_id].city_id,
            facts=applications[review.application_id].facts,
            answers=applications[review.application_id].answers,
        )
        for review in found
    ]
