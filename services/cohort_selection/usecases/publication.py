"""A decision becomes public: every application has its result, and places are offered."""

from contracts.cohort_selection import ApplicationDecided, DecisionPublished, DecisionState, Outcome
from services.cohort_selection.api.decision_answers import DecisionShown, Place, PlaceNow, PublishedDecision
from services.cohort_selection.domain.states import APPLICATION, ApplicationState, CallState
from services.cohort_selection.store import APPLICATIONS, DECISIONS, PARTICIPATIONS, Application, Call, Decision
from services.cohort_selection.usecases.common import call_of, step
from services.cohort_selection.usecases.decisions import publishable
from services.cohort_selection.usecases.offers import offer
from services.cohort_selection.usecases.windows import move
from shared.identity import Caller
from shared.problems import not_found
from shared.store import Reader, Store, Transaction

STATES = {
    Outcome.SELECTED: ApplicationState.SELECTED,
    Outcome.RESERVE: ApplicationState.RESERVE,
    Outcome.NOT_SELECTED: ApplicationState.NOT_SELECTED,
}


async def publish(store: Store, caller: Caller, decision_id: str) -> DecisionShown:
    """Publishes an approved decision and offers the places, in one commit. Raises 403, 404, 409."""

    async def work(tx: Transaction) -> DecisionShown:
        call, decision = await publishable(tx, caller, decision_id)
        event = DecisionPublished(
            decision_id=decision.id,
            call_id=call.id,
            programme=call.programme,
            cohort=call.cohort,
            rules_version=decision.rules.version,
            seed=decision.seed,
            inputs=decision.inputs,
            result=decision.result,
            digest=decision.digest,
        )
        published = decision.model_copy(update={"state": DecisionState.PUBLISHED, "published_at": tx.clock.now()})
        published = await tx.save(DECISIONS, published, event)
        call = await move(tx, call, CallState.DECIDED)
        ids = {"_id": {"$in": list(decision.verdicts)}}
        applications = {one.id: one for one in await tx.find(APPLICATIONS, ids)}
        hosts = {match.application_id: match.host_id for match in decision.result.matches}
        for ranked in decision.ranking:
            application = applications[ranked.application_id]
            told = await _tell(tx, call, decision, application, ranked.score, ranked.rank, hosts.get(application.id))
            if told.state is ApplicationState.SELECTED:
                await offer(tx, call, told, told.host_id, from_reserve=False)
        return DecisionShown.of(published)

    return await store.transaction(work)


async def _tell(
    tx: Transaction,
    call: Call,
    decision: Decision,
    application: Application,
    score: int,
    rank: int,
    host_id: str | None,
) -> Application:
    verdict = decision.verdicts[application.id]
    event = ApplicationDecided(
        application_id=application.id,
        call_id=call.id,
        city_id=application.city_id,
        programme=call.programme,
        cohort=call.cohort,
        outcome=verdict.outcome,
        score=score,
        rank=rank,
        reserve_rank=verdict.reserve_rank,
        host_id=host_id,
        reasons=verdict.reasons,
    )
    decided = application.model_copy(
        update={
            "state": step(APPLICATION, application.state, STATES[verdict.outcome]),
            "outcome": verdict.outcome,
            "score": score,
            "rank": rank,
            "reserve_rank": verdict.reserve_rank,
            "host_id": host_id,
            "reasons": verdict.reasons,
        }
    )
    return await tx.save(APPLICATIONS, decided, event)


async def published(reader: Reader, caller: Caller, call_id: str) -> PublishedDecision:
    """The published result of a call, for everybody. Raises 404 before there is one."""
    await call_of(reader, call_id, caller)
    decision = await reader.one(DECISIONS, {"call_id": call_id, "state": DecisionState.PUBLISHED})
    if decision is None or decision.published_at is None:
        raise not_found("decision", call_id)
    cities = {ranked.application_id: ranked.city_id for ranked in decision.ranking}
    hosts = {match.application_id: match.host_id for match in decision.result.matches}
    participations = await reader.find(PARTICIPATIONS, {"call_id": call_id}, sort=[("_id", 1)])
    return PublishedDecision(
        call_id=call_id,
        decision_id=decision.id,
        published_at=decision.published_at,
        rules_version=decision.rules.version,
        engine=decision.engine,
        seed=decision.seed,
        inputs=decision.inputs,
        digest=decision.digest,
        quotas=decision.result.quotas,
        announced=[Place(city_id=cities[id], host_id=hosts.get(id)) for id in decision.result.selected],
        now=[
            PlaceNow(city_id=one.city_id, host_id=one.host_id, state=one.state, from_reserve=one.from_reserve)
            for one in participations
        ],
    )
