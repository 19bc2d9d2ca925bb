"""Our own sessions: scheduling, changing, cancelling."""

from typing import Annotated, Self

from fastapi import APIRouter
from pydantic import Field, StringConstraints, model_validator

from contracts.common import (
    Admission,
    AttendanceMode,
    Audience,
    CountryCode,
    LanguageTag,
    Location,
    PersonId,
    Slug,
    Span,
    WebAddress,
)
from contracts.events_calendar import Material, Session
from services.events_calendar.api.common import Line, LocalMoment, Proses, SessionPath, Titles, texts
from services.events_calendar.usecases import sessions
from services.events_calendar.usecases.views import SessionView
from shared.bodies import Body
from shared.identity import Caller, Public, may
from shared.service import StoreDep

router = APIRouter(tags=["sessions"])
Organiser = Annotated[Caller, may(roles=sessions.ORGANISERS)]


class LocationBody(Body):
    """Where a session takes place."""

    name: Line | None = None
    address: Annotated[str, StringConstraints(max_length=500)] | None = None
    city: Annotated[str, StringConstraints(max_length=200)] | None = None
    country: CountryCode | None = None
    latitude: Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)] | None = None
    longitude: Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)] | None = None


class MaterialBody(Body):
    """What goes with a session: slides, a recording, a document."""

    kind: Slug
    title: Titles
    url: WebAddress
    language: LanguageTag | None = None


class SessionBody(Body):
    """A session in full. See `Session` in the contracts for what the fields mean."""

    kind: Slug = Field(description="`orientation`, `tool-training`, `discussion-group`, `study-visit`, …")
    title: Titles
    summary: Proses | None = None
    starts: LocalMoment
    ends: LocalMoment
    attendance_mode: AttendanceMode = AttendanceMode.ONLINE
    location: LocationBody | None = None
    online_url: WebAddress | None = Field(None, description="For those who hold a place, and for organisers")
    admission: Admission = Admission.OPEN
    programme: Slug | None = None
    cohort: Slug | None = None
    series: Slug | None = None
    part: Annotated[int, Field(ge=1, le=100)] | None = None
    materials: Annotated[list[MaterialBody], Field(max_length=50)] = []
    languages: Annotated[list[LanguageTag], Field(max_length=60)] = []
    audiences: Annotated[list[Audience], Field(min_length=1, max_length=4)] = [Audience.EVERYONE]
    themes: Annotated[list[Slug], Field(max_length=60)] = []
    capacity: Annotated[int, Field(ge=1, le=100_000)] | None = None
    places_per_city: Annotated[int, Field(ge=1, le=100_000)] | None = None
    guests_allowed: bool = False
    waiting_list: bool = True
    hold_minutes: Annotated[int, Field(ge=1, le=60 * 24 * 30)] | None = Field(
        None, description="How long a place that came free is kept for the first who waits; without it they move up"
    )
    booking_opens: LocalMoment | None = None
    booking_closes: LocalMoment | None = None
    hosts: Annotated[list[PersonId], Field(max_length=50)] = []

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        starts, ends = self.starts.planned(), self.ends.planned()
        if ends.utc <= starts.utc:
            raise ValueError("a session ends after it starts")
        if (ends.utc - starts.utc).days > 31:
            raise ValueError("a session lasts at most 31 days")
        opens = self.booking_opens.planned().utc if self.booking_opens else None
        closes = self.booking_closes.planned().utc if self.booking_closes else None
        if opens and closes and closes <= opens:
            raise ValueError("booking closes after it opens")
        place = self.location
        if self.attendance_mode is not AttendanceMode.ONLINE and not (place and (place.name or place.city)):
            raise ValueError("location needs a name or a city unless the session is online")
        if self.admission is not Admission.OPEN and not (self.programme and self.cohort):
            raise ValueError("places that a selection gives need a programme and a cohort")
        return self

    def session(self) -> Session:
        """The session as the contracts have it."""
        given = self.model_dump(
            exclude={"title", "summary", "starts", "ends", "booking_opens", "booking_closes", "materials", "location"}
        )
        return Session(
            **given,
            title=texts(self.title) or {},
            summary=texts(self.summary),
            span=Span(starts=self.starts.planned(), ends=self.ends.planned()),
            booking_opens=self.booking_opens.planned() if self.booking_opens else None,
            booking_closes=self.booking_closes.planned() if self.booking_closes else None,
            location=Location(**self.location.model_dump()) if self.location else None,
            materials=tuple(
                Material(kind=one.kind, title=texts(one.title) or {}, url=one.url, language=one.language)
                for one in self.materials
            ),
        )


class SessionCancellation(Body):
    """Why a session does not take place, by language."""

    reason: Titles | None = None


@router.post("/sessions", status_code=201, summary="Schedule a session")
async def schedule_session(body: SessionBody, store: StoreDep, caller: Organiser) -> SessionView:
    """Makes a session public and bookable, and shows it in the calendar."""
    return await sessions.schedule(store, caller, body.session())


@router.get("/sessions/{session_id}", status_code=200, summary="One session")
async def get_session(session_id: SessionPath, store: StoreDep, caller: Public) -> SessionView:
    """A session with its free places; the address online is for organisers and for those who hold a place."""
    return await sessions.get(store, caller, session_id)


@router.put("/sessions/{session_id}", status_code=200, summary="Change a session")
async def change_session(session_id: SessionPath, body: SessionBody, store: StoreDep, caller: Organiser) -> SessionView:
    """Gives a session a new state in full. Seats that are added go to those who wait."""
    return await sessions.change(store, caller, session_id, body.session())


@router.post("/sessions/{session_id}/cancellation", status_code=200, summary="Cancel a session")
async def cancel_session(
    session_id: SessionPath, body: SessionCancellation, store: StoreDep, caller: Organiser
) -> SessionView:
    """Calls a session off. It stays visible as cancelled, and its bookings are void."""
    return await sessions.cancel(store, caller, session_id, texts(body.reason))
