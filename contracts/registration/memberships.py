"""Who speaks for which city, and who holds which other right."""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import StringConstraints

from contracts.common import (
    CityId,
    GrantId,
    MembershipId,
    PersonId,
    Reason,
    Reference,
    Slug,
)
from contracts.envelope import Event, Model, UtcDatetime


class MembershipState(StrEnum):
    """Where a membership stands."""

    REQUESTED = "requested"
    APPROVED = "approved"
    REFUSED = "refused"
    SUSPENDED = "suspended"
    ENDED = "ended"


class Evidence(Model):
    """On what ground somebody is believed to speak for a city: ``official-letter``, ``colleague``, …"""

    kind: Slug
    reference: Reference | None = None


class MembershipInvited(Event, type="eu.mission.registration.membership.invited.v1", aggregate="membership_id"):
    """A member invited a colleague. The membership begins when the colleague accepts."""

    membership_id: MembershipId
    city_id: CityId
    person_id: PersonId
    role: Slug
    invited_by: PersonId


class MembershipFact(Model):
    """What every fact of a membership says. ``role`` is the part in the city, such as ``representative``."""

    state: ClassVar[MembershipState]
    membership_id: MembershipId
    city_id: CityId
    person_id: PersonId
    role: Slug


class MembershipRequested(
    MembershipFact, Event, type="eu.mission.registration.membership.requested.v1", aggregate="membership_id"
):
    """A person says that it speaks for a city."""

    state = MembershipState.REQUESTED
    evidence: Evidence | None = None


class MembershipApproved(
    MembershipFact, Event, type="eu.mission.registration.membership.approved.v1", aggregate="membership_id"
):
    """Somebody entitled confirmed it. ``approved_by`` is None when an official list was the ground."""

    state = MembershipState.APPROVED
    approved_by: PersonId | None
    evidence: Evidence


class MembershipRefused(
    MembershipFact, Event, type="eu.mission.registration.membership.refused.v1", aggregate="membership_id"
):
    """Somebody entitled did not confirm it."""

    state = MembershipState.REFUSED
    refused_by: PersonId
    reason: Reason


class MembershipSuspended(
    MembershipFact, Event, type="eu.mission.registration.membership.suspended.v1", aggregate="membership_id"
):
    """The person cannot act for the city until further notice."""

    state = MembershipState.SUSPENDED
    suspended_by: PersonId
    reason: Reason


class MembershipEnded(
    MembershipFact, Event, type="eu.mission.registration.membership.ended.v1", aggregate="membership_id"
):
    """The person no longer acts for the city; what it made stays with the city. ``ended_by`` None: by itself."""

    state = MembershipState.ENDED
    ended_by: PersonId | None = None
    reason: Reason


class GrantScope(Model):
    """What it holds for: ``mission`` (everything), ``programme``, ``call``, ``city``, ``country``, ``platform``."""

    kind: Slug
    id: Annotated[str, StringConstraints(min_length=1, max_length=120)] | None = None


class GrantGiven(Event, type="eu.mission.registration.grant.given.v1", aggregate="grant_id"):
    """A person holds a role. ``granted_by`` is a person, or ``operator`` for the command line."""

    grant_id: GrantId
    person_id: PersonId
    role: Slug
    scope: GrantScope
    valid_from: UtcDatetime
    valid_until: UtcDatetime | None = None
    granted_by: PersonId | Slug


class GrantRevoked(Event, type="eu.mission.registration.grant.revoked.v1", aggregate="grant_id"):
    """A grant no longer holds."""

    grant_id: GrantId
    person_id: PersonId
    role: Slug
    scope: GrantScope
    revoked_by: PersonId | Slug
