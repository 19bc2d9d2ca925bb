"""Cities ask whether they may apply, apply, replace and withdraw their applications."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from contracts.cohort_selection import (
    ApplicationRefused,
    ApplicationSubmitted,
    ApplicationWithdrawn,
)
from services.cohort_selection.api.answers import ApplicationShown, Eligibility, ReasonShown
from services.cohort_selection.domain import eligibility, form
from services.cohort_selection.domain.canonical import digest
from services.cohort_selection.domain.faults import Fault
from services.cohort_selection.domain.states import APPLICATION, ApplicationState
from services.cohort_selection.store import (
    APPLICATIONS,
    REFUSALS,
    REVIEWS,
    REVISIONS,
    Application,
    Call,
    Refusal,
    Revision,
)
from services.cohort_selection.store.calls import gate_of
from services.cohort_selection.usecases.common import (
    MANAGER,
    call_of,
    commit,
    has_role,
    invalid,
    refusal,
    step,
)
from services.cohort_selection.usecases.judging import (
    already_applied,
    application_of,
    double_role,
    facts_now,
    window_faults,
    wrong_people,
)
from services.cohort_selection.usecases.windows import pass_gate
from shared.identity import Caller
from shared.ids import new_id
from shared.problems import Problem, not_found
from shared.store import Reader, Store, Transaction

TIMING = frozenset({"not-open-yet", "too-late", "intake-closed", "call-cancelled", "already-applied"})
"""Reasons that say nothing about the city: the call does not take this application now."""

FORM = frozenset({"answers", "preferences", "representatives"})
"""What the applicant can mend and send again; alone it is no refused submission."""


@dataclass(frozen=True, slots=True)
class Submission:
    """What a city submits. ``representatives`` None: the person who submits it."""

    city_id: str
    answers: Mapping[str, Any]
    preferences: tuple[str, ...] = ()
    representatives: tuple[str, ...] | None = None


async def check(
    store: Store, caller: Caller, call_id: str, city_id: str, arrived: datetime, languages: Sequence[str]
) -> Eligibility:
    """Tells a city before it starts whether it may apply, with every reason why not. Raises 403, 404."""
    call = await call_of(store, call_id, caller)
    if not has_role(caller, MANAGER, call):
        caller.require_member(city_id)
    facts = await facts_now(store, call, city_id, arrived)
    faults = [
        *window_faults(call, arrived),
        *eligibility.unmet(call.rules.eligibility, facts, None, None, languages),
        *await double_role(store, call, city_id),
        *already_applied(call, await application_of(store, call, city_id), languages),
    ]
    return Eligibility(eligible=not faults, reasons=[ReasonShown.of(fault) for fault in faults], facts=facts)


async def submit(
    store: Store, caller: Caller, call_id: str, submission: Submission, arrived: datetime, languages: Sequence[str]
) -> ApplicationShown:
    """Takes a city's application, judged by the time of its arrival.

    Raises 403 for others than the city's members. A submission that does not meet the rules is recorded, and raises a
    problem with every reason: 422 when something in it can be mended, 403 when the city may not apply, 409 when only
    the time or an earlier application stands against it.
    """
    caller.require_member(submission.city_id)

    async def work(tx: Transaction) -> ApplicationShown | Problem:
        call = await call_of(tx, call_id, caller)
        existing = await application_of(tx, call, submission.city_id)
        again = existing if existing is not None and existing.state is ApplicationState.WITHDRAWN else None
        already = already_applied(call, existing, languages)
        return await _take(tx, caller, call, submission, again, already, arrived, languages)

    # Cities share a gate, and whoever comes while another is on its way through has to begin again.
    return await commit(store, work, turn=gate_of(call_id, submission.city_id))


async def replace_application(
    store: Store,
    caller: Caller,
    application_id: str,
    submission: Submission,
    arrived: datetime,
    languages: Sequence[str],
) -> ApplicationShown:
    """Replaces a submitted application until its window closes; all revisions are kept. Raises as :func:`submit`."""

    async def work(tx: Transaction) -> ApplicationShown | Problem:
        existing = await _own(tx, caller, application_id)
        call = await call_of(tx, existing.call_id, caller)
        step(APPLICATION, existing.state, ApplicationState.SUBMITTED)
        ours = replace(submission, city_id=existing.city_id)
        return await _take(tx, caller, call, ours, existing, [], arrived, languages)

    return await commit(store, work)


async def _take(
    tx: Transaction,
    caller: Caller,
    call: Call,
    submission: Submission,
    existing: Application | None,
    faults: list[Fault],
    arrived: datetime,
    languages: Sequence[str],
) -> ApplicationShown | Problem:
    """Stores the submission, or its refusal."""
    rules = call.rules
    people = tuple(dict.fromkeys(submission.representatives or (caller.id,)))
    facts = await facts_now(tx, call, submission.city_id, arrived)
    judged = form.judged_answers(rules.form, submission.answers)
    wrong = [
        *form.wrong_answers(rules.form, submission.answers),
        *form.wrong_preferences(rules, submission.preferences),
        *await wrong_people(tx, caller, submission.city_id, people, rules.representatives_at_most),
    ]
    faults = [
        *window_faults(call, arrived),
        *faults,
        *eligibility.unmet(rules.eligibility, facts, len(people), judged, languages),
        *await double_role(tx, call, submission.city_id),
    ]
    if not faults and wrong:
        raise invalid(wrong)
    if not faults and not await pass_gate(tx, call, submission.city_id):
        faults = [Fault("intake-closed", "call_id", "The submissions to this call have been counted.")]
    if faults or wrong:
        return await _refuse(tx, caller, call, submission.city_id, [*wrong, *faults], arrived)
    content = {
        "representatives": people,
        "answers": dict(submission.answers),
        "preferences": submission.preferences,
    }
    revision = existing.revision + 1 if existing is not None else 1
    stamp = {
        "rules_version": rules.version,
        "arrived_at": arrived,
        "submitted_by": caller.id,
        "digest": digest(
            {
                "call_id": call.id,
                "city_id": submission.city_id,
                "revision": revision,
                "rules_version": rules.version,
                "arrived_at": arrived.isoformat(),
                "facts": facts.model_dump(mode="json"),
                **content,
            }
        ),
    }
    application = Application(
        id=existing.id if existing is not None else new_id("app"),
        version=existing.version if existing is not None else 0,
        call_id=call.id,
        city_id=submission.city_id,
        state=ApplicationState.SUBMITTED,
        revision=revision,
        facts=facts,
        **content,
        **stamp,
    )
    event = ApplicationSubmitted(
        application_id=application.id,
        call_id=call.id,
        city_id=application.city_id,
        revision=revision,
        rules_version=rules.version,
        arrived_at=arrived,
        submitted_by=caller.id,
        representatives=people,
        facts=facts,
        answers=judged,
        preferences=submission.preferences,
        digest=application.digest,
    )
    saved = await tx.save(APPLICATIONS, application, event)
    await tx.save(
        REVISIONS, Revision(id=f"{application.id}/{revision}", application_id=application.id, **content, **stamp)
    )
    return ApplicationShown.of(saved)


async def _refuse(
    tx: Transaction, caller: Caller, call: Call, city_id: str, faults: list[Fault], arrived: datetime
) -> Problem:
    reasons = tuple(fault.reason() for fault in faults)
    record = Refusal(
        id=new_id("app"),
        call_id=call.id,
        city_id=city_id,
        rules_version=call.rules.version,
        arrived_at=arrived,
        submitted_by=caller.id,
        reasons=reasons,
    )
    event = ApplicationRefused(
        application_id=record.id,
        call_id=call.id,
        city_id=city_id,
        rules_version=call.rules.version,
        arrived_at=arrived,
        submitted_by=caller.id,
        reasons=reasons,
    )
    await tx.save(REFUSALS, record, event)
    if any(fault.field.split(".")[0] in FORM and fault.code not in TIMING for fault in faults):
        status = 422
    else:
        status = 409 if all(fault.code in TIMING for fault in faults) else 403
    detail = "The application was not taken; every reason is listed."
    return refusal(status, "application-refused", detail, faults, refusal_id=record.id)


async def withdraw(store: Store, caller: Caller, application_id: str) -> ApplicationShown:
    """Takes an application back, until it is decided; later only from the reserve list. Raises 403, 404, 409."""

    async def work(tx: Transaction) -> ApplicationShown:
        application = await _own(tx, caller, application_id)
        state = step(APPLICATION, application.state, ApplicationState.WITHDRAWN)
        event = ApplicationWithdrawn(
            application_id=application.id,
            call_id=application.call_id,
            city_id=application.city_id,
            withdrawn_by=caller.id,
        )
        changed = application.model_copy(update={"state": state, "reserve_rank": None})
        return ApplicationShown.of(await tx.save(APPLICATIONS, changed, event))

    return await store.transaction(work)


async def read(store: Store, caller: Caller, application_id: str) -> Application:
    """An application, for its city, the call's managers and its reviewers. Raises 404 for everybody else."""
    application = await store.get(APPLICATIONS, application_id)
    if application is not None:
        if application.city_id in caller.cities:
            return application
        call = await call_of(store, application.call_id, caller)
        if has_role(caller, MANAGER, call):
            return application
        assigned = {"application_id": application_id, "reviewer": caller.id, "state": {"$in": ["assigned", "recorded"]}}
        if await store.one(REVIEWS, assigned):
            return application.model_copy(update=_UNDECIDED)
    raise not_found("application", application_id)


_UNDECIDED: dict[str, Any] = {
    "outcome": None,
    "score": None,
    "rank": None,
    "reserve_rank": None,
    "host_id": None,
    "reasons": (),
}
"""What a reviewer does not see of an application."""


async def _own(reader: Reader, caller: Caller, application_id: str) -> Application:
    application = await reader.get(APPLICATIONS, application_id)
    if application is None or application.city_id not in caller.cities:
        raise not_found("application", application_id)
    return application
