"""One-time links: mailed to their one receiver, with what they decide on."""

from typing import Any

from contracts.envelope import Envelope
from contracts.registration import LinkIssued
from services.notification import domain
from services.notification.store import BOOKINGS, CALLS, CITIES, MEMBERSHIPS, PARTICIPATIONS, SESSIONS
from services.notification.usecases.sessions import session_facts
from services.notification.usecases.telling import Notice, Told, city, contacts, localised, tell
from shared.problems import NotYetKnown
from shared.store import Transaction


async def mail_link(tx: Transaction, event: LinkIssued, envelope: Envelope) -> None:
    """Puts the link into the queue of mails; it is in no inbox and in no event of ours.

    Raises :class:`NotYetKnown` until its receiver and what it decides on have arrived.
    """
    reader = event.person_id or event.guest_id or event.city_id
    assert reader is not None, "a link has one receiver"
    template = domain.link_template(event.purpose, event.about)
    facts = {"expires_at": event.expires_at.isoformat()} | await _facts(tx, template, event.about)
    notice = Notice(
        template,
        {"link_id": event.link_id, "purpose": event.purpose} | ({"about": event.about} if event.about else {}),
        facts,
        expires_at=event.expires_at,
        link_path=event.path,
    )
    if event.city_id is not None:
        town = (await contacts(tx, [event.city_id])).get(event.city_id)
        if town is None:
            raise NotYetKnown("mailbox", event.city_id)
    await tell(tx, envelope.attributes.id, Told(notice, [reader]), unverified=True)


async def _facts(tx: Transaction, template: str, about: str | None) -> dict[str, Any]:
    match template, about:
        case "link-accept-invitation", str():
            membership = await tx.get(MEMBERSHIPS, about)
            if membership is None:
                raise NotYetKnown("membership", about)
            return {"city": (await city(tx, membership.city_id)).name, "inviter": membership.invited_by}
        case "link-confirm-booking" | "link-manage-booking" | "link-take-place", str():
            booking = await tx.get(BOOKINGS, about)
            # A guest manages a booking that is more than held; the event that says so is on another topic.
            if booking is None or (template == "link-manage-booking" and booking.state == "held"):
                raise NotYetKnown("booking", about)
            copy = await tx.get(SESSIONS, booking.session_id)
            if copy is None:
                raise NotYetKnown("session", booking.session_id)
            return {"session": session_facts(copy.session), "state": booking.state}
        case "link-answer-offer", str():
            participation = await tx.get(PARTICIPATIONS, about)
            if participation is None:
                raise NotYetKnown("participation", about)
            call = await tx.get(CALLS, participation.call_id) if participation.call_id else None
            hosts = await tx.find(
                CITIES, {"_id": {"$in": participation.host_cities}, "published": True}, sort=[("name", 1)]
            )
            return {
                "city": (await city(tx, participation.city_id)).name,
                "programme": participation.programme,
                "cohort": participation.cohort,
                "title": localised(call.title) if call else None,
                "hosts": [host.name for host in hosts if host.name],
                "expires": participation.expires.model_dump(mode="json") if participation.expires else None,
                "from_reserve": participation.from_reserve,
            }
        case _:
            return {}
