"""A place is offered to a city: with an end, a task, and links to answer by."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from contracts.cohort_selection import ParticipationOffered
from contracts.common import PlannedMoment
from contracts.registration import TaskClosed, TaskOpened, TaskOutcome
from services.cohort_selection.store import PARTICIPATIONS, Application, Call, Participation
from shared import deadlines
from shared.ids import new_id
from shared.links import Links
from shared.store import Transaction

links = Links("/participations/links", tag="participations")
PURPOSE = "answer-offer"
ACTION = "answer-offer"
EXPIRES = "offer-expires"


async def offer(
    tx: Transaction, call: Call, application: Application, host_id: str | None, *, from_reserve: bool
) -> Participation:
    """Offers a place to the city of an application."""
    host = next((one for one in call.rules.hosts if one.host_id == host_id), None)
    now = tx.clock.now()
    participation = Participation(
        id=new_id("par"),
        call_id=call.id,
        application_id=application.id,
        city_id=application.city_id,
        persons=application.representatives,
        programme=call.programme,
        cohort=call.cohort,
        host_id=host_id,
        host_cities=host.cities if host is not None else (),
        session_id=host.session_id if host is not None else None,
        expires=_end(call, now),
        from_reserve=from_reserve,
        offered_at=now,
        task_id=new_id("tsk"),
    )
    ends = participation.expires.utc
    event = ParticipationOffered(**fact(participation), expires=participation.expires, from_reserve=from_reserve)
    saved = await tx.save(PARTICIPATIONS, participation, event)
    task = TaskOpened(
        task_id=participation.task_id,
        city_id=participation.city_id,
        action=ACTION,
        params={"call_id": call.id, "participation_id": participation.id},
        path=f"/participations/{participation.id}",
        due=participation.expires,
    )
    tx.emit(task, participation.task_id, 1)
    deadlines.at(tx, EXPIRES, ends, {"participation_id": participation.id}, id=f"{participation.id}/expires")
    for person in participation.persons:
        data = {"participation_id": participation.id}
        await links.issue(tx, PURPOSE, expires_at=ends, person_id=person, about=participation.id, data=data)
    return saved


def _end(call: Call, now: datetime) -> PlannedMoment:
    """The end of an offer: so many days on, at the time of day at which the window of the call closed."""
    closes = call.rules.window.closes
    day = now.astimezone(ZoneInfo(closes.zone)).date() + timedelta(days=call.rules.offers.days)
    at = datetime.combine(day, closes.local.time())
    try:
        return PlannedMoment.of(at, closes.zone)
    except ValueError:
        # Clocks go forward over this time on that day; an hour later they show a time that there is.
        return PlannedMoment.of(at + timedelta(hours=1), closes.zone)


def fact(participation: Participation) -> dict[str, Any]:
    """What every event of a participation says."""
    return {
        "participation_id": participation.id,
        **participation.model_dump(
            include={
                "city_id",
                "persons",
                "programme",
                "cohort",
                "call_id",
                "application_id",
                "host_id",
                "host_cities",
            }
        ),
    }


async def close_task(tx: Transaction, participation: Participation, outcome: TaskOutcome) -> None:
    """The offer is answered, or has ended: nothing is left to do about it."""
    event = TaskClosed(task_id=participation.task_id, city_id=participation.city_id, action=ACTION, outcome=outcome)
    tx.emit(event, participation.task_id, 2)
    await deadlines.cancel(tx, f"{participation.id}/expires")
