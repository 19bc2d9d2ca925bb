"""What registration keeps: documents, collections and their indexes."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel
from pymongo import ASCENDING, DESCENDING, IndexModel

from contracts.registration import (
    Authority,
    CityStatus,
    Commitment,
    CountryStatus,
    Evidence,
    GrantScope,
    OnboardingStep,
    PersonState,
    PublicProfile,
)
from services.registration.domain.memberships import OPEN, State
from shared.links import LINKS
from shared.store import ANY_TEXT, Collection, Document


class Person(Document):
    """A person. What is personal is gone once ``erased_at`` is set; the id stays, so that it is never used again.

    ``mail_key`` is the address as it is compared. ``opened`` says that the account can be used (its address was
    verified). ``guests`` are the guests that turned out to be this person.
    """

    state: PersonState
    origin: str
    given_name: str | None = None
    family_name: str | None = None
    mail_address: str | None = None
    mail_key: str | None = None
    mail_hash: str | None = None
    mail_verified_at: datetime | None = None
    locale: str = "en"
    time_zone: str = "Europe/Brussels"
    password_hash: str | None = None
    opened: bool = False
    guests: list[str] = []
    created_at: datetime
    erased_at: datetime | None = None
    merged_into: str | None = None

    @property
    def here(self) -> bool:
        """Whether this person still is one: not erased, not merged into another."""
        return self.erased_at is None and self.merged_into is None


class RefreshToken(Document):
    """A refresh token by the hash of its secret. All that grew out of one sign-in are a ``family``."""

    family: str
    person_id: str
    issued_at: datetime
    expires_at: datetime
    used_at: datetime | None = None


class SigningKey(Document):
    """A key pair that tokens are signed with; the private part is encrypted. Times are the machine's."""

    public_jwk: dict[str, str]
    private: bytes
    signs_from: datetime
    signs_until: datetime
    valid_until: datetime
    withdrawn: bool = False


class SigningTurn(Document):
    """The one row (``signing``) that every new signing key goes through, so that two instances make one key."""

    newest: str


class StepDone(BaseModel):
    """When and by what a step of the onboarding was completed. Part of a city."""

    at: datetime
    ground: str


class City(Document):
    """A local authority. ``claims`` is what only one authority can be; ``absorbed`` the cities merged into this one."""

    authority: Authority
    profile: PublicProfile = PublicProfile()
    commitment: Commitment | None = None
    statuses: tuple[CityStatus, ...] = ()
    origin: str
    registered_by: str | None = None
    registered_at: datetime
    published_at: datetime | None = None
    merged_into: str | None = None
    absorbed: list[str] = []
    mail_address: str | None = None
    mail_verified_at: datetime | None = None
    mail_locale: str | None = None
    steps: dict[OnboardingStep, StepDone] = {}
    claims: list[str] = []
    country: str
    sort_name: str
    keys: list[str] = []
    themes: list[str] = []


class Membership(Document):
    """Who speaks for a city, or says so. ``invited_by`` vouches for an invited colleague."""

    city_id: str
    country: str
    person_id: str
    role: str
    state: State
    evidence: Evidence | None = None
    invited_by: str | None = None
    created_at: datetime
    decided_at: datetime | None = None
    decided_by: str | None = None
    reason: dict[str, Any] | None = None


class Grant(Document):
    """A role that a person holds within a scope."""

    person_id: str
    role: str
    scope: GrantScope
    valid_from: datetime
    valid_until: datetime | None = None
    granted_by: str
    revoked_at: datetime | None = None
    revoked_by: str | None = None


class Country(Document):
    """A country's relation to the Union's research programme; its id is the country code."""

    status: CountryStatus
    since: str | None = None
    source: str


class Place(Document):
    """A place of the gazetteer; its id is GeoNames'.

    ``keys`` are its name as a search may begin with it, ``starts`` their beginnings; ``other_…`` those of its other
    names, in other languages and times.
    """

    name: str
    country: str
    region: str | None = None
    latitude: float
    longitude: float
    population: int
    time_zone: str
    keys: list[str]
    starts: list[str]
    other_keys: list[str]
    other_starts: list[str]


class Guest(Document):
    """Somebody who booked without an account: only what recognises the address later."""

    mail_hash: str


class Turn(Document):
    """One row per thing that several kinds of work go through one after the other, so that none misses another's."""

    turns: int = 0


class Booking(Document):
    """What the calendar told of a booking."""

    session_kind: str
    state: str
    person_id: str | None = None
    guest_id: str | None = None
    city_id: str | None = None


class Task(Document):
    """Something that a city has to do. ``due`` is the planned moment as it was published, ``due_at`` its instant."""

    city_id: str
    action: str
    open: bool
    params: dict[str, str | int] = {}
    path: str | None = None
    due: dict[str, Any] | None = None
    due_at: datetime | None = None


PEOPLE = Collection(
    "people",
    Person,
    indexes=[
        IndexModel(
            [("mail_key", ASCENDING)],
            name="mail",
            unique=True,
            partialFilterExpression={"mail_key": ANY_TEXT},
        ),
        IndexModel([("mail_hash", ASCENDING)]),
        IndexModel([("guests", ASCENDING)]),
    ],
)
REFRESH_TOKENS = Collection(
    "refresh_tokens",
    RefreshToken,
    indexes=[
        IndexModel([("family", ASCENDING)]),
        IndexModel([("person_id", ASCENDING)]),
        IndexModel([("expires_at", ASCENDING)], name="expiry", expireAfterSeconds=0),
    ],
)
SIGNING_KEYS = Collection("signing_keys", SigningKey)
SIGNING_TURN = Collection("signing_turn", SigningTurn)
CITIES = Collection(
    "cities",
    City,
    indexes=[
        IndexModel([("claims", ASCENDING)], name="claims", unique=True, partialFilterExpression={"claims": ANY_TEXT}),
        IndexModel([("sort_name", ASCENDING), ("_id", ASCENDING)]),
        IndexModel([("keys", ASCENDING)]),
        IndexModel([("absorbed", ASCENDING)]),
    ],
)
MEMBERSHIPS = Collection(
    "memberships",
    Membership,
    indexes=[
        IndexModel(
            [("city_id", ASCENDING), ("person_id", ASCENDING)],
            name="one-open",
            unique=True,
            partialFilterExpression={"state": {"$in": list(OPEN)}},
        ),
        IndexModel([("person_id", ASCENDING)]),
        IndexModel([("state", ASCENDING), ("_id", ASCENDING)]),
    ],
)
GRANTS = Collection("grants", Grant, indexes=[IndexModel([("person_id", ASCENDING)])])
COUNTRIES = Collection("countries", Country)
BY_SIZE = (("population", DESCENDING), ("_id", ASCENDING), ("country", ASCENDING))
"""The order of places in a list, with the country at hand to filter by without reading the rows."""
PLACES = Collection(
    "places",
    Place,
    indexes=[
        IndexModel([("starts", ASCENDING), *BY_SIZE]),
        IndexModel([("other_starts", ASCENDING), *BY_SIZE]),
        IndexModel([("keys", ASCENDING)]),
        IndexModel([("other_keys", ASCENDING)]),
    ],
)
GUESTS = Collection("guests", Guest, kind="projection", indexes=[IndexModel([("mail_hash", ASCENDING)])])
TURNS = Collection("turns", Turn)
BOOKINGS = Collection(
    "bookings",
    Booking,
    kind="projection",
    indexes=[
        IndexModel([("person_id", ASCENDING)]),
        IndexModel([("guest_id", ASCENDING)]),
        IndexModel([("city_id", ASCENDING)]),
    ],
)
TASKS = Collection(
    "tasks", Task, kind="projection", indexes=[IndexModel([("city_id", ASCENDING), ("open", ASCENDING)])]
)

ATTEMPTS = "attempts"
"""Counters of attempts per window; rows of plain numbers that expire."""
DIRECTORY = "directory"
"""One row per gazetteer: which release is loaded, and who loads it."""

COLLECTIONS = (
    PEOPLE,
    REFRESH_TOKENS,
    SIGNING_KEYS,
    SIGNING_TURN,
    CITIES,
    MEMBERSHIPS,
    GRANTS,
    COUNTRIES,
    PLACES,
    GUESTS,
    TURNS,
    BOOKINGS,
    TASKS,
    LINKS,
)
