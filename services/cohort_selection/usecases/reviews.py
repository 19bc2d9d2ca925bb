"""Managers assign reviewers, reviewers score; a tie between reviewer and applicant is refused."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from contracts.cohort_selection import ReviewRecorded
from services.cohort_selection.api.answers import (
    Missing,
    ReviewProgress,
    ReviewsAssigned,
    ReviewShown,
    ReviewsRecorded,
)
from services.cohort_selection.domain.faults import Fault
from services.cohort_selection.domain.scoring import wrong_scores
from services.cohort_selection.domain.states import REVIEW, ApplicationState, CallState, ReviewState
from services.cohort_selection.store import APPLICATIONS, REVIEWS, Application, Call, Review
from services.cohort_selection.usecases.common import (
    REVIEWER,
    call_of,
    cities_of,
    commit,
    countries_of,
    managed_call,
    present_cities,
    refusal,
    require_role,
    step,
)
from shared.identity import Caller
from shared.ids import new_id
from shared.problems import Problem, conflict, not_found
from shared.store import Reader, Store, Transaction

MISSING_LISTED = 200
COUNTING = (ReviewState.ASSIGNED, ReviewState.RECORDED)


@dataclass(frozen=True, slots=True)
class Assignment:
    """Who is to review what."""

    application_id: str
    reviewer: str


async def assign(store: Store, caller: Caller, call_id: str, assignments: Sequence[Assignment]) -> ReviewsAssigned:
    """Assigns reviewers, all or none.

    Raises 403, 404, 409 outside the review phase, and for conflicts of interest and repeated assignments (each named),
    422 for applications that the call does not have.
    """

    async def work(tx: Transaction) -> ReviewsAssigned:
        call = await managed_call(tx, call_id, caller)
        _require_review(call)
        applications = await _submitted(tx, call_id)
        cities = {one: await cities_of(tx, one) for one in {item.reviewer for item in assignments}}
        countries = {one: await countries_of(tx, theirs) for one, theirs in cities.items()}
        known = {(review.application_id, review.reviewer) for review in await tx.find(REVIEWS, {"call_id": call_id})}
        faults = []
        for place, item in enumerate(assignments):
            field, pair = f"assignments.{place}", (item.application_id, item.reviewer)
            application = applications.get(item.application_id)
            if application is None:
                faults.append(Fault("application-unknown", field, "The call has no such submitted application."))
            elif pair in known:
                faults.append(Fault("assigned-already", field, "This reviewer has this application already."))
            elif tie := _tie(call, application, cities[item.reviewer], countries[item.reviewer], field):
                faults.append(tie)
            known.add(pair)
        if faults:
            unknown = any(fault.code == "application-unknown" for fault in faults)
            detail = "Nothing was assigned; every reason is listed."
            raise refusal(422 if unknown else 409, "assignment-refused", detail, faults)
        assigned = [
            await tx.save(
                REVIEWS,
                Review(
                    id=new_id("rev"),
                    call_id=call_id,
                    application_id=item.application_id,
                    reviewer=item.reviewer,
                ),
            )
            for item in assignments
        ]
        return ReviewsAssigned(assigned=[ReviewShown.of(review) for review in assigned])

    return await store.transaction(work)


@dataclass(frozen=True, slots=True)
class Scored:
    """What a reviewer says about an application."""

    application_id: str
    scores: dict[str, int]
    comment: str | None = None


async def record(store: Store, caller: Caller, call_id: str, scored: Sequence[Scored]) -> ReviewsRecorded:
    """Records a reviewer's scores, all or none; a later record replaces an earlier one.

    Raises 403 for applications that are not this reviewer's and for conflicts of interest (those reviews need another
    reviewer from then on), 404, 409 outside the review phase, 422 for scores that are not of the call's scales.
    """

    async def work(tx: Transaction) -> ReviewsRecorded | Problem:
        call = await call_of(tx, call_id, caller)
        require_role(caller, REVIEWER, call)
        _require_review(call)
        cities = await present_cities(tx, caller.cities) | await cities_of(tx, caller.id)
        countries = await countries_of(tx, cities)
        reviews = {
            one.application_id: one for one in await tx.find(REVIEWS, {"call_id": call_id, "reviewer": caller.id})
        }
        applications = await _submitted(tx, call_id)
        ties, foreign, wrong, seen = [], [], [], set[str]()
        for place, item in enumerate(scored):
            field = f"reviews.{place}"
            review, application = reviews.get(item.application_id), applications.get(item.application_id)
            if review is None or review.state not in COUNTING or application is None:
                foreign.append(Fault("not-assigned", field, "This application is not yours to review."))
            elif tie := _tie(call, application, cities, countries, field):
                ties.append(tie)
                state = step(REVIEW, review.state, ReviewState.CONFLICTED)
                await tx.save(REVIEWS, review.model_copy(update={"state": state, "scores": {}, "comment": None}))
            if item.application_id in seen:
                wrong.append(Fault("review-repeated", field, "An application is scored once in a request."))
            seen.add(item.application_id)
            wrong += wrong_scores(call.rules.criteria, item.scores, f"{field}.scores")
        detail = "Nothing was recorded; every reason is listed."
        if ties:
            return refusal(403, "conflict-of-interest", detail, [*ties, *foreign, *wrong])
        if foreign:
            raise refusal(403, "not-assigned", detail, [*foreign, *wrong])
        if wrong:
            raise refusal(422, "invalid", detail, wrong)
        recorded = [await _save(tx, reviews[item.application_id], item) for item in scored]
        return ReviewsRecorded(recorded=[ReviewShown.of(review) for review in recorded])

    return await commit(store, work)


async def _save(tx: Transaction, review: Review, item: Scored) -> Review:
    recorded = review.model_copy(
        update={
            "state": step(REVIEW, review.state, ReviewState.RECORDED),
            "scores": item.scores,
            "comment": item.comment,
            "recorded_at": tx.clock.now(),
        }
    )
    event = ReviewRecorded(
        review_id=review.id,
        application_id=review.application_id,
        call_id=review.call_id,
        reviewer=review.reviewer,
        scores=item.scores,
    )
    return await tx.save(REVIEWS, recorded, event)


async def release(store: Store, caller: Caller, review_id: str) -> ReviewShown:
    """Takes an application back from a reviewer who has not scored it. Raises 403, 404, 409."""

    async def work(tx: Transaction) -> ReviewShown:
        review = await tx.require(REVIEWS, review_id)
        await managed_call(tx, review.call_id, caller)
        state = step(REVIEW, review.state, ReviewState.RELEASED)
        return ReviewShown.of(await tx.save(REVIEWS, review.model_copy(update={"state": state})))

    return await store.transaction(work)


async def own(reader: Reader, caller: Caller, review_id: str) -> Review:
    """A review of the caller's. Raises 404 for any other."""
    review = await reader.get(REVIEWS, review_id)
    if review is None or review.reviewer != caller.id:
        raise not_found("review", review_id)
    return review


async def progress(store: Store, caller: Caller, call_id: str) -> ReviewProgress:
    """How far the reviews of a call are. Raises 403, 404."""
    call = await managed_call(store, call_id, caller)
    applications = await _submitted(store, call_id)
    reviews = await store.find(REVIEWS, {"call_id": call_id})
    states = Counter(review.state for review in reviews)
    recorded, assigned = counted(reviews)
    needed = call.rules.review.per_application
    incomplete = [one for one in applications.values() if recorded[one.id] < needed]
    return ReviewProgress(
        applications=len(applications),
        per_application=needed,
        assigned=states[ReviewState.ASSIGNED] + states[ReviewState.RECORDED],
        recorded=states[ReviewState.RECORDED],
        conflicted=states[ReviewState.CONFLICTED],
        incomplete=len(incomplete),
        missing=[
            Missing(application_id=one.id, city_id=one.city_id, assigned=assigned[one.id], recorded=recorded[one.id])
            for one in incomplete[:MISSING_LISTED]
        ],
    )


def counted(reviews: Collection[Review]) -> tuple[Counter[str], Counter[str]]:
    """Per application how many reviews are recorded, and how many are recorded or still to come."""
    recorded = Counter(one.application_id for one in reviews if one.state is ReviewState.RECORDED)
    return recorded, Counter(one.application_id for one in reviews if one.state in COUNTING)


def _require_review(call: Call) -> None:
    if call.state is not CallState.REVIEW:
        raise conflict("not-in-review", f"The call is in the phase {call.state}, not in review.", state=call.state)


async def _submitted(reader: Reader, call_id: str) -> dict[str, Application]:
    query = {"call_id": call_id, "state": ApplicationState.SUBMITTED}
    return {one.id: one for one in await reader.find(APPLICATIONS, query, sort=[("_id", 1)])}


def _tie(
    call: Call, application: Application, cities: Collection[str], countries: Collection[str], field: str
) -> Fault | None:
    if call.rules.review.same_city_conflicts and application.city_id in cities:
        message = "The reviewer belongs to this city."
        return Fault("conflict-of-interest", field, message, {"tie": "own-city", "application_id": application.id})
    if call.rules.review.same_country_conflicts and application.facts.country in countries:
        message = "The reviewer belongs to a city of the same country."
        return Fault("conflict-of-interest", field, message, {"tie": "own-country", "application_id": application.id})
    return None
