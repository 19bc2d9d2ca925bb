"""Bookings of our sessions."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import EmailStr, StringConstraints

from contracts.common import CityId, LanguageTag
from contracts.events_calendar import BookingState
from services.events_calendar.api.common import Arrived, BookingPath, DeskDep, Line, SessionPath, Zone
from services.events_calendar.usecases import bookings, guests
from services.events_calendar.usecases.views import BookingView, GuestBookingTaken
from shared.bodies import Body
from shared.identity import Public, SignedIn
from shared.paging import CursorParam, Limit, Page
from shared.service import ServiceDep, StoreDep

router = APIRouter(tags=["bookings"])
Name = Annotated[Line, StringConstraints(max_length=200)]
NONE_YET = "You have booked nothing yet. Find a session in the calendar and book it."


class BookingBody(Body):
    """For whom: a city of which the caller is a member, or the caller itself."""

    city_id: CityId | None = None


class GuestBookingBody(Body):
    """Who books without an account. The address is confirmed by a mailed link."""

    mail_address: Annotated[EmailStr, StringConstraints(max_length=254)]
    given_name: Name | None = None
    family_name: Name | None = None
    organisation: Name | None = None
    locale: LanguageTag = "en"
    time_zone: Zone


class Attendance(Body):
    """Whether somebody who had a place came."""

    attended: bool


@router.post("/sessions/{session_id}/bookings", status_code=201, summary="Book a session")
async def book_session(
    session_id: SessionPath, body: BookingBody, desk: DeskDep, arrived: Arrived, caller: SignedIn
) -> BookingView:
    """A seat when one is free, otherwise a place on the waiting list in the order of arrival."""
    return await bookings.book(desk, caller, session_id, body.city_id, arrived)


@router.post("/sessions/{session_id}/guest-bookings", status_code=202, summary="Book a session without an account")
async def book_session_as_guest(
    session_id: SessionPath, body: GuestBookingBody, desk: DeskDep, arrived: Arrived, _: Public
) -> GuestBookingTaken:
    """Keeps a place until the mailed link is used, where the session allows guests."""
    return await guests.book(desk, session_id, body.model_dump(), arrived)


@router.get("/sessions/{session_id}/bookings", status_code=200, summary="Who has booked a session")
async def list_session_bookings(
    session_id: SessionPath,
    service: ServiceDep,
    caller: SignedIn,
    state: BookingState | None = None,
    limit: Limit = 50,
    cursor: CursorParam = None,
) -> Page[BookingView]:
    """A session's bookings in the order of arrival, for its organisers and hosts."""
    scope = f"bookings of {session_id} {state}"
    after = service.cursors.decode(scope, cursor) if cursor else None
    items, next_ = await bookings.of_session(service.store, caller, session_id, state, after, limit)
    return Page(items=items, next=service.cursors.encode(scope, next_) if next_ else None)


@router.get("/bookings", status_code=200, summary="My bookings and my cities'")
async def list_my_bookings(
    service: ServiceDep,
    caller: SignedIn,
    city: Annotated[CityId | None, Query()] = None,
    state: BookingState | None = None,
    limit: Limit = 50,
    cursor: CursorParam = None,
) -> Page[BookingView]:
    """What the caller booked and what was booked for its cities, latest first."""
    scope = f"my bookings {caller.id} {city} {state}"
    after = service.cursors.decode(scope, cursor)[0] if cursor else None
    wanted: dict[str, Any] = ({"city_id": city} if city else {}) | ({"state": state} if state else {})
    items, more = await bookings.mine(service.store, caller, wanted, after, limit)
    next_ = service.cursors.encode(scope, [items[-1].id]) if more else None
    return Page(items=items, next=next_, hint=None if items or cursor else NONE_YET)


@router.get("/bookings/{booking_id}", status_code=200, summary="One booking")
async def get_booking(booking_id: BookingPath, store: StoreDep, caller: SignedIn) -> BookingView:
    """A booking of the caller, of its cities, or of a session that it leads."""
    return await bookings.get(store, caller, booking_id)


@router.delete("/bookings/{booking_id}", status_code=200, summary="Cancel a booking")
async def cancel_booking(
    booking_id: BookingPath, store: StoreDep, desk: DeskDep, caller: SignedIn, arrived: Arrived
) -> BookingView:
    """Gives the place up; the first who waits moves up."""
    return await bookings.give_up(desk, store, caller, booking_id, arrived)


@router.post("/bookings/{booking_id}/confirmation", status_code=200, summary="Take a place that is offered")
async def take_offered_place(
    booking_id: BookingPath, store: StoreDep, desk: DeskDep, caller: SignedIn, arrived: Arrived
) -> BookingView:
    """Takes a place that came free and is kept for the caller, while it is."""
    return await bookings.accept(desk, store, caller, booking_id, arrived)


@router.post("/bookings/{booking_id}/attendance", status_code=200, summary="Write down whether somebody came")
async def record_attendance(
    booking_id: BookingPath, body: Attendance, store: StoreDep, caller: SignedIn
) -> BookingView:
    """For the session's organisers and hosts, from an hour before it begins; a mistake can be put right."""
    return await bookings.attend(store, caller, booking_id, attended=body.attended)
