"""The rules: what kinds of message there are, who a helpdesk agent is responsible for, and when mail is tried again."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid5

from contracts.events_calendar import SessionChanged
from contracts.notification import MessageClass, Recipient

LANGUAGES: Final = ("en", "pt", "de")
"""Languages that every text is there in; the first is the one for readers of any other language."""

MESSAGES_NAMESPACE: Final = UUID("0f8f7c38-3c0b-5b0f-9a55-6a5a3d4f7a10")


@dataclass(frozen=True, slots=True)
class Kind:
    """What holds for all messages of one template: its class and topic, which channels it takes, and if it hurries.

    Links are secrets that open something, so they go by mail alone. An urgent mail overtakes those that wait.
    """

    message_class: MessageClass
    topic: str
    mail: bool = True
    portal: bool = True
    urgent: bool = False


def _link(topic: str) -> Kind:
    return Kind(MessageClass.TRANSACTIONAL, topic, portal=False, urgent=True)


def _fact(topic: str, *, mail: bool = True) -> Kind:
    return Kind(MessageClass.TRANSACTIONAL, topic, mail=mail)


def _service(topic: str, *, mail: bool = True) -> Kind:
    return Kind(MessageClass.SERVICE, topic, mail=mail)


KINDS: Final[dict[str, Kind]] = {
    "link-verify-mail": _link("account"),
    "link-verify-mailbox": _link("account"),
    "link-sign-in": _link("account"),
    "link-reset-password": _link("account"),
    "link-accept-invitation": _link("memberships"),
    "link-confirm-booking": _link("sessions"),
    "link-manage-booking": _link("sessions"),
    "link-take-place": _link("sessions"),
    "link-answer-offer": _link("participations"),
    "link-other": _link("account"),
    "welcome": _service("account", mail=False),
    "membership-invited": _fact("memberships", mail=False),
    "membership-requested": _fact("memberships"),
    "membership-to-review": _service("helpdesk"),
    "membership-approved": _fact("memberships"),
    "membership-refused": _fact("memberships"),
    "membership-suspended": _fact("memberships"),
    "membership-ended": _fact("memberships"),
    "grant-given": _fact("account"),
    "grant-revoked": _fact("account"),
    "onboarding-step-completed": _service("onboarding"),
    "task-opened": _service("tasks"),
    "booking-confirmed": _fact("sessions"),
    "booking-moved-up": _fact("sessions"),
    "booking-waitlisted": _fact("sessions"),
    # The mail is the one with the link to take the place.
    "booking-offered": _fact("sessions", mail=False),
    "booking-cancelled": _fact("sessions"),
    "booking-reassigned": _fact("sessions", mail=False),
    "session-moved": _fact("sessions"),
    "session-changed": _fact("sessions"),
    "session-cancelled": _fact("sessions"),
    # To be mailed, a newsletter needs the reader's consent; in the inbox it disturbs nobody.
    "call-published": Kind(MessageClass.NEWSLETTER, "calls", mail=False),
    "call-opened": Kind(MessageClass.NEWSLETTER, "calls", mail=False),
    "call-amended": Kind(MessageClass.NEWSLETTER, "calls", mail=False),
    "application-call-amended": _fact("applications"),
    "application-call-cancelled": _fact("applications"),
    "application-received": _fact("applications"),
    "application-refused": _fact("applications"),
    "application-withdrawn": _fact("applications"),
    "application-selected": _fact("applications"),
    "application-reserve": _fact("applications"),
    "application-not-selected": _fact("applications"),
    "decision-published": _service("decisions", mail=False),
    "participation-offered": _fact("participations"),
    "participation-accepted": _fact("participations"),
    "participation-hosted": _fact("participations"),
    "participation-declined": _fact("participations"),
    "participation-expired": _fact("participations"),
    "participation-withdrawn": _fact("participations"),
    "participation-replaced": _fact("participations", mail=False),
    "participation-completed": _fact("participations"),
    # They follow from an answer, which was told by mail.
    "place-granted": _fact("participations", mail=False),
    "place-released": _fact("participations", mail=False),
}
"""Every template with what holds for its messages."""

LINKS: Final = {
    "verify-mail": "link-verify-mail",
    "verify-mailbox": "link-verify-mailbox",
    "sign-in": "link-sign-in",
    "reset-password": "link-reset-password",
    "accept-invitation": "link-accept-invitation",
    "confirm-booking": "link-confirm-booking",
    "manage-booking": "link-manage-booking",
    "take-offered-place": "link-take-place",
    "answer-offer": "link-answer-offer",
}
"""Templates by the purpose of a link."""


def link_template(purpose: str, about: str | None) -> str:
    """The template for a one-time link; a plain one for a purpose that has no text of its own yet."""
    template = LINKS.get(purpose, "link-other")
    needs_object = KINDS[template].topic in {"sessions", "participations", "memberships"}
    return template if about is not None or not needs_object else "link-other"


def message_id(key: str, reader: str, template: str) -> str:
    """The message's id: the same fact told to the same reader by the same template is the same message for ever."""
    return f"msg_{uuid5(MESSAGES_NAMESPACE, f'{key}/{reader}/{template}').hex}"


def recipient(reader: str) -> Recipient:
    """The recipient that an id names: a person, a guest, or a city's mailbox."""
    match reader.partition("_")[0]:
        case "prs":
            return Recipient(person_id=reader)
        case "gst":
            return Recipient(guest_id=reader)
        case _:
            return Recipient(mailbox_of=reader)


def responsible(kind: str, id: str | None, *, city: str, country: str | None) -> bool:
    """Whether a helpdesk agent whose grant has this scope looks after this city."""
    return kind == "mission" or (kind, id) in {("city", city), ("country", country)}


WHERE: Final = frozenset({"location", "online_url", "attendance_mode"})


def session_change(event: SessionChanged) -> str | None:
    """The template that tells of a changed session; None when nothing changed that who booked must know."""
    if event.previous_span is not None and event.previous_span != event.session.span:
        return "session-moved"
    return "session-changed" if WHERE & set(event.changed) else None


GIVE_UP: Final = timedelta(days=5)
"""How long a mail is tried again that the server takes none of for now (RFC 5321, 4.5.4.1: 4-5 days)."""


def retry_after(attempt: int) -> timedelta:
    """The wait before the next attempt, after this many attempts that the server put off: 1 minute to 4 hours."""
    return min(timedelta(minutes=1 << min(attempt - 1, 10)), timedelta(hours=4))


ENHANCED: Final = re.compile(r"\b[245]\.(\d{1,3})\.(\d{1,3})\b")
REASONS: Final = {
    ("1", "1"): "no-such-user",
    ("1", "2"): "no-such-host",
    ("1", "3"): "bad-address",
    ("1", "10"): "takes-no-mail",
    ("2", "1"): "mailbox-disabled",
    ("2", "2"): "mailbox-full",
    ("3", "4"): "too-large",
}
"""Enhanced mail system status codes (RFC 3463, RFC 7505) as reasons."""


def smtp_reason(code: int, text: str) -> str:
    """Why a mail server refused, as a code: from the enhanced status when there is one, else ``smtp-550``."""
    if match := ENHANCED.search(text):
        subject, detail = match.groups()
        if reason := REASONS.get((subject, detail)):
            return reason
        if subject == "7":
            return "refused-by-policy"
    return f"smtp-{code}"


def languages_of(accept: str) -> list[str]:
    """The language tags of an ``Accept-Language`` header, the most wanted first; what cannot be read is left out."""
    weighted = []
    for position, part in enumerate(accept[:1000].split(",")):
        tag, _, weight = part.strip().partition(";")
        try:
            quality = float(weight.strip().removeprefix("q=") or 1)
        except ValueError:
            continue
        if tag.strip() and quality > 0:
            weighted.append((-quality, position, tag.strip()))
    return [tag for _, _, tag in sorted(weighted)]


def choose_language(*wanted: str) -> str | None:
    """The first of our languages that is wanted; None when none of them is."""
    for tag in wanted:
        if tag == "*":
            return LANGUAGES[0]
        if (base := tag.lower().split("-")[0]) in LANGUAGES:
            return base
    return None


def expired(expires_at: datetime | None, now: datetime) -> bool:
    """Whether a message is of no use any more."""
    return expires_at is not None and expires_at <= now
