"""Calls, applications and their results, and what follows: participations and places."""

from typing import Any

from contracts.cohort_selection import (
    ApplicationDecided,
    ApplicationRefused,
    ApplicationSubmitted,
    ApplicationWithdrawn,
    CallAmended,
    CallPhase,
    CallPhaseChanged,
    CallPublished,
    DecisionPublished,
)
from contracts.common import Reason
from contracts.envelope import Envelope
from services.notification.store import APPLICATIONS, CALLS, MEMBERSHIPS, Call
from services.notification.usecases.telling import Notice, Told, city, localised, members, tell, tell_city, touch
from shared import deadlines
from shared.deadlines import Deadline
from shared.problems import NotYetKnown
from shared.store import Transaction

BROADCAST = "broadcast"
BROADCAST_SIZE = 500
"""How many people are told within one commit."""


def call_facts(call: Call) -> dict[str, Any]:
    """What texts say of a call."""
    return {"title": localised(call.title), "closes": call.closes.model_dump(mode="json")}


async def known_call(tx: Transaction, id: str) -> Call:
    """The call. Raises :class:`NotYetKnown` until it has arrived."""
    call = await tx.get(CALLS, id)
    if call is None:
        raise NotYetKnown("call", id)
    return call


async def publish_call(tx: Transaction, event: CallPublished, envelope: Envelope) -> None:
    """Puts the call into the inbox of everybody who speaks for a city."""
    facts = {
        "call": {"title": localised(event.title), "closes": event.rules.window.closes.model_dump(mode="json")},
        "summary": localised(event.summary),
        "opens": event.rules.window.opens.model_dump(mode="json"),
    }
    _broadcast(tx, envelope, "call-published", event.call_id, facts)


def keep_call(tx: Transaction, event: CallPublished) -> None:
    """Keeps what texts say of the call."""
    tx.project(CALLS, event.call_id, Call.fields(event) | {"owner": event.owner})


def keep_amendment(tx: Transaction, event: CallAmended) -> None:
    """Keeps what texts say of the call from now on."""
    tx.project(CALLS, event.call_id, Call.fields(event))


async def amend_call(tx: Transaction, event: CallAmended, envelope: Envelope) -> None:
    """Tells those who applied, and shows it to everybody else who speaks for a city."""
    facts = {
        "call": {"title": localised(event.title), "closes": event.rules.window.closes.model_dump(mode="json")},
        "reason": localised(event.reason),
        "changed": list(event.changed),
    }
    applicants = await _applicants(tx, event.call_id)
    notice = Notice("application-call-amended", {"call_id": event.call_id}, facts, action_path=_path(event.call_id))
    await tell(tx, envelope.attributes.id, Told(notice, applicants))
    _broadcast(tx, envelope, "call-amended", event.call_id, facts)


async def change_phase(tx: Transaction, event: CallPhaseChanged, envelope: Envelope) -> None:
    """Shows everybody that a call is open now; tells those who applied that it will not be decided."""
    if event.current not in {CallPhase.APPLICATION, CallPhase.CANCELLED}:
        return
    call = await known_call(tx, event.call_id)
    if event.current == CallPhase.APPLICATION:
        _broadcast(tx, envelope, "call-opened", event.call_id, {"call": call_facts(call)})
    else:
        told = Told(_cancellation(event.call_id, call), await _applicants(tx, event.call_id))
        await tell(tx, envelope.attributes.id, told)
        touch(tx, event.call_id)


def keep_phase(tx: Transaction, event: CallPhaseChanged) -> None:
    """Keeps that a call will not be decided."""
    if event.current == CallPhase.CANCELLED:
        tx.project(CALLS, event.call_id, {"cancelled": True})


def _cancellation(call_id: str, call: Call) -> Notice:
    return Notice(
        "application-call-cancelled",
        {"call_id": call_id},
        {"call": call_facts(call)},
        action_path=_path(call_id),
        key=f"{call_id}/cancelled",
    )


def _path(call_id: str) -> str:
    return f"/calls/{call_id}"


async def _applicants(tx: Transaction, call_id: str) -> list[str]:
    people: dict[str, None] = {}
    for application in await tx.find(APPLICATIONS, {"call_id": call_id, "live": True}, sort=[("_id", 1)]):
        people |= dict.fromkeys(application.people)
        people |= dict.fromkeys(await members(tx, application.city_id))
    return list(people)


def _broadcast(tx: Transaction, envelope: Envelope, template: str, call_id: str, facts: dict[str, Any]) -> None:
    data = {
        "template": template,
        "params": {"call_id": call_id},
        "facts": facts,
        "action_path": _path(call_id),
        "key": envelope.attributes.id,
        "after": "",
    }
    deadlines.at(tx, BROADCAST, tx.clock.now(), data, id=f"{BROADCAST}_{envelope.attributes.id}")


async def broadcast(tx: Transaction, deadline: Deadline) -> None:
    """Tells the next of those who speak for a city, and sets the deadline for the rest of them."""
    rows = tx.raw(MEMBERSHIPS).aggregate(
        [
            {"$match": {"state": "approved", "person_id": {"$gt": deadline.data["after"]}}},
            {"$group": {"_id": "$person_id"}},
            {"$sort": {"_id": 1}},
            {"$limit": BROADCAST_SIZE},
        ],
        session=tx.session,
    )
    people = [row["_id"] async for row in rows]
    notice = Notice(**{name: value for name, value in deadline.data.items() if name != "after"})
    await tell(tx, deadline.data["key"], Told(notice, people))
    if len(people) == BROADCAST_SIZE:
        deadlines.at(tx, BROADCAST, tx.clock.now(), deadline.data | {"after": people[-1]}, id=deadline.id)


async def receive(tx: Transaction, event: ApplicationSubmitted, envelope: Envelope) -> None:
    """Confirms an application, or its replacement, with the time of its arrival."""
    facts = {
        "revision": event.revision,
        "arrived_at": event.arrived_at.isoformat(),
        "digest": event.digest,
    }
    people = _submitters(event)
    call = await known_call(tx, event.call_id)
    await _tell_of_application(tx, envelope, "application-received", event, facts, people)
    if call.cancelled:
        people_told = [*people, *await members(tx, event.city_id)]
        await tell(tx, envelope.attributes.id, Told(_cancellation(event.call_id, call), people_told))
    # Collides with the cancellation that is telling everybody who applied at this moment.
    touch(tx, event.call_id)


def keep_application(tx: Transaction, event: ApplicationSubmitted) -> None:
    """Keeps whose application it is."""
    people = _submitters(event)
    fields = {"call_id": event.call_id, "city_id": event.city_id, "people": people, "live": True}
    tx.project(APPLICATIONS, event.application_id, fields)


def _submitters(event: ApplicationSubmitted) -> list[str]:
    return list(dict.fromkeys((event.submitted_by, *event.representatives)))


async def refuse(tx: Transaction, event: ApplicationRefused, envelope: Envelope) -> None:
    """Tells every reason why an application was not taken."""
    call = await known_call(tx, event.call_id)
    facts = {"reasons": _reasons(event.reasons, call), "arrived_at": event.arrived_at.isoformat()}
    await _tell_of_application(tx, envelope, "application-refused", event, facts, [event.submitted_by])


async def withdraw(tx: Transaction, event: ApplicationWithdrawn, envelope: Envelope) -> None:
    """Confirms that an application was taken back."""
    people = await _people(tx, event.application_id)
    await _tell_of_application(tx, envelope, "application-withdrawn", event, {}, [event.withdrawn_by, *people])


def end_application(tx: Transaction, event: ApplicationWithdrawn) -> None:
    """Keeps that an application was taken back."""
    tx.project(APPLICATIONS, event.application_id, {"live": False})


async def decide(tx: Transaction, event: ApplicationDecided, envelope: Envelope) -> None:
    """Tells the result, and what decided."""
    people = await _people(tx, event.application_id)
    call = await known_call(tx, event.call_id)
    facts = {
        "host": localised(call.hosts[event.host_id]) if event.host_id in call.hosts else None,
        "score": event.score,
        "rank": event.rank,
        "reserve_rank": event.reserve_rank,
        "reasons": _reasons(event.reasons, call),
    }
    await _tell_of_application(tx, envelope, f"application-{event.outcome}", event, facts, people)


async def _people(tx: Transaction, application_id: str) -> list[str]:
    application = await tx.get(APPLICATIONS, application_id)
    return application.people if application else []


async def _tell_of_application(
    tx: Transaction,
    envelope: Envelope,
    template: str,
    event: ApplicationSubmitted | ApplicationRefused | ApplicationWithdrawn | ApplicationDecided,
    facts: dict[str, Any],
    people: list[str],
) -> None:
    call, town = await known_call(tx, event.call_id), await city(tx, event.city_id)
    notice = Notice(
        template,
        {"application_id": event.application_id, "call_id": event.call_id},
        {"call": call_facts(call), "city": town.name} | facts,
        city_id=event.city_id,
        action_path=f"/applications/{event.application_id}",
    )
    await tell_city(tx, envelope, notice, city_id=event.city_id, also=people, mailbox=True)


def _reasons(reasons: tuple[Reason, ...], call: Call) -> list[dict[str, Any]]:
    return [
        reason.model_dump(mode="json")
        | {"sentence": localised(call.sentences[reason.code]) if reason.code in call.sentences else None}
        for reason in reasons
    ]


async def publish_decision(tx: Transaction, event: DecisionPublished, envelope: Envelope) -> None:
    """Shows the call's manager that the result is out; applicants are told their own."""
    call = await known_call(tx, event.call_id)
    facts = {
        "call": call_facts(call),
        "selected": len(event.result.selected),
        "reserve": len(event.result.reserve),
    }
    notice = Notice("decision-published", {"call_id": event.call_id}, facts, action_path=_path(event.call_id))
    await tell(tx, envelope.attributes.id, Told(notice, [call.owner]))
