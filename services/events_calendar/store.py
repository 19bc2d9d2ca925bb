"""What the calendar keeps.

Values of contracts are stored as JSON has them, because wall-clock times have no type of their own in BSON.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, PlainSerializer
from pymongo import ASCENDING, IndexModel

from contracts.common import LocalisedText
from contracts.events_calendar import BookingState, PublicEvent, Session
from contracts.national_platforms import PlatformListed
from contracts.registration import CityStatus
from services.events_calendar.domain.seats import Seats
from shared.links import LINKS
from shared.problems import not_found
from shared.store import ANY_TEXT, Collection, Document, Reader


def _as_json(value: Any) -> Any:
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else value


def _texts_as_json(value: LocalisedText | None) -> Any:
    return None if value is None else {tag: text.model_dump(mode="json") for tag, text in value.items()}


def _all_as_json(values: tuple[BaseModel, ...]) -> list[Any]:
    return [value.model_dump(mode="json") for value in values]


KeptTexts = Annotated[LocalisedText | None, PlainSerializer(_texts_as_json)]


class CalendarEvent(Document):
    """A public event: a platform's, or one of our own sessions.

    ``standing`` says whether it is shown (``published``, ``cancelled``) or not (``withdrawn``). One that was cancelled
    or withdrawn before it was published is kept without ``event``, so that a late message does not bring it back.
    ``starts_at`` is the beginning of the first instance, ``ends_at`` the end of the last. ``organiser_mail`` is for
    the calendar's editors and never leaves this store.
    """

    platform: str | None = None
    uid: str
    recurrence_id: str | None = None
    session_id: str | None = None
    kind: str
    standing: Literal["published", "cancelled", "withdrawn"]
    sequence: int = 0
    said_at: datetime | None = None
    offset: int = 0
    digest: str = ""
    event: Annotated[PublicEvent | None, PlainSerializer(_as_json)] = None
    reason: KeptTexts = None
    organiser_mail: str | None = None
    changed_at: datetime
    shown: bool = False
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    words: list[str] = []


class PlatformMessage(Document):
    """An accepted message of a platform, known by (platform, source, id); ``digest`` stands for its content."""

    digest: str


class Platform(Document):
    """A platform as the directory has it now; ``listed`` None when it was taken out of it."""

    listed: Annotated[PlatformListed | None, PlainSerializer(_as_json)] = None


class PlatformHealth(Document):
    """What came from a platform: counts, the last message, and how often each problem occurred."""

    last_message_at: datetime | None = None
    last_accepted_at: datetime | None = None
    last_rejected_at: datetime | None = None
    accepted: int = 0
    unchanged: int = 0
    rejected: int = 0
    problems: dict[str, int] = {}


class HeldSession(Document):
    """One of our own sessions with the ledger of its seats."""

    session: Annotated[Session, PlainSerializer(_as_json)]
    cancelled: bool = False
    reason: KeptTexts = None
    seats: Seats = Seats()
    created_at: datetime


class Booking(Document):
    """A booking of a person or a guest, for a city or none.

    ``arrived_at`` is when the request arrived, by which the waiting list is ordered. ``seated``: it takes a seat.
    ``active``: nobody else's booking may stand beside it for the same person at the same session.
    """

    session_id: str
    person_id: str | None = None
    guest_id: str | None = None
    city_id: str | None = None
    state: BookingState
    active: bool = True
    seated: bool = False
    moved_up: bool = False
    arrived_at: datetime
    changed_at: datetime
    expires_at: datetime | None = None
    participation_id: str | None = None


class Guest(Document):
    """Somebody who booked without an account, known by the mail address. Personal: deleted when it is erased."""

    mail_address: str
    mail_key: str
    given_name: str | None = None
    family_name: str | None = None
    organisation: str | None = None
    locale: str
    time_zone: str
    mail_verified_at: datetime | None = None


class GrantedPlace(Document):
    """Places that a selection granted a city: at one session, or at every session of a programme's cohort."""

    participation_id: str
    city_id: str
    programme: str
    cohort: str
    session_id: str | None = None
    places: int = 1
    released: bool = False


class City(Document):
    """What is known here of a city. ``merged_into`` is the city that it turned out to be."""

    name: str | None = None
    country: str | None = None
    public: bool = False
    statuses: Annotated[tuple[CityStatus, ...], PlainSerializer(_all_as_json)] = ()
    merged_into: str | None = None


EVENTS = Collection(
    "events",
    CalendarEvent,
    indexes=[
        IndexModel([("shown", ASCENDING), ("starts_at", ASCENDING), ("_id", ASCENDING)]),
        IndexModel([("shown", ASCENDING), ("ends_at", ASCENDING)]),
        IndexModel([("words", ASCENDING)]),
        IndexModel([("platform", ASCENDING), ("uid", ASCENDING)]),
    ],
)
PLATFORM_MESSAGES = Collection("platform_messages", PlatformMessage)
PLATFORMS = Collection("platforms", Platform, kind="projection")
PLATFORM_HEALTH = Collection("platform_health", PlatformHealth)
SESSIONS = Collection("sessions", HeldSession)
BOOKINGS = Collection(
    "bookings",
    Booking,
    indexes=[
        IndexModel([("session_id", ASCENDING), ("arrived_at", ASCENDING), ("_id", ASCENDING)]),
        IndexModel(
            [("session_id", ASCENDING), ("person_id", ASCENDING)],
            name="one_per_person",
            unique=True,
            partialFilterExpression={"active": True, "person_id": ANY_TEXT},
        ),
        IndexModel(
            [("session_id", ASCENDING), ("guest_id", ASCENDING)],
            name="one_per_guest",
            unique=True,
            partialFilterExpression={"active": True, "guest_id": ANY_TEXT},
        ),
        IndexModel([("person_id", ASCENDING), ("_id", ASCENDING)]),
        IndexModel([("city_id", ASCENDING), ("_id", ASCENDING)]),
        IndexModel([("guest_id", ASCENDING)]),
        IndexModel([("participation_id", ASCENDING)]),
    ],
)
GUESTS = Collection("guests", Guest, indexes=[IndexModel([("mail_key", ASCENDING)], unique=True)])
GRANTED_PLACES = Collection(
    "granted_places",
    GrantedPlace,
    kind="projection",
    indexes=[IndexModel([("city_id", ASCENDING)]), IndexModel([("participation_id", ASCENDING)])],
)
CITIES = Collection(
    "cities",
    City,
    kind="projection",
    indexes=[IndexModel([("merged_into", ASCENDING)], partialFilterExpression={"merged_into": ANY_TEXT})],
)

COLLECTIONS = (
    EVENTS,
    PLATFORM_MESSAGES,
    PLATFORMS,
    PLATFORM_HEALTH,
    SESSIONS,
    BOOKINGS,
    GUESTS,
    GRANTED_PLACES,
    CITIES,
    LINKS,
)


async def session_of(reader: Reader, session_id: str) -> HeldSession:
    """The session with this id. Raises a 404 problem when there is none."""
    held = await reader.get(SESSIONS, session_id)
    if held is None:
        raise not_found("session", session_id)
    return held
