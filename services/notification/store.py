"""What notification keeps: messages and the mail that waits (truth), and copies of who is concerned (projections)."""

from datetime import datetime
from typing import Any, Final

from pydantic import BaseModel
from pymongo import ASCENDING, DESCENDING, IndexModel

from contracts.cohort_selection import CallAmended, CallPublished
from contracts.common import LocalisedText, PlannedMoment
from contracts.events_calendar import Session
from contracts.notification import DeliveryState, MessageClass
from shared.store import ANY_TEXT, Collection, Document

NOTICES_KEPT_SECONDS: Final = 24 * 3600


class Contact(Document):
    """How somebody is reached: a person, a guest, or (under the city's id) a city's shared mailbox.

    ``into`` is the person that this one turned out to be. ``erased`` remains when all that is personal is gone, so
    that nobody waits for it.
    """

    mail_address: str | None = None
    given_name: str | None = None
    family_name: str | None = None
    verified: bool = False
    locale: str = "en"
    time_zone: str = "UTC"
    into: str | None = None
    erased: bool = False

    @property
    def known(self) -> bool:
        """Whether anything has arrived of it, or everything has gone again; not only that it is somebody else now."""
        return self.mail_address is not None or self.erased

    @property
    def name(self) -> str:
        """What the reader is called, as far as known."""
        return " ".join(part for part in (self.given_name, self.family_name) if part)


class City(Document):
    """What is known of a city."""

    name: str | None = None
    country: str | None = None
    published: bool = False
    into: str | None = None


class Membership(Document):
    """Who belongs to which city. ``since`` is when the present state began, by the event's own time."""

    city_id: str
    person_id: str
    role: str
    state: str
    since: datetime
    invited_by: str | None = None


class Grant(Document):
    """A right that a person holds."""

    person_id: str
    role: str
    scope_kind: str
    scope_id: str | None = None
    valid_from: datetime
    valid_until: datetime | None = None
    revoked: bool = False


class CityNotice(Document):
    """What a city's people were told lately, for members that come to be known a moment later."""

    cause: str
    city_id: str
    at: datetime
    notice: dict[str, Any]
    kept_from: datetime


class SessionCopy(Document):
    """A session as it stands."""

    session: Session
    cancelled: bool = False
    reason: LocalisedText | None = None


class BookingCopy(Document):
    """Who booked what."""

    session_id: str
    holder: str
    state: str


class Call(Document):
    """What texts say of a call: its title, its window, its conditions' sentences by their codes, its hosts."""

    title: LocalisedText
    owner: str
    closes: PlannedMoment
    cancelled: bool = False
    sentences: dict[str, LocalisedText] = {}
    hosts: dict[str, LocalisedText] = {}

    @staticmethod
    def fields(event: CallPublished | CallAmended) -> dict[str, Any]:
        """The fields as an event gives them, ready for the store."""
        rules = event.rules
        return {
            "title": _json(event.title),
            "closes": rules.window.closes.model_dump(mode="json"),
            "sentences": {rule.code: _json(rule.sentence) for rule in rules.eligibility},
            "hosts": {host.host_id: _json(host.title) for host in rules.hosts},
        }


class Application(Document):
    """Whose application it is. ``people`` submitted it or would take part; ``live`` until it is withdrawn."""

    call_id: str
    city_id: str
    people: list[str]
    live: bool = True


class Participation(Document):
    """Whose participation it is, and in what."""

    city_id: str
    persons: list[str]
    programme: str
    cohort: str
    call_id: str | None = None
    host_cities: list[str] = []
    expires: PlannedMoment | None = None
    from_reserve: bool = False


class Touched(Document):
    """One row per city, session or call, by which two transactions collide of which one must see the other."""

    touched: int = 0


class MailState(BaseModel):
    """What became of a message by mail, and since when."""

    state: DeliveryState = DeliveryState.QUEUED
    attempts: int = 0
    reason: str | None = None
    at: datetime


class Message(Document):
    """Something that one reader is told. ``reader`` is a person, a guest, or a city (its mailbox).

    ``params`` are what the event says of it; ``facts`` fill the text: public data and ids, never anything personal
    (people's names are looked up when the text is made). ``portal`` says whether it is in the reader's inbox, as
    number ``seq`` there.
    """

    reader: str
    seq: int = 0
    template: str
    message_class: MessageClass
    topic: str
    params: dict[str, Any] = {}
    facts: dict[str, Any] = {}
    city_id: str | None = None
    action_path: str | None = None
    created_at: datetime
    not_before: datetime | None = None
    expires_at: datetime | None = None
    caused_by: str
    portal: bool
    read_at: datetime | None = None
    mail: MailState | None = None


class Inbox(Document):
    """The number of a reader's latest inbox entry. Numbers are given in the order of commits, without gaps."""

    last: int = 0


class Mail(Document):
    """A mail that waits to be sent, under its message's id; it is removed when its end is recorded.

    It holds no address and no text. ``link_path`` is a secret, and gone with the row. ``claim`` names the sender that
    works on it until ``claimed_until``. ``outcome`` is set the moment the server has answered for good, before the
    next mail is handed over.
    """

    reader: str
    priority: int
    due: datetime
    link_path: str | None = None
    expires_at: datetime | None = None
    attempts: int = 0
    claim: str | None = None
    claimed_until: datetime | None = None
    outcome: DeliveryState | None = None
    reason: str | None = None
    traceparent: str | None = None
    correlation: str | None = None
    caused_by: str


def _json(text: LocalisedText) -> dict[str, Any]:
    return {language: one.model_dump(mode="json") for language, one in text.items()}


CONTACTS: Final = Collection(
    "contacts",
    Contact,
    kind="projection",
    indexes=[IndexModel([("into", ASCENDING)], partialFilterExpression={"into": ANY_TEXT})],
    erased=lambda row: bool(row.get("erased")),
)
CITIES: Final = Collection(
    "cities",
    City,
    kind="projection",
    indexes=[IndexModel([("into", ASCENDING)], partialFilterExpression={"into": ANY_TEXT})],
)
MEMBERSHIPS: Final = Collection(
    "memberships",
    Membership,
    kind="projection",
    indexes=[
        IndexModel([("city_id", ASCENDING), ("state", ASCENDING)]),
        IndexModel([("state", ASCENDING), ("person_id", ASCENDING)]),
    ],
)
GRANTS: Final = Collection("grants", Grant, kind="projection", indexes=[IndexModel([("role", ASCENDING)])])
CITY_NOTICES: Final = Collection(
    "city_notices",
    CityNotice,
    indexes=[
        IndexModel([("city_id", ASCENDING), ("at", ASCENDING)]),
        IndexModel([("kept_from", ASCENDING)], name="expiry", expireAfterSeconds=NOTICES_KEPT_SECONDS),
        IndexModel([("notice.params.task_id", ASCENDING)], partialFilterExpression={"notice.params.task_id": ANY_TEXT}),
    ],
)
SESSIONS: Final = Collection("sessions", SessionCopy, kind="projection")
BOOKINGS: Final = Collection(
    "bookings",
    BookingCopy,
    kind="projection",
    indexes=[IndexModel([("session_id", ASCENDING), ("state", ASCENDING)])],
)
CALLS: Final = Collection("calls", Call, kind="projection")
APPLICATIONS: Final = Collection(
    "applications", Application, kind="projection", indexes=[IndexModel([("call_id", ASCENDING), ("live", ASCENDING)])]
)
PARTICIPATIONS: Final = Collection("participations", Participation, kind="projection")
TOUCHED: Final = Collection("touched", Touched)
MESSAGES: Final = Collection(
    "messages",
    Message,
    indexes=[
        IndexModel(
            [("reader", ASCENDING), ("created_at", DESCENDING), ("_id", DESCENDING)],
            name="inbox",
            partialFilterExpression={"portal": True},
        ),
        IndexModel(
            [("reader", ASCENDING), ("read_at", ASCENDING)],
            name="unread",
            partialFilterExpression={"portal": True},
        ),
        IndexModel(
            [("reader", ASCENDING), ("seq", ASCENDING)],
            name="stream",
            partialFilterExpression={"portal": True},
        ),
    ],
)
INBOXES: Final = Collection("inboxes", Inbox)
MAILS: Final = Collection(
    "mails",
    Mail,
    indexes=[
        IndexModel([("priority", ASCENDING), ("due", ASCENDING)]),
        IndexModel([("claim", ASCENDING)]),
        IndexModel([("outcome", ASCENDING)], partialFilterExpression={"outcome": ANY_TEXT}),
        IndexModel([("reader", ASCENDING)]),
    ],
)

COLLECTIONS: Final = (
    CONTACTS,
    CITIES,
    MEMBERSHIPS,
    GRANTS,
    CITY_NOTICES,
    SESSIONS,
    BOOKINGS,
    CALLS,
    APPLICATIONS,
    PARTICIPATIONS,
    TOUCHED,
    MESSAGES,
    INBOXES,
    MAILS,
)
