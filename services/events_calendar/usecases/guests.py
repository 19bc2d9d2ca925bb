"""Guests: people who book without an account. Their data is kept here and on one topic, and erased in time."""

from datetime import datetime, timedelta
from typing import Any, Final

from contracts.events_calendar import BookingState, GuestRecorded
from services.events_calendar.domain import booking as rules
from services.events_calendar.domain.seats import OPEN_STATES
from services.events_calendar.store import BOOKINGS, GUESTS, SESSIONS, Booking, Guest, HeldSession, session_of
from services.events_calendar.usecases import seating
from services.events_calendar.usecases.bookings import insist, seat_or_queue, take_offer
from services.events_calendar.usecases.desk import Desk
from services.events_calendar.usecases.seating import LINKS, TAKE_PLACE
from services.events_calendar.usecases.views import BookingView, GuestBookingTaken, booking_view
from shared import deadlines
from shared.deadlines import Deadline
from shared.ids import new_id
from shared.links import Choice, Link
from shared.outbox import Tombstone
from shared.problems import Problem, conflict
from shared.store import Reader, Transaction

CONFIRM: Final = "confirm-booking"
MANAGE: Final = "manage-booking"
RETENTION_EXPIRY: Final = "guest-retention"
HOLD: Final = timedelta(hours=1)
"""How long a guest has to confirm by the mailed link."""
RETENTION: Final = timedelta(days=90)
"""How long after the last session that a guest booked its data is kept."""


async def book(desk: Desk, session_id: str, fields: dict[str, Any], arrived: datetime) -> GuestBookingTaken:
    """Keeps a place for somebody without an account and mails a link to confirm it.

    The answer is the same whether the address has booked already or not. Raises 404, and 409 problems that say why the
    session cannot be booked.
    """

    async def step(tx: Transaction, held: HeldSession) -> tuple[HeldSession, GuestBookingTaken]:
        session = held.session
        insist(rules.closed(session, cancelled=held.cancelled, arrived=arrived))
        if not session.guests_allowed or rules.needs_grant(session):
            raise conflict("account-needed", "This session is booked with an account; register and sign in.")
        free = held.seats.free(session.capacity)
        if not free and not session.waiting_list:
            raise conflict("session-full", "All places are taken.", capacity=session.capacity)
        until = tx.clock.now() + HOLD
        answer = GuestBookingTaken(expires_at=until)
        guest = await tx.one(GUESTS, {"mail_key": fields["mail_address"].lower()})
        known = guest and await tx.one(BOOKINGS, {"session_id": session_id, "guest_id": guest.id, "active": True})
        if guest is None or guest.mail_verified_at is None:
            guest = await _record(tx, guest, fields)
        if known:
            if known.state is BookingState.HELD:
                await _mail(tx, guest, known, CONFIRM, known.expires_at or until)
            return held, answer
        booking = Booking(
            id=new_id("bkg"),
            session_id=session_id,
            guest_id=guest.id,
            state=BookingState.HELD,
            arrived_at=arrived,
            changed_at=tx.clock.now(),
        )
        held, booking = await seating.hold(tx, held, booking, until, seated=free)
        await _mail(tx, guest, booking, CONFIRM, until)
        return held, answer

    return await desk.settle(session_id, step)


async def _record(tx: Transaction, known: Guest | None, fields: dict[str, Any]) -> Guest:
    """Keeps a guest's data and tells of it; what was never confirmed may be replaced."""
    guest = Guest(id=new_id("gst"), mail_key=fields["mail_address"].lower(), **fields)
    if known is not None:
        guest = guest.model_copy(update={"id": known.id, "version": known.version})
    return await tx.save(GUESTS, guest, _fact(guest))


def _fact(guest: Guest) -> GuestRecorded:
    return GuestRecorded.model_validate({"guest_id": guest.id, **guest.model_dump(exclude={"mail_key"})})


async def _mail(tx: Transaction, guest: Guest, booking: Booking, purpose: str, until: datetime) -> None:
    receiver = {"guest_id": guest.id, "locale": guest.locale, "about": booking.id}
    await LINKS.issue(tx, purpose, expires_at=until, data={"booking": booking.id}, **receiver)


async def _about(reader: Reader, link: Link, language: str) -> str | None:
    """The session that a link is about, with its time at its place."""
    booking = await reader.get(BOOKINGS, link.data["booking"])
    held = await reader.get(SESSIONS, booking.session_id) if booking else None
    if held is None:
        return None
    titles, starts = held.session.title, held.session.span.starts
    title = titles.get(language) or titles.get("en") or next(iter(titles.values()))
    return f"{title.text}, {starts.local:%Y-%m-%d %H:%M} ({starts.zone})"


@LINKS.on(
    CONFIRM,
    title={"en": "Confirm your booking", "pt": "Confirme a sua inscrição", "de": "Buchung bestätigen"},
    choices=[
        Choice(
            "confirm",
            {"en": "Confirm", "pt": "Confirmar", "de": "Bestätigen"},
            {"en": "Your booking is confirmed.", "pt": "A sua inscrição está confirmada.", "de": "Ihre Buchung gilt."},
        )
    ],
    describe=_about,
)
async def confirm(tx: Transaction, link: Link, choice: str) -> BookingView:
    """The mail address is the guest's own: the booking gets its seat, or its place on the waiting list."""
    booking, held = await _load(tx, link)
    if booking.state is not BookingState.HELD:
        raise Problem(410, "booking-void", "This booking is no longer held; book again.")
    now = tx.clock.now()
    held, booking = await seat_or_queue(tx, held, booking, now)
    await tx.save(SESSIONS, held)
    guest = await tx.get(GUESTS, booking.guest_id) if booking.guest_id else None
    if guest is None:
        # It is a person's by now, who sees it in the portal.
        return booking_view(held, booking)
    if guest.mail_verified_at is None:
        guest = guest.model_copy(update={"mail_verified_at": now})
        guest = await tx.save(GUESTS, guest, _fact(guest))
    ends = held.session.span.ends.utc
    await _mail(tx, guest, booking, MANAGE, ends + RETENTION)
    _keep_until(tx, guest.id, ends + RETENTION)
    return booking_view(held, booking)


@LINKS.on(
    MANAGE,
    title={"en": "Your booking", "pt": "A sua inscrição", "de": "Ihre Buchung"},
    choices=[
        Choice(
            "cancel",
            {"en": "Cancel the booking", "pt": "Cancelar a inscrição", "de": "Buchung absagen"},
            {"en": "Your booking is cancelled.", "pt": "A inscrição foi cancelada.", "de": "Die Buchung ist abgesagt."},
        ),
        Choice(
            "erase",
            {"en": "Erase my data", "pt": "Apagar os meus dados", "de": "Meine Daten löschen"},
            {
                "en": "Your bookings are cancelled and your data is erased.",
                "pt": "As suas inscrições foram canceladas e os seus dados apagados.",
                "de": "Ihre Buchungen sind abgesagt und Ihre Daten gelöscht.",
            },
        ),
    ],
    describe=_about,
)
async def manage(tx: Transaction, link: Link, choice: str) -> None:
    """A guest cancels a booking, or has everything about it erased."""
    booking, held = await _load(tx, link)
    if choice == "erase":
        await erase(tx, str(booking.guest_id), "by-holder")
    elif booking.state in OPEN_STATES:
        await tx.save(SESSIONS, await seating.give_up(tx, held, booking, "by-holder"))


@LINKS.on(
    TAKE_PLACE,
    title={"en": "A place is free for you", "pt": "Há um lugar livre para si", "de": "Ein Platz ist für Sie frei"},
    choices=[
        Choice(
            "accept",
            {"en": "Take the place", "pt": "Aceitar o lugar", "de": "Platz annehmen"},
            {"en": "The place is yours.", "pt": "O lugar é seu.", "de": "Der Platz gehört Ihnen."},
        ),
        Choice(
            "decline",
            {"en": "Let it go", "pt": "Recusar o lugar", "de": "Platz freigeben"},
            {"en": "The place goes to the next.", "pt": "O lugar passa ao seguinte.", "de": "Der Nächste rückt nach."},
        ),
    ],
    describe=_about,
)
async def answer_offer(tx: Transaction, link: Link, choice: str) -> BookingView:
    """Somebody who waited takes the place that came free, or lets it go."""
    booking, held = await _load(tx, link)
    if choice == "accept":
        held, booking = await take_offer(tx, held, booking.id, tx.clock.now())
    else:
        held = await seating.give_up(tx, held, booking, "by-holder")
        booking = await tx.require(BOOKINGS, booking.id)
    await tx.save(SESSIONS, held)
    return booking_view(held, booking)


async def _load(tx: Transaction, link: Link) -> tuple[Booking, HeldSession]:
    booking = await tx.require(BOOKINGS, link.data["booking"])
    return booking, await session_of(tx, booking.session_id)


async def expire(tx: Transaction, deadline: Deadline) -> None:
    """A held or offered place was not taken in time: it goes to the next. Who never confirmed is forgotten."""
    booking = await tx.get(BOOKINGS, deadline.data["booking"])
    if booking is None or booking.state not in (BookingState.HELD, BookingState.OFFERED):
        return
    held = await session_of(tx, booking.session_id)
    reason = "not-confirmed" if booking.state is BookingState.HELD else "offer-expired"
    await tx.save(SESSIONS, await seating.give_up(tx, held, booking, reason))
    guest = await tx.get(GUESTS, booking.guest_id) if booking.guest_id else None
    if guest and guest.mail_verified_at is None and not await tx.one(BOOKINGS, {"guest_id": guest.id, "active": True}):
        await forget(tx, guest.id)


def _keep_until(tx: Transaction, guest_id: str, until: datetime) -> None:
    deadlines.at(tx, RETENTION_EXPIRY, until, {"guest": guest_id}, id=f"due_{guest_id}")


async def retention_over(tx: Transaction, deadline: Deadline) -> None:
    """A guest's data is erased, unless a later session was booked."""
    guest_id = deadline.data["guest"]
    bookings = await tx.find(BOOKINGS, {"guest_id": guest_id})
    sessions = await tx.find(SESSIONS, {"_id": {"$in": [booking.session_id for booking in bookings]}})
    until = max((held.session.span.ends.utc + RETENTION for held in sessions), default=deadline.due)
    if until > tx.clock.now():
        _keep_until(tx, guest_id, until)
    else:
        await forget(tx, guest_id)


async def erase(tx: Transaction, guest_id: str, reason: str) -> None:
    """Cancels what a guest has booked and forgets who it was."""
    for booking in await tx.find(BOOKINGS, {"guest_id": guest_id, "active": True}):
        if booking.state in OPEN_STATES:
            held = await session_of(tx, booking.session_id)
            await tx.save(SESSIONS, await seating.give_up(tx, held, booking, reason))
    await forget(tx, guest_id)


async def forget(tx: Transaction, guest_id: str) -> None:
    """Deletes a guest's data here and, by a tombstone, everywhere else; bookings keep the bare id."""
    guest = await tx.get(GUESTS, guest_id)
    if guest is None:
        return
    await tx.delete(GUESTS, {"_id": guest_id})
    await deadlines.cancel(tx, f"due_{guest_id}")
    tx.emit(Tombstone(GuestRecorded), guest_id, guest.version + 1)
