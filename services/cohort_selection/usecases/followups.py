"""What becomes of our own records when a city or a person turned out to be another one, or is erased."""

from contracts import registration as facts
from contracts.cohort_selection import ApplicationWithdrawn
from services.cohort_selection.domain.states import APPLICATION, ApplicationState, ReviewState
from services.cohort_selection.store import (
    APPLICATIONS,
    CALLS,
    DECISIONS,
    PARTICIPATIONS,
    REFUSALS,
    REVIEWS,
    REVISIONS,
    Application,
)
from shared.links import LINKS
from shared.store import Transaction


async def city_merged(tx: Transaction, event: facts.CityMerged, actor: str | None) -> None:
    """What the city applied for and takes part in belongs to the other one now.

    Where both applied to the same call, the application of the city that goes is withdrawn, unless it was decided.
    """
    gone, stays = event.city_id, event.into_city_id
    theirs = {one.call_id for one in await tx.find(APPLICATIONS, {"city_id": stays})}
    for application in await tx.find(APPLICATIONS, {"city_id": gone}):
        if application.call_id not in theirs:
            await tx.save(APPLICATIONS, application.model_copy(update={"city_id": stays}))
        elif APPLICATION.allows(application.state, ApplicationState.WITHDRAWN):
            await _withdraw(tx, application, actor)
    for participation in await tx.find(PARTICIPATIONS, {"city_id": gone}):
        await tx.save(PARTICIPATIONS, participation.model_copy(update={"city_id": stays}))
    await tx.update(REFUSALS, {"city_id": gone}, {"$set": {"city_id": stays}})


async def _withdraw(tx: Transaction, application: Application, actor: str | None) -> None:
    person = actor if actor is not None and actor.startswith("prs_") else application.submitted_by
    event = ApplicationWithdrawn(
        application_id=application.id,
        call_id=application.call_id,
        city_id=application.city_id,
        withdrawn_by=person or application.representatives[0],
    )
    changed = application.model_copy(update={"state": ApplicationState.WITHDRAWN})
    await tx.save(APPLICATIONS, changed, event)


async def person_merged(tx: Transaction, event: facts.PersonMerged) -> None:
    """The person's work and parts belong to the other one now."""
    gone, stays = event.person_id, event.into_person_id
    for collection, field in (
        (APPLICATIONS, "representatives"),
        (REVISIONS, "representatives"),
        (PARTICIPATIONS, "persons"),
    ):
        await tx.update(collection, {field: gone}, {"$addToSet": {field: stays}})
        await tx.update(collection, {field: gone}, {"$pull": {field: gone}})
    for submitted in (APPLICATIONS, REVISIONS, REFUSALS):
        await tx.update(submitted, {"submitted_by": gone}, {"$set": {"submitted_by": stays}})
    await tx.update(CALLS, {"owner": gone}, {"$set": {"owner": stays}})
    for field in ("computed_by", "proposed_by", "approved_by"):
        await tx.update(DECISIONS, {field: gone}, {"$set": {field: stays}})
    theirs = {review.application_id for review in await tx.find(REVIEWS, {"reviewer": stays})}
    for review in await tx.find(REVIEWS, {"reviewer": gone}):
        if review.application_id in theirs:
            # One person reviews an application once: of two records of the same person one counts.
            await tx.save(REVIEWS, review.model_copy(update={"state": ReviewState.CONFLICTED}))
        else:
            await tx.save(REVIEWS, review.model_copy(update={"reviewer": stays}))


async def person_erased(tx: Transaction, event: facts.PersonErased) -> None:
    """Nothing here leads to the person any more; what it did for a city stays the city's, scores stay scores."""
    person = event.person_id
    await tx.delete(LINKS, {"person_id": person})
    for collection, field in (
        (APPLICATIONS, "representatives"),
        (REVISIONS, "representatives"),
        (PARTICIPATIONS, "persons"),
    ):
        await tx.update(collection, {field: person}, {"$pull": {field: person}})
    for submitted in (APPLICATIONS, REVISIONS, REFUSALS):
        await tx.update(submitted, {"submitted_by": person}, {"$set": {"submitted_by": None}})
    await tx.update(REVIEWS, {"reviewer": person, "comment": {"$ne": None}}, {"$set": {"comment": None}})
