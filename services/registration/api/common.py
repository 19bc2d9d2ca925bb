"""What several routes take or give."""

from datetime import datetime
from functools import cache
from typing import Annotated, Final
from zoneinfo import available_timezones

from fastapi import Depends, Path, Request
from pydantic import AfterValidator, BaseModel, EmailStr, Field, StringConstraints

from contracts.common import CityId, GrantId, LanguageTag, MembershipId, PersonId, Reason, Slug
from contracts.registration import (
    Authority,
    CityKind,
    CityStatus,
    Commitment,
    Evidence,
    Population,
    PublicProfile,
)
from services.registration.settings import RegistrationSettings
from services.registration.store import City, Membership
from services.registration.usecases import cities, mailboxes
from services.registration.usecases.keys import SigningKeys
from services.registration.usecases.memberships import HELPDESK_ROLES
from shared.bodies import Body
from shared.identity import Caller, may

HELPDESK: Final = HELPDESK_ROLES
Helpdesk = Annotated[Caller, may(roles=HELPDESK)]
"""A caller with the helpdesk's role somewhere; use cases check the country."""
Administrator = Annotated[Caller, may(roles=["administrator"], everywhere=True)]
"""An administrator of the whole mission: what it does here, with keys and roles, reaches everywhere."""

CityPath = Annotated[CityId, Path(description="A city's id")]
MembershipPath = Annotated[MembershipId, Path(description="A membership's id")]
PersonPath = Annotated[PersonId, Path(description="A person's id")]
GrantPath = Annotated[GrantId, Path(description="A grant's id")]


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _is_zone(name: str) -> str:
    if name not in _zones():
        raise ValueError("there is no such time zone")
    return name


Zone = Annotated[str, StringConstraints(max_length=64), AfterValidator(_is_zone), Field(examples=["Europe/Lisbon"])]
"""An IANA time zone that exists."""
Address = Annotated[EmailStr, StringConstraints(max_length=254)]
PersonName = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Password = Annotated[str, StringConstraints(min_length=12, max_length=200, strip_whitespace=False)]
"""Of twelve characters and more; nothing else is asked of it (NIST SP 800-63B)."""
Secret = Annotated[str, StringConstraints(min_length=1, max_length=500)]
Role = Annotated[Slug, Field(examples=["representative"])]
Codes = Annotated[tuple[Slug, ...], Field(max_length=30)]


class PopulationIn(Population, Body):
    """Inhabitants of the whole authority."""

    inhabitants: Annotated[int, Field(ge=1, le=50_000_000)]


class CommitmentIn(Commitment, Body):
    """The commitment to climate neutrality."""


class EvidenceIn(Evidence, Body):
    """On what ground somebody speaks for a city."""


class ProfileIn(PublicProfile, Body):
    """What the city shows to its peers."""

    challenges: Codes = ()
    offers: Codes = ()
    seeks: Codes = ()
    languages: Annotated[tuple[LanguageTag, ...], Field(max_length=30)] = ()


class StatusIn(CityStatus, Body):
    """A status in a programme."""


class ReasonIn(Reason, Body):
    """Why: a stable code, and what fills its sentence."""

    params: Annotated[
        dict[Annotated[str, StringConstraints(max_length=80)], Annotated[str, StringConstraints(max_length=500)] | int],
        Field(max_length=20),
    ] = Field(default_factory=dict)


class MailboxIn(Body):
    """The mailbox that a city's people share."""

    mail_address: Address
    locale: LanguageTag = "en"

    def as_mailbox(self) -> mailboxes.Mailbox:
        """As use cases take it."""
        return mailboxes.Mailbox(self.mail_address, self.locale)


class AuthorityIn(Body):
    """What a local authority is. Places are ids of the directory (`GET /places`); the country follows from them."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    kind: CityKind
    places: Annotated[
        list[Annotated[str, StringConstraints(pattern=r"^[0-9]{1,12}$")]], Field(min_length=1, max_length=400)
    ]
    population: PopulationIn | None = None
    time_zone: Zone | None = Field(None, description="By default that of the first place")
    website: Annotated[str, StringConstraints(pattern=r"^https?://[^\s<>\"]+$", max_length=2000)] | None = None

    def declared(self) -> cities.Declared:
        """As use cases take it."""
        return cities.Declared(self.name, self.kind, self.places, self.population, self.time_zone, self.website)


class MailboxView(BaseModel):
    """A shared mailbox, shown to the city's people and the helpdesk."""

    mail_address: str
    verified_at: datetime | None


class CityView(BaseModel):
    """A city. ``mailbox`` is there for its own people and the helpdesk alone."""

    id: str
    authority: Authority
    profile: PublicProfile
    commitment: Commitment | None
    statuses: tuple[CityStatus, ...]
    origin: str
    registered_at: datetime
    published_at: datetime | None
    mailbox: MailboxView | None = None

    @classmethod
    def of(cls, city: City, *, inside: bool = False) -> "CityView":
        """A city as the public sees it, or its own people (``inside``)."""
        mailbox = (
            MailboxView(mail_address=city.mail_address, verified_at=city.mail_verified_at)
            if city.mail_address
            else None
        )
        return cls(
            id=city.id,
            authority=city.authority,
            profile=city.profile,
            commitment=city.commitment,
            statuses=city.statuses,
            origin=city.origin,
            registered_at=city.registered_at,
            published_at=city.published_at,
            mailbox=mailbox if inside else None,
        )

    @classmethod
    def inside(cls, city: City) -> "CityView":
        """A city as its own people see it."""
        return cls.of(city, inside=True)


class MembershipView(BaseModel):
    """A membership."""

    id: str
    city_id: str
    person_id: str
    role: str
    state: str
    evidence: Evidence | None
    invited_by: str | None
    created_at: datetime
    decided_at: datetime | None
    reason: Reason | None

    @classmethod
    def of(cls, membership: Membership) -> "MembershipView":
        """A membership as its people and the helpdesk see it."""
        return cls(**membership.model_dump(include=set(cls.model_fields)))


async def _settings(request: Request) -> RegistrationSettings:
    settings: RegistrationSettings = request.app.state.service.settings
    return settings


def keys_of(request: Request) -> SigningKeys:
    """The signing keys of this service."""
    keys: SigningKeys = request.app.state.signing_keys
    return keys


async def _keys(request: Request) -> SigningKeys:
    return keys_of(request)


async def _client(request: Request) -> str:
    return request.client.host if request.client else "unknown"


SettingsDep = Annotated[RegistrationSettings, Depends(_settings)]
KeysDep = Annotated[SigningKeys, Depends(_keys)]
ClientDep = Annotated[str, Depends(_client)]
"""The network address that a request came from, as the gateway tells it."""
