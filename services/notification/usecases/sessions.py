"""Sessions and bookings: every holder hears what becomes of the place, everybody who booked when a session changes."""

from typing import Any

from contracts.envelope import Envelope
from contracts.events_calendar import (
    BookingCancelled,
    BookingConfirmed,
    BookingFact,
    BookingOffered,
    BookingReassigned,
    BookingState,
    BookingWaitlisted,
    Session,
    SessionCancelled,
    SessionChanged,
    SessionScheduled,
)
from services.notification import domain
from services.notification.store import BOOKINGS, SESSIONS, SessionCopy
from services.notification.usecases.telling import Notice, Told, localised, tell, touch
from shared.problems import NotYetKnown
from shared.store import Transaction

SHOWN = {"kind", "title", "span", "attendance_mode", "location", "online_url"}
LIVE = ("confirmed", "waiting", "offered")
"""States of bookings whose holders count on the session; who only holds one has not confirmed the address yet."""


def session_facts(session: Session) -> dict[str, Any]:
    """What texts say of a session."""
    return session.model_dump(mode="json", include=SHOWN)


def schedule_session(tx: Transaction, event: SessionScheduled) -> None:
    """Keeps the session."""
    tx.project(SESSIONS, event.session_id, {"session": event.session.model_dump(mode="json")})


async def change_session(tx: Transaction, event: SessionChanged, envelope: Envelope) -> None:
    """Tells everybody who booked when time or place are others than they were told."""
    if template := domain.session_change(event):
        previous = event.previous_span.model_dump(mode="json") if event.previous_span else None
        notice = Notice(
            template,
            {"session_id": event.session_id},
            {"session": session_facts(event.session), "previous": previous},
            action_path=f"/sessions/{event.session_id}",
            expires_at=event.session.span.ends.utc,
        )
        await tell(tx, envelope.attributes.id, Told(notice, await _who_booked(tx, event.session_id)))
    touch(tx, event.session_id)


def keep_session(tx: Transaction, event: SessionChanged) -> None:
    """Keeps the session as it is now."""
    tx.project(SESSIONS, event.session_id, {"session": event.session.model_dump(mode="json")})


async def cancel_session(tx: Transaction, event: SessionCancelled, envelope: Envelope) -> None:
    """Tells everybody who booked."""
    copy = SessionCopy(id=event.session_id, session=event.session, cancelled=True, reason=event.reason)
    notice = _cancellation(event.session_id, copy)
    await tell(tx, envelope.attributes.id, Told(notice, await _who_booked(tx, event.session_id)))
    touch(tx, event.session_id)


def end_session(tx: Transaction, event: SessionCancelled) -> None:
    """Keeps that the session will not take place."""
    session, reason = event.session.model_dump(mode="json"), localised(event.reason) if event.reason else None
    tx.project(SESSIONS, event.session_id, {"session": session, "cancelled": True, "reason": reason})


def _cancellation(session_id: str, copy: SessionCopy) -> Notice:
    # Said once, whether the session's own event or that of the booking, which follows from it, comes first.
    return Notice(
        "session-cancelled",
        {"session_id": session_id},
        {"session": session_facts(copy.session), "reason": localised(copy.reason) if copy.reason else None},
        action_path=f"/sessions/{session_id}",
        key=f"{session_id}/cancelled",
    )


async def _who_booked(tx: Transaction, session_id: str) -> list[str]:
    bookings = await tx.find(BOOKINGS, {"session_id": session_id, "state": {"$in": LIVE}}, sort=[("_id", 1)])
    return [booking.holder for booking in bookings]


async def book(tx: Transaction, event: BookingFact, envelope: Envelope) -> None:
    """Tells the holder what became of the booking, with the session as it stands now."""
    if not _untold(event) and (notice := await _notice(tx, event)) is not None:
        await tell(tx, envelope.attributes.id, Told(notice, [_holder(event)]))
    # Collides with a change of the session that is telling everybody who booked at this moment.
    touch(tx, event.session_id)


def keep_booking(tx: Transaction, event: BookingFact) -> None:
    """Keeps who booked what."""
    _keep_booking(tx, event, _holder(event))


def _untold(event: BookingFact) -> bool:
    """What nobody asked for is not confirmed, and who is erased or merged has no word to get."""
    if not isinstance(event, BookingCancelled):
        return False
    return event.previous is BookingState.HELD or event.reason in {"person-erased", "merged"}


async def _notice(tx: Transaction, event: BookingFact) -> Notice | None:
    params: dict[str, Any]
    match event:
        case BookingConfirmed():
            template, params = ("booking-moved-up" if event.moved_up else "booking-confirmed"), {}
        case BookingWaitlisted():
            template, params = "booking-waitlisted", {"position": event.position}
        case BookingOffered():
            template, params = "booking-offered", {"expires_at": event.expires_at.isoformat()}
        case BookingCancelled():
            template, params = "booking-cancelled", {"reason": event.reason, "previous": event.previous.value}
        case _:
            return None
    copy = await _session(tx, event.session_id)
    if isinstance(event, BookingCancelled) and event.reason == "session-cancelled":
        if not copy.cancelled:
            # Its reason is in the session's own event.
            raise NotYetKnown("session", event.session_id)
        return _cancellation(event.session_id, copy)
    # A guest's mail is the one with the link to manage the booking; only who moves up gets none.
    linked = event.guest_id is not None and template in {"booking-confirmed", "booking-waitlisted"}
    return Notice(
        template,
        {"booking_id": event.booking_id, "session_id": event.session_id} | params,
        {"session": session_facts(copy.session)} | params,
        mail=not linked,
        city_id=event.city_id,
        action_path=f"/bookings/{event.booking_id}",
        expires_at=event.expires_at if isinstance(event, BookingOffered) else copy.session.span.ends.utc,
    )


async def _session(tx: Transaction, session_id: str) -> SessionCopy:
    copy = await tx.get(SESSIONS, session_id)
    if copy is None:
        raise NotYetKnown("session", session_id)
    return copy


async def reassign_booking(tx: Transaction, event: BookingReassigned, envelope: Envelope) -> None:
    """A guest who has an account now hears that the booking is in it; merged persons and cities need no word."""
    if event.guest_id is not None:
        copy = await _session(tx, event.session_id)
        notice = Notice(
            "booking-reassigned",
            {"booking_id": event.booking_id, "session_id": event.session_id},
            {"session": session_facts(copy.session)},
            city_id=event.city_id,
            action_path=f"/bookings/{event.booking_id}",
        )
        await tell(tx, envelope.attributes.id, Told(notice, [event.person_id]))
    touch(tx, event.session_id)


def keep_holder(tx: Transaction, event: BookingReassigned) -> None:
    """Keeps whose the booking is."""
    _keep_booking(tx, event, event.person_id)


def _holder(event: BookingFact) -> str:
    holder = event.person_id or event.guest_id
    assert holder is not None, "a booking is a person's or a guest's"
    return holder


def _keep_booking(tx: Transaction, event: BookingFact | BookingReassigned, holder: str) -> None:
    fields = {"session_id": event.session_id, "holder": holder, "state": event.state.value}
    tx.project(BOOKINGS, event.booking_id, fields)
