"""Who may book a session, when, and for whom."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from contracts.common import Admission, Audience
from contracts.events_calendar import Session
from contracts.registration import CityStatus

MISSION_CITY = "mission-city"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a booking is not possible: a stable code, a sentence and what is in it."""

    code: str
    detail: str
    params: dict[str, Any]


def _refusal(code: str, detail: str, **params: Any) -> Refusal:
    return Refusal(code, detail, params)


def closed(session: Session, *, cancelled: bool, arrived: datetime) -> Refusal | None:
    """Why nobody can book a session any more, or yet; judged by when the request arrived."""
    opens, closes = session.booking_opens, session.booking_closes
    if cancelled:
        return _refusal("session-cancelled", "This session was cancelled.")
    if opens is not None and arrived < opens.recomputed().utc:
        return _refusal("booking-not-open", "Booking is not open yet.", opens=opens.utc.isoformat())
    if arrived >= session.span.starts.recomputed().utc:
        return _refusal("session-begun", "This session has begun; it can no longer be booked.")
    if closes is not None and arrived >= closes.recomputed().utc:
        return _refusal("booking-closed", "Booking is closed.", closed=closes.utc.isoformat())
    return None


def is_mission_city(statuses: Iterable[CityStatus], today: date) -> bool:
    """Whether a city is a Mission City on a day."""
    return any(
        status.kind == MISSION_CITY
        and status.valid_from <= today
        and (status.valid_until is None or today <= status.valid_until)
        for status in statuses
    )


def for_everyone(session: Session) -> bool:
    """Whether anybody may come."""
    return Audience.EVERYONE in session.audiences


def not_meant(session: Session, mission_city: bool | None) -> Refusal | None:
    """Why a session that is not for everyone is not for those who book; ``mission_city`` None: for no city."""
    audiences = set(session.audiences)
    if mission_city is None:
        return _refusal("for-cities-only", "This session is for cities: book it for a city that you are a member of.")
    fitting = {Audience.NATIONAL, Audience.MISSION_CITIES if mission_city else Audience.MISSION_MINDED_CITIES}
    if audiences & fitting:
        return None
    return _refusal("not-your-audience", "This session is meant for other cities.", audiences=sorted(audiences))


def needs_grant(session: Session) -> bool:
    """Whether places are given by a selection, not to whoever comes first."""
    return session.admission is not Admission.OPEN
