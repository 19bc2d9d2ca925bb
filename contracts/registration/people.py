"""People, their accounts, the links that are mailed to them, and the keys that their tokens are signed with."""

from enum import StrEnum
from typing import Annotated

from pydantic import StringConstraints, field_validator

from contracts.common import (
    CityId,
    GuestId,
    LanguageTag,
    LinkId,
    PersonId,
    PortalPath,
    Slug,
    TimeZoneName,
)
from contracts.envelope import Event, UtcDatetime

MailAddress = Annotated[str, StringConstraints(min_length=3, max_length=254, pattern=r"^[^@\s]+@[^@\s]+$")]


class PersonState(StrEnum):
    """Whether the person has an account by now or was only invited."""

    INVITED = "invited"
    REGISTERED = "registered"


class PersonRecorded(Event, type="eu.mission.registration.person.recorded.v1", aggregate="person_id"):
    """The latest state of a person; a tombstone under the same key erases it."""

    person_id: PersonId
    state: PersonState
    given_name: Annotated[str, StringConstraints(max_length=200)] | None = None
    family_name: Annotated[str, StringConstraints(max_length=200)] | None = None
    mail_address: MailAddress
    mail_verified_at: UtcDatetime | None = None
    locale: LanguageTag
    time_zone: TimeZoneName


class MailboxRecorded(Event, type="eu.mission.registration.mailbox.recorded.v1", aggregate="city_id"):
    """The mailbox that a city's people share, under the city's id as key; a tombstone removes it.

    It stands among the personal events because a small authority's shared mailbox may be one person's.
    """

    city_id: CityId
    mail_address: MailAddress
    mail_verified_at: UtcDatetime | None = None
    locale: LanguageTag
    time_zone: TimeZoneName


class LinkIssued(Event, type="eu.mission.registration.link.issued.v1", aggregate="link_id"):
    """A one-time link is to be mailed. ``purpose``: ``verify-mail``, ``sign-in``, ``accept-invitation``, ….

    Exactly one receiver is named. ``about`` is the id of what it decides on: a membership, a booking, a participation.
    The token is a secret: it is good for this purpose, once, until ``expires_at``.
    """

    link_id: LinkId
    purpose: Slug
    person_id: PersonId | None = None
    guest_id: GuestId | None = None
    city_id: CityId | None = None
    about: Annotated[str, StringConstraints(pattern=r"^[a-z]+_[0-9a-f]{32}$")] | None = None
    token: Annotated[str, StringConstraints(min_length=20, max_length=500)]
    path: PortalPath
    expires_at: UtcDatetime


class AccountOpened(Event, type="eu.mission.registration.account.opened.v1", aggregate="person_id"):
    """A person has an account. ``origin``: ``self-registered``, ``invitation``, ``assisted`` or ``operator``."""

    person_id: PersonId
    origin: Slug


class MailVerified(Event, type="eu.mission.registration.mail.verified.v1", aggregate="person_id"):
    """The person showed that its mail address is its own. This proves an address, not a membership."""

    person_id: PersonId


class GuestLinked(Event, type="eu.mission.registration.guest.linked.v1", aggregate="person_id"):
    """A guest turned out to be this person (same verified mail address): its bookings are the person's from now on."""

    person_id: PersonId
    guest_id: GuestId
    city_id: CityId | None = None


class PersonMerged(Event, type="eu.mission.registration.person.merged.v1", aggregate="person_id"):
    """The person turned out to be another one: whatever was its own belongs to ``into_person_id`` from now on."""

    person_id: PersonId
    into_person_id: PersonId


class PersonErased(Event, type="eu.mission.registration.person.erased.v1", aggregate="person_id"):
    """The person's data is erased. Every service drops its copies; what the city did stays with the city."""

    person_id: PersonId


class SigningKeyPublished(Event, type="eu.mission.registration.signing-key.published.v1", aggregate="kid"):
    """A public key that access tokens may be signed with, from ``not_before`` until ``expires_at``."""

    kid: Annotated[str, StringConstraints(min_length=1, max_length=120)]
    public_jwk: dict[str, str]
    not_before: UtcDatetime
    expires_at: UtcDatetime

    @field_validator("public_jwk")
    @classmethod
    def _holds_no_private_part(cls, jwk: dict[str, str]) -> dict[str, str]:
        if private := {"d", "p", "q", "dp", "dq", "qi", "k"} & jwk.keys():
            raise ValueError(f"a public key has no member {', '.join(sorted(private))}")
        return jwk
