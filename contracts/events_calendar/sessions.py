"""Sessions that the Mission holds itself and that can be booked."""

from typing import Annotated

from pydantic import Field

from contracts.common import (
    Admission,
    AttendanceMode,
    Audience,
    LanguageTag,
    LocalisedText,
    Location,
    PersonId,
    PlannedMoment,
    SessionId,
    Slug,
    Span,
    WebAddress,
)
from contracts.envelope import Event, Model


class Material(Model):
    """What goes with a session: ``slides``, ``recording``, ``document``, …"""

    kind: Slug
    title: LocalisedText
    url: WebAddress
    language: LanguageTag | None = None


class Session(Model):
    """One of our own sessions in full.

    ``kind``: ``orientation``, ``tool-training``, ``discussion-group``, ``study-visit``, ``planning-lab``, …; ``part``
    counts within ``series`` (orientation part 1 and 2). ``capacity`` None is without limit. ``hold_minutes`` is how
    long a place that came free is kept for the first who waits. ``online_url`` is for those who hold a place.
    """

    kind: Slug
    title: LocalisedText
    summary: LocalisedText | None = None
    span: Span
    attendance_mode: AttendanceMode = AttendanceMode.ONLINE
    location: Location | None = None
    online_url: WebAddress | None = None
    admission: Admission = Admission.OPEN
    programme: Slug | None = None
    cohort: Slug | None = None
    series: Slug | None = None
    part: Annotated[int, Field(ge=1)] | None = None
    materials: tuple[Material, ...] = ()
    languages: tuple[LanguageTag, ...] = ()
    audiences: tuple[Audience, ...] = (Audience.EVERYONE,)
    themes: tuple[Slug, ...] = ()
    capacity: Annotated[int, Field(ge=1)] | None = None
    places_per_city: Annotated[int, Field(ge=1)] | None = None
    guests_allowed: bool = False
    waiting_list: bool = True
    hold_minutes: Annotated[int, Field(ge=1)] | None = None
    booking_opens: PlannedMoment | None = None
    booking_closes: PlannedMoment | None = None
    prerequisites: tuple[Slug, ...] = ()
    hosts: tuple[PersonId, ...] = ()


class SessionScheduled(Event, type="eu.mission.calendar.session.scheduled.v1", aggregate="session_id"):
    """A session is public and can be booked as it says."""

    session_id: SessionId
    session: Session


class SessionChanged(Event, type="eu.mission.calendar.session.changed.v1", aggregate="session_id"):
    """The session as it stands now. ``changed`` names the fields; ``previous_span`` is its old time when it moved."""

    session_id: SessionId
    session: Session
    changed: tuple[str, ...]
    previous_span: Span | None = None


class SessionCancelled(Event, type="eu.mission.calendar.session.cancelled.v1", aggregate="session_id"):
    """The session will not take place; it stays visible as cancelled."""

    session_id: SessionId
    session: Session
    reason: LocalisedText | None = None
