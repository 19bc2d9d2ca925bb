"""Our own sessions: scheduled, changed and cancelled by their organisers, shown in the calendar beside all others."""

from typing import Any

from contracts.common import Text
from contracts.events_calendar import (
    BookingState,
    EventCancelled,
    EventPublished,
    EventStatus,
    Provenance,
    PublicEvent,
    Session,
    SessionCancelled,
    SessionChanged,
    SessionScheduled,
)
from services.events_calendar.store import BOOKINGS, EVENTS, SESSIONS, CalendarEvent, HeldSession, session_of
from services.events_calendar.usecases import seating
from services.events_calendar.usecases.showing import shown_as
from services.events_calendar.usecases.views import SessionView, event_id_of, session_view
from shared.identity import Caller
from shared.ids import new_id
from shared.problems import conflict, forbidden
from shared.store import Store, Transaction

ORGANISERS = ("organiser", "helpdesk", "administrator")


def organises(caller: Caller, session: Session) -> bool:
    """Whether the caller may change this session: a role for everything, or for its programme."""
    scope = ("programme", session.programme) if session.programme else ("mission", "*")
    return caller.has_role(*ORGANISERS, scope=scope)


def _require_organiser(caller: Caller, session: Session) -> None:
    if not organises(caller, session):
        raise forbidden("Only organisers of this programme may do this.")


async def schedule(store: Store, caller: Caller, session: Session) -> SessionView:
    """Makes a session public and bookable as it says."""
    _require_organiser(caller, session)

    async def work(tx: Transaction) -> SessionView:
        held = HeldSession(id=new_id("ses"), session=session, created_at=tx.clock.now())
        saved = await tx.save(SESSIONS, held, SessionScheduled(session_id=held.id, session=session))
        await _show(tx, saved)
        return session_view(saved, inside=True)

    return await store.transaction(work)


async def get(store: Store, caller: Caller, session_id: str) -> SessionView:
    """A session; with its address online and materials for organisers and for those who hold a place."""
    held = await session_of(store, session_id)
    inside = organises(caller, held.session) or (caller.person is not None and caller.person in held.session.hosts)
    if not inside and caller.person is not None:
        places: dict[str, Any] = {"state": {"$in": [BookingState.CONFIRMED, BookingState.ATTENDED]}}
        ours = [{"person_id": caller.person}, {"city_id": {"$in": sorted(caller.cities)}}]
        inside = await store.one(BOOKINGS, {"session_id": session_id, **places, "$or": ours}) is not None
    return session_view(held, inside=inside)


async def change(store: Store, caller: Caller, session_id: str, session: Session) -> SessionView:
    """Gives a session a new state; seats that are added go to those who wait."""

    async def work(tx: Transaction) -> SessionView:
        held = await session_of(tx, session_id)
        _require_organiser(caller, held.session)
        _require_organiser(caller, session)
        if held.cancelled:
            raise conflict("session-cancelled", "This session was cancelled; schedule a new one.")
        if session.capacity is not None and session.capacity < held.seats.taken:
            raise conflict("capacity-below-booked", "More places are taken already.", taken=held.seats.taken)
        changed = tuple(name for name in Session.model_fields if getattr(session, name) != getattr(held.session, name))
        if not changed:
            return session_view(held, inside=True)
        moved = held.session.span if "span" in changed else None
        fact = SessionChanged(session_id=held.id, session=session, changed=changed, previous_span=moved)
        held = await seating.move_up(tx, held.model_copy(update={"session": session}))
        saved = await tx.save(SESSIONS, held, fact)
        await _show(tx, saved)
        return session_view(saved, inside=True)

    return await store.transaction(work, turn=session_id)


async def cancel(store: Store, caller: Caller, session_id: str, reason: dict[str, Text] | None) -> SessionView:
    """Calls a session off: it stays visible as cancelled, and all its bookings are void. Again, it changes nothing."""

    async def work(tx: Transaction) -> SessionView:
        held = await session_of(tx, session_id)
        _require_organiser(caller, held.session)
        if held.cancelled:
            return session_view(held, inside=True)
        held = held.model_copy(update={"cancelled": True, "reason": reason})
        for booking in await tx.find(BOOKINGS, {"session_id": session_id, "active": True}):
            if booking.state in (BookingState.ATTENDED, BookingState.NO_SHOW):
                continue
            held = await seating.void(tx, held, booking, "session-cancelled")
        fact = SessionCancelled(session_id=held.id, session=held.session, reason=reason)
        saved = await tx.save(SESSIONS, held, fact)
        await _show(tx, saved)
        return session_view(saved, inside=True)

    return await store.transaction(work, turn=session_id)


async def _show(tx: Transaction, held: HeldSession) -> None:
    """Shows a session in the calendar as a public event of our own, and tells of that."""
    id = event_id_of(held.id)
    known = await tx.get(EVENTS, id)
    public = _public(held.session)
    now = tx.clock.now()
    event = CalendarEvent(
        id=id,
        version=known.version if known else 0,
        uid=held.id,
        session_id=held.id,
        kind=held.session.kind,
        standing="cancelled" if held.cancelled else "published",
        said_at=now,
        reason=held.reason,
        changed_at=now,
    ).model_copy(update=shown_as(public, None, held.session.kind))
    provenance = Provenance(uid=held.id, sequence=event.version, said_at=now)
    revision = event.version + 1
    if held.cancelled:
        fact = EventCancelled(event_id=id, revision=revision, provenance=provenance, reason=held.reason)
        await tx.save(EVENTS, event, fact)
    else:
        await tx.save(
            EVENTS, event, EventPublished(event_id=id, revision=revision, provenance=provenance, event=public)
        )


def _public(session: Session) -> PublicEvent:
    """A session as everybody may see it: its address online is for those who hold a place."""
    return PublicEvent(
        title=session.title,
        description=session.summary,
        span=session.span,
        time_zone=session.span.starts.zone,
        status=EventStatus.SCHEDULED,
        attendance_mode=session.attendance_mode,
        location=session.location,
        country=session.location.country if session.location else None,
        registration_closes=session.booking_closes,
        languages=session.languages,
        audiences=session.audiences,
        themes=session.themes,
        capacity=session.capacity,
    )
