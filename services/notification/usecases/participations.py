"""Participations: places offered, taken, declined, moved on, and what may be booked by them."""

from dataclasses import replace
from typing import Any

from contracts.cohort_selection import (
    ParticipationAccepted,
    ParticipationDeclined,
    ParticipationFact,
    ParticipationOffered,
    ParticipationWithdrawn,
    PlaceGranted,
    PlaceReleased,
)
from contracts.common import PlannedMoment
from contracts.envelope import Envelope
from services.notification.store import CALLS, CITIES, PARTICIPATIONS
from services.notification.usecases.selection import known_call
from services.notification.usecases.telling import Notice, Told, city, localised, members, tell_city
from shared.store import Transaction


async def change_participation(tx: Transaction, event: ParticipationFact, envelope: Envelope) -> None:
    """Tells the city's people, and those who take part, where the participation stands."""
    facts = await _facts(tx, event)
    expires: PlannedMoment | None = None
    template = f"participation-{event.state}"
    match event:
        case ParticipationOffered():
            expires = event.expires
            facts |= {"expires": expires.model_dump(mode="json"), "from_reserve": event.from_reserve}
        case ParticipationDeclined() if event.expired:
            template = "participation-expired"
        case ParticipationWithdrawn():
            facts |= {"reason": event.reason.model_dump(mode="json") if event.reason else None}
    notice = Notice(
        template,
        {"participation_id": event.participation_id, "programme": event.programme, "cohort": event.cohort},
        facts,
        city_id=event.city_id,
        action_path=f"/participations/{event.participation_id}",
        expires_at=expires.utc if expires else None,
    )
    others: list[Told] = []
    if isinstance(event, ParticipationAccepted):
        others.append(await _hosts_told(tx, event, facts))
    if isinstance(event, ParticipationOffered):
        # Their mail is the one with the link to answer.
        others.append(Told(replace(notice, mail=False), event.persons))
    await tell_city(tx, envelope, notice, city_id=event.city_id, also=event.persons, mailbox=True, others=others)


def keep_participation(tx: Transaction, event: ParticipationFact) -> None:
    """Keeps whose participation it is, and in what."""
    fields: dict[str, Any] = {
        "city_id": event.city_id,
        "persons": list(event.persons),
        "programme": event.programme,
        "cohort": event.cohort,
        "call_id": event.call_id,
        "host_cities": list(event.host_cities),
    }
    if isinstance(event, ParticipationOffered):
        fields |= {"expires": event.expires.model_dump(mode="json"), "from_reserve": event.from_reserve}
    tx.project(PARTICIPATIONS, event.participation_id, fields)


async def _facts(tx: Transaction, event: ParticipationFact) -> dict[str, Any]:
    town = await city(tx, event.city_id)
    facts: dict[str, Any] = {
        "city": town.name,
        "programme": event.programme,
        "cohort": event.cohort,
        "title": None,
        "hosts": [],
    }
    if event.call_id is not None:
        facts["title"] = localised((await known_call(tx, event.call_id)).title)
    hosts = await tx.find(CITIES, {"_id": {"$in": list(event.host_cities)}, "published": True}, sort=[("name", 1)])
    facts["hosts"] = [host.name for host in hosts if host.name]
    return facts


async def _hosts_told(tx: Transaction, event: ParticipationFact, facts: dict[str, Any]) -> Told:
    people = [person for host in event.host_cities for person in await members(tx, host)]
    notice = Notice(
        "participation-hosted",
        {"participation_id": event.participation_id, "programme": event.programme, "cohort": event.cohort},
        facts,
        city_id=event.city_id,
        action_path=f"/cities/{event.city_id}",
    )
    return Told(notice, people)


async def change_places(tx: Transaction, event: PlaceGranted | PlaceReleased, envelope: Envelope) -> None:
    """Tells that places may be booked, or no longer."""
    participation = await tx.get(PARTICIPATIONS, event.participation_id)
    call = await tx.get(CALLS, participation.call_id) if participation and participation.call_id else None
    params: dict[str, Any] = {
        "participation_id": event.participation_id,
        "programme": event.programme,
        "cohort": event.cohort,
    }
    facts: dict[str, Any] = {
        "city": (await city(tx, event.city_id)).name,
        "programme": event.programme,
        "cohort": event.cohort,
        "title": localised(call.title) if call else None,
    }
    match event:
        case PlaceGranted():
            template, also = "place-granted", event.persons
            params |= {"places": event.places}
            facts |= {"places": event.places}
        case PlaceReleased():
            template, also = "place-released", tuple(participation.persons) if participation else ()
            params |= {"reason": event.reason.code}
            facts |= {"reason": event.reason.model_dump(mode="json")}
    path = f"/sessions/{event.session_id}" if event.session_id else f"/participations/{event.participation_id}"
    notice = Notice(template, params, facts, city_id=event.city_id, action_path=path)
    await tell_city(tx, envelope, notice, city_id=event.city_id, also=also)
