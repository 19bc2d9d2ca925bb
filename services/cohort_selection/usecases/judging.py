"""What stands against an application when it arrives: the window, the rules, its city, its people."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from contracts.cohort_selection import ApplicantFacts, ParticipationState
from services.cohort_selection.domain import eligibility
from services.cohort_selection.domain.faults import Fault
from services.cohort_selection.domain.states import ApplicationState, CallState
from services.cohort_selection.store import (
    APPLICATIONS,
    CITIES,
    COUNTRIES,
    PARTICIPATIONS,
    PERSONS,
    Application,
    Call,
)
from services.cohort_selection.usecases.common import cities_of, present_cities
from shared.identity import Caller
from shared.problems import NotYetKnown, conflict
from shared.store import Reader


async def application_of(reader: Reader, call: Call, city_id: str) -> Application | None:
    """The city's application to the call, in whatever state."""
    return await reader.one(APPLICATIONS, {"call_id": call.id, "city_id": city_id})


async def facts_now(reader: Reader, call: Call, city_id: str, arrived: datetime) -> ApplicantFacts:
    """What the rules see of a city at an arrival.

    Raises 409 problems for a city that is not known here yet, and for one that is another one now.
    """
    city = await reader.get(CITIES, city_id)
    if city is None or city.authority is None:
        raise NotYetKnown("city", city_id)
    if city.merged_into is not None:
        raise conflict("city-merged", "This city is another one now.", into_city_id=city.merged_into)
    day = arrived.astimezone(ZoneInfo(call.rules.window.closes.zone)).date()
    country = await reader.get(COUNTRIES, city.authority.country)
    holds = country is not None and (country.since is None or country.since <= day)
    completed = await reader.find(PARTICIPATIONS, {"city_id": city_id, "state": ParticipationState.COMPLETED.value})
    return eligibility.facts_of(
        city.authority,
        city.commitment,
        city.statuses,
        country.status if country is not None and holds else "other",
        {one.programme for one in completed},
        day,
    )


def window_faults(call: Call, arrived: datetime) -> list[Fault]:
    """Why the call takes nothing that arrives then."""
    window = call.rules.window
    came = arrived.isoformat()
    if call.state is CallState.CANCELLED:
        return [Fault("call-cancelled", "call_id", "The call was cancelled.")]
    if arrived < window.opens.utc:
        params: dict[str, str | int] = {"opens": window.opens.utc.isoformat(), "arrived": came}
        return [Fault("not-open-yet", "call_id", "The window has not opened yet.", params)]
    if arrived > window.closes.utc + timedelta(seconds=window.grace_seconds):
        params = {"closes": window.closes.utc.isoformat(), "arrived": came}
        return [Fault("too-late", "call_id", "The window had closed when this arrived.", params)]
    return []


def already_applied(call: Call, existing: Application | None, languages: Sequence[str]) -> list[Fault]:
    """Why the city cannot apply once more."""
    if existing is None or existing.state is ApplicationState.WITHDRAWN:
        return []
    message = "The city has applied to this call already; until the window closes its application can be replaced."
    rule = next((one for one in call.rules.eligibility if one.kind == eligibility.ONE_APPLICATION), None)
    if rule is not None:
        message = eligibility.sentence(rule.sentence, languages)
    return [Fault("already-applied", "city_id", message, {"application_id": existing.id})]


async def double_role(reader: Reader, call: Call, city_id: str) -> list[Fault]:
    """Why a host cannot apply."""
    hosts = await present_cities(reader, {city for host in call.rules.hosts for city in host.cities})
    if city_id not in hosts:
        return []
    return [Fault("double-role", "city_id", "The city is a host of this call and cannot apply to it.")]


async def wrong_people(
    reader: Reader, caller: Caller, city_id: str, people: Sequence[str], at_most: int
) -> list[Fault]:
    """What is wrong with those who are to represent a city."""
    faults = []
    if len(people) > at_most:
        message = f"At most {at_most} persons can represent the city."
        faults.append(Fault("representatives-too-many", "representatives", message, {"limit": at_most}))
    for place, person in enumerate(people):
        gone = await reader.get(PERSONS, person)
        member = person == caller.id or city_id in await cities_of(reader, person)
        if gone is not None or not member:
            message = "Only members of the city can represent it."
            params: dict[str, str | int] = {"person": person}
            faults.append(Fault("representative-not-member", f"representatives.{place}", message, params))
    return faults
