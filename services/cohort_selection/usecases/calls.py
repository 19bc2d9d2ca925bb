"""Managers draft, publish, amend and cancel calls."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from contracts.cohort_selection import CallAmended, CallPublished, PlannedPhase, Rules
from contracts.common import Admission, LocalisedText
from services.cohort_selection.api.answers import CallShown
from services.cohort_selection.domain.amendments import changed, disadvantages
from services.cohort_selection.domain.faults import Fault
from services.cohort_selection.domain.rules import contradictions, planned
from services.cohort_selection.domain.states import CALL, CallState
from services.cohort_selection.store import CALLS, CITIES, VERSIONS, Call, CallVersion
from services.cohort_selection.usecases import windows
from services.cohort_selection.usecases.common import (
    MANAGER,
    call_of,
    invalid,
    managed_call,
    refusal,
    require_role,
    step,
)
from shared.identity import Caller
from shared.ids import new_id
from shared.problems import conflict
from shared.store import Reader, Store, Transaction

_ANY_WINDOW = {
    "opens": {"local": "2000-01-01T00:00:00", "zone": "UTC", "utc": "2000-01-01T00:00:00Z"},
    "closes": {"local": "2001-01-01T00:00:00", "zone": "UTC", "utc": "2001-01-01T00:00:00Z"},
}
"""Stands in for a window that is refused, so that the other rules are judged too."""


@dataclass(frozen=True, slots=True)
class CallDraft:
    """What a manager says about a call. ``rules`` have the fields of the contract, their window without UTC."""

    programme: str
    cohort: str
    title: LocalisedText
    summary: LocalisedText
    admission: Admission
    rules: Mapping[str, Any]


async def draft(store: Store, caller: Caller, content: CallDraft) -> CallShown:
    """Begins a call. Raises 403, and 422 with every contradiction in its rules."""

    async def work(tx: Transaction) -> CallShown:
        call = Call(
            id=new_id("call"),
            **_said(content),
            owner=caller.id,
            rules=await _rules(tx, content.rules, 1),
            created_at=tx.clock.now(),
        )
        require_role(caller, MANAGER, call)
        return CallShown.of(await tx.save(CALLS, call))

    return await store.transaction(work)


async def redraft(store: Store, caller: Caller, call_id: str, content: CallDraft) -> CallShown:
    """Gives a draft new content. Raises 403, 404, 409 once it is published, 422 for contradictions."""

    async def work(tx: Transaction) -> CallShown:
        call = await managed_call(tx, call_id, caller)
        if call.state is not CallState.DRAFT:
            raise conflict("published-already", "A published call is changed by an amendment.")
        said = _said(content) | {"rules": await _rules(tx, content.rules, 1)}
        changed = call.model_copy(update=said)
        require_role(caller, MANAGER, changed)
        return CallShown.of(await tx.save(CALLS, changed))

    return await store.transaction(work)


async def publish(store: Store, caller: Caller, call_id: str) -> CallShown:
    """Makes a call public and freezes version 1 of its rules. Raises 403, 404, 409, 422 for a window in the past."""

    async def work(tx: Transaction) -> CallShown:
        call = await managed_call(tx, call_id, caller)
        now = tx.clock.now()
        state = step(CALL, call.state, CallState.ANNOUNCED)
        if call.rules.window.closes.utc <= now:
            raise invalid([Fault("window-past", "rules.window.closes", "The window has closed already.")])
        if faults := await _contradictions(tx, call.rules):
            raise invalid(faults)
        call = call.model_copy(update={"state": state, "published_at": now})
        windows.begin(tx, call)
        version = CallVersion(id=f"{call.id}/1", call_id=call.id, rules=call.rules, by=caller.id, at=now)
        await tx.save(VERSIONS, version)
        event = CallPublished(
            call_id=call.id,
            programme=call.programme,
            cohort=call.cohort,
            title=call.title,
            summary=call.summary,
            admission=call.admission,
            phases=_phases(call.rules),
            rules=call.rules,
            owner=call.owner,
        )
        return CallShown.of(await tx.save(CALLS, call, event))

    return await store.transaction(work)


@dataclass(frozen=True, slots=True)
class Amendment:
    """A change of a published call; what is None stays. ``closes`` alone extends the window."""

    reason: LocalisedText
    rules: Mapping[str, Any] | None = None
    closes: Mapping[str, Any] | None = None
    title: LocalisedText | None = None
    summary: LocalisedText | None = None


async def amend(store: Store, caller: Caller, call_id: str, amendment: Amendment) -> CallShown:
    """Puts a new version of the rules in force.

    Raises 403, 404, 409 for a call that is not running or with every part that could disadvantage those who applied,
    422 for contradictions.
    """

    async def work(tx: Transaction) -> CallShown:
        call = await managed_call(tx, call_id, caller)
        if call.state in (CallState.DRAFT, CallState.DECIDED, CallState.CANCELLED):
            raise conflict("not-amendable", f"A call that is {call.state} is not amended.", state=call.state)
        data = dict(amendment.rules if amendment.rules is not None else call.rules.model_dump(mode="json"))
        if amendment.closes is not None:
            data["window"] = {**data["window"], "closes": amendment.closes}
        rules = await _rules(tx, data, call.rules.version + 1)
        if faults := disadvantages(call.rules, rules, call.state):
            detail = "Those who applied relied on the rules as they are."
            raise refusal(409, "could-disadvantage", detail, faults)
        if rules.window != call.rules.window and rules.window.closes.utc <= tx.clock.now():
            raise invalid([Fault("window-past", "rules.window.closes", "The window has closed already.")])
        names = changed(call.rules, rules)
        said = {"title": amendment.title, "summary": amendment.summary}
        names += [name for name, text in said.items() if text not in (None, getattr(call, name))]
        if not names:
            raise invalid([Fault("nothing-changed", "rules", "The amendment changes nothing.")])
        texts = {name: text for name, text in said.items() if text is not None}
        call = call.model_copy(update={"rules": rules, **texts})
        if call.state in (CallState.ANNOUNCED, CallState.APPLICATION):
            windows.set_deadlines(tx, call)
        version = CallVersion(
            id=f"{call.id}/{rules.version}",
            call_id=call.id,
            rules=rules,
            changed=tuple(names),
            reason=amendment.reason,
            by=caller.id,
            at=tx.clock.now(),
        )
        await tx.save(VERSIONS, version)
        event = CallAmended(
            call_id=call.id,
            programme=call.programme,
            cohort=call.cohort,
            title=call.title,
            phases=_phases(rules),
            rules=rules,
            changed=tuple(names),
            reason=amendment.reason,
            amended_by=caller.id,
        )
        return CallShown.of(await tx.save(CALLS, call, event))

    return await store.transaction(work)


async def cancel(store: Store, caller: Caller, call_id: str) -> CallShown:
    """Ends a call without a decision. Raises 403, 404, 409 once it is decided."""

    async def work(tx: Transaction) -> CallShown:
        call = await managed_call(tx, call_id, caller)
        step(CALL, call.state, CallState.CANCELLED)
        await windows.cancel_deadlines(tx, call)
        await windows.close_gates(tx, call)
        return CallShown.of(await windows.move(tx, call, CallState.CANCELLED))

    return await store.transaction(work)


async def versions(store: Store, caller: Caller, call_id: str) -> list[CallVersion]:
    """Every version of a published call's rules, the first one first. Raises 404."""
    await call_of(store, call_id, caller)
    return await store.find(VERSIONS, {"call_id": call_id}, sort=[("at", 1)])


def _said(content: CallDraft) -> dict[str, Any]:
    return {name: getattr(content, name) for name in ("programme", "cohort", "title", "summary", "admission")}


def _phases(rules: Rules) -> tuple[PlannedPhase, ...]:
    window = rules.window
    review = [PlannedPhase(phase="review", begins=window.closes)] if rules.review.per_application else []
    return (
        PlannedPhase(phase="application", begins=window.opens, ends=window.closes),
        *review,
        PlannedPhase(phase="decision"),
    )


async def _rules(reader: Reader, data: Mapping[str, Any], version: int) -> Rules:
    """The rules of what a manager said. Raises 422 with everything that cannot be."""
    window, faults = _window(data["window"])
    hosts = [{**host, "host_id": host.get("host_id") or new_id("hst")} for host in data["hosts"]]
    rules = Rules.model_validate({**data, "window": window or _ANY_WINDOW, "hosts": hosts, "version": version})
    faults += await _contradictions(reader, rules)
    if faults:
        raise invalid(faults)
    return rules


def _window(data: Mapping[str, Any]) -> tuple[dict[str, Any] | None, list[Fault]]:
    faults: list[Fault] = []
    moments = {}
    for end in ("opens", "closes"):
        local = data[end]["local"]
        local = datetime.fromisoformat(local) if isinstance(local, str) else local
        moment, wrong = planned(local, data[end]["zone"], f"rules.window.{end}")
        faults += wrong
        if moment is not None:
            moments[end] = moment
    if len(moments) == 2 and moments["closes"].utc <= moments["opens"].utc:
        faults.append(Fault("window-reversed", "rules.window.closes", "The window closes before it opens."))
    if faults:
        return None, faults
    return {**moments, "grace_seconds": data.get("grace_seconds", 0)}, []


async def _contradictions(reader: Reader, rules: Rules) -> list[Fault]:
    faults = contradictions(rules)
    cities = sorted({city for host in rules.hosts for city in host.cities})
    known = {city.id for city in await reader.find(CITIES, {"_id": {"$in": cities}, "authority": {"$ne": None}})}
    for number, host in enumerate(rules.hosts):
        for place, city in enumerate(host.cities):
            if city not in known:
                field = f"rules.hosts.{number}.cities.{place}"
                faults.append(Fault("city-unknown", field, "There is no such city here.", {"city": city}))
    return faults
