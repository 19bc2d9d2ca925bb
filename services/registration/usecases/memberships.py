"""Memberships: who asks, is invited, approved, refused, suspended, and leaves."""

from dataclasses import dataclass
from typing import Any

from contracts.common import Reason
from contracts.registration import (
    CityPublished,
    Evidence,
    MembershipApproved,
    MembershipEnded,
    MembershipFact,
    MembershipInvited,
    MembershipRefused,
    MembershipRequested,
    MembershipSuspended,
    OnboardingStep,
    PersonState,
)
from services.registration.domain.memberships import OPEN, State, allowed
from services.registration.store import CITIES, GRANTS, MEMBERSHIPS, PEOPLE, City, Membership, Person
from services.registration.usecases import accounts, attempts, onboarding, people
from services.registration.usecases.links import ACCEPT_INVITATION
from shared import context
from shared.identity import Caller
from shared.ids import new_id
from shared.links import LINKS, Link
from shared.problems import Problem, conflict, forbidden, not_found
from shared.store import Reader, Store, Transaction

HELPDESK_ROLES = ("helpdesk", "administrator")
MAX_INVITATIONS = 50
INVITATIONS_PER_WINDOW = 30


def named(membership: Membership) -> dict[str, Any]:
    """What every fact of a membership says."""
    return {
        "membership_id": membership.id,
        "city_id": membership.city_id,
        "person_id": membership.person_id,
        "role": membership.role,
    }


async def open_membership(reader: Reader, city_id: str, person_id: str) -> Membership | None:
    """The person's open membership of the city, if any."""
    return await reader.one(MEMBERSHIPS, {"city_id": city_id, "person_id": person_id, "state": {"$in": list(OPEN)}})


async def require_member(reader: Reader, city_id: str, caller: Caller) -> None:
    """Raises a 403 problem unless the caller speaks for the city now, whatever the token says."""
    membership = await open_membership(reader, city_id, caller.id)
    if membership is None or membership.state != "approved":
        raise members_only()


def members_only() -> Problem:
    """403 for who does not speak for the city."""
    return forbidden("Only approved members of this city may do this.")


def new(tx: Transaction, city: City, person_id: str, role: str, state: State, **fields: Any) -> Membership:
    """A membership that is not stored yet."""
    return Membership(
        id=new_id("mem"),
        city_id=city.id,
        country=city.country,
        person_id=person_id,
        role=role,
        state=state,
        created_at=tx.clock.now(),
        **fields,
    )


async def request(tx: Transaction, city: City, person: Person, role: str, evidence: Evidence | None) -> Membership:
    """A person says that it speaks for a city. Raises a 409 problem when it has an open membership there."""
    present = await open_membership(tx, city.id, person.id)
    if present is not None:
        raise conflict("membership-open", "You have an open membership of this city.", membership_id=present.id)
    membership = new(tx, city, person.id, role, "requested", evidence=evidence)
    return await tx.save(MEMBERSHIPS, membership, MembershipRequested(**named(membership), evidence=evidence))


async def request_membership(
    store: Store, city_id: str, person_id: str, role: str, evidence: Evidence | None
) -> Membership:
    """The same for a city that is there already, public or not."""

    async def work(tx: Transaction) -> Membership:
        person = await people.verified(tx, person_id)
        city = await onboarding.present_city(tx, city_id)
        if city is None:
            raise not_found("city", city_id)
        return await request(tx, city, person, role, evidence)

    return await store.transaction(work)


async def _approve(tx: Transaction, membership: Membership, approved_by: str | None, evidence: Evidence) -> Membership:
    city = await tx.require(CITIES, membership.city_id)
    if city.merged_into is not None:
        raise conflict("city-merged", "This city was merged into another one.", into=city.merged_into)
    await people.take_turns(tx, membership.person_id)
    _check(membership, "approved")
    fact = MembershipApproved(**named(membership), approved_by=approved_by, evidence=evidence)
    changed = membership.model_copy(
        update={
            "state": "approved",
            "evidence": evidence,
            "decided_at": tx.clock.now(),
            "decided_by": approved_by,
            "reason": None,
        }
    )
    saved = await tx.save(MEMBERSHIPS, changed, fact)
    if city.published_at is None:
        published = city.model_copy(update={"published_at": tx.clock.now()})
        city = await tx.save(CITIES, published, CityPublished(city_id=city.id, ground="membership-approved"))
    await onboarding.complete(tx, city, {OnboardingStep.REGISTRATION: "membership-approved"})
    await onboarding.advance(tx, city.id)
    return saved


def _check(membership: Membership, wanted: State) -> None:
    if not allowed(membership.state, wanted):
        raise conflict("membership-state", f"A membership that is {membership.state} cannot become {wanted}.")


async def decide(store: Store, caller: Caller, id: str, wanted: State, **given: Any) -> Membership:
    """The helpdesk approves (``evidence``), or refuses, suspends, ends (``reason``).

    Raises 403 outside the caller's countries, 404, and 409 when the membership's state does not allow it.
    """

    async def work(tx: Transaction) -> Membership:
        membership = await tx.require(MEMBERSHIPS, id)
        caller.require_role(*HELPDESK_ROLES, scope=("country", membership.country))
        if membership.person_id == caller.person and wanted == "approved":
            raise forbidden("Somebody else has to approve your own membership.")
        if wanted == "approved":
            if membership.state == "invited":
                raise conflict("membership-state", "The invited person has to accept first.")
            return await _approve(tx, membership, caller.id, given["evidence"])
        _check(membership, wanted)
        reason: Reason = given["reason"]
        fact: MembershipFact
        if wanted == "refused":
            fact = MembershipRefused(**named(membership), refused_by=caller.id, reason=reason)
        elif wanted == "suspended":
            fact = MembershipSuspended(**named(membership), suspended_by=caller.id, reason=reason)
        else:
            return await end(tx, membership, caller.id, reason)
        return await _close(tx, membership, wanted, fact, caller.id, reason)

    return await store.transaction(work)


async def _close(
    tx: Transaction, membership: Membership, state: State, fact: Any, by: str | None, reason: Reason
) -> Membership:
    update = {"state": state, "decided_at": tx.clock.now(), "decided_by": by, "reason": reason.model_dump()}
    return await tx.save(MEMBERSHIPS, membership.model_copy(update=update), fact)


async def end(tx: Transaction, membership: Membership, by: str | None, reason: Reason) -> Membership:
    """Ends a membership; ``by`` None is the person itself."""
    _check(membership, "ended")
    fact = MembershipEnded(**named(membership), ended_by=by, reason=reason)
    await tx.delete(LINKS, {"person_id": membership.person_id, "data.membership_id": membership.id})
    return await _close(tx, membership, "ended", fact, by, reason)


async def leave(store: Store, caller: Caller, id: str) -> None:
    """A person leaves a city. Raises a 404 problem for a membership that is not its own."""

    async def work(tx: Transaction) -> None:
        membership = await tx.require(MEMBERSHIPS, id)
        if membership.person_id != caller.id:
            raise not_found("membership", id)
        await end(tx, membership, None, Reason(code="left"))

    await store.transaction(work)


async def invite(
    store: Store, caller: Caller, city_id: str, *, mail_address: str, role: str, locale: str, time_zone: str | None
) -> Membership:
    """A member of the city, or the helpdesk, invites somebody by mail.

    The answer is the same whether the address is known. Raises 403, 404, 409 and 429 problems.
    """
    await attempts.spend(store, "invite", caller.id, INVITATIONS_PER_WINDOW)

    async def work(tx: Transaction) -> Membership:
        city = await tx.get(CITIES, city_id)
        if city is None or city.merged_into is not None:
            raise not_found("city", city_id)
        if not caller.has_role(*HELPDESK_ROLES, scope=("country", city.country)):
            await require_member(tx, city_id, caller)
        if await tx.count(MEMBERSHIPS, {"city_id": city_id, "state": "invited"}) >= MAX_INVITATIONS:
            raise conflict("too-many-invitations", f"At most {MAX_INVITATIONS} invitations can be open.")
        person = await people.by_mail(tx, mail_address)
        if person is None:
            person = Person(
                id=new_id("prs"),
                state=PersonState.INVITED,
                origin="invitation",
                locale=locale,
                time_zone=time_zone or city.authority.time_zone,
                created_at=tx.clock.now(),
                **people.addressed(mail_address),
            )
            person = await tx.save(PEOPLE, person, people.recorded(person))
        present = await open_membership(tx, city_id, person.id)
        if present is not None and present.state != "invited":
            raise conflict("membership-open", "This person has an open membership of this city.")
        if present is None:
            fact_of = new(tx, city, person.id, role, "invited", invited_by=caller.id)
            present = await tx.save(MEMBERSHIPS, fact_of, MembershipInvited(**named(fact_of), invited_by=caller.id))
        await accounts.mail_link(tx, person, ACCEPT_INVITATION, membership_id=present.id)
        return present

    return await store.transaction(work)


async def answer_invitation(tx: Transaction, link: Link, accepted: bool) -> Membership:
    """An invited person accepts or declines. Raises a 409 problem when the invitation no longer holds."""
    membership = await tx.require(MEMBERSHIPS, link.data["membership_id"])
    if membership.state != "invited":
        raise conflict("invitation-void", "This invitation no longer holds.")
    if not accepted:
        return await end(tx, membership, None, Reason(code="invitation-declined"))
    inviter = membership.invited_by
    assert inviter is not None
    colleague = await open_membership(tx, membership.city_id, inviter)
    now = tx.clock.now()
    holds = {"person_id": inviter, "role": {"$in": list(HELPDESK_ROLES)}, "revoked_at": None}
    unexpired = {"$or": [{"valid_until": None}, {"valid_until": {"$gt": now}}]}
    if colleague is not None and colleague.state == "approved":
        evidence = Evidence(kind="colleague")
    elif await tx.count(GRANTS, {**holds, **unexpired}):
        evidence = Evidence(kind="helpdesk")
    else:
        raise conflict("invitation-void", "Who invited you no longer speaks for this city.")
    person = await people.verify(tx, await people.present(tx, membership.person_id))
    context.amend(actor=person.id)
    return await _approve(tx, membership, inviter, evidence)


async def describe_invitation(reader: Reader, link: Link) -> str | None:
    """The name of the city that an invitation is to."""
    membership = await reader.get(MEMBERSHIPS, link.data["membership_id"])
    city = await reader.get(CITIES, membership.city_id) if membership else None
    return city.authority.name if city else None


@dataclass(frozen=True, slots=True)
class Listed:
    """A membership together with its city and its person."""

    membership: Membership
    city: City
    person: Person


async def listed(
    store: Store, caller: Caller, *, state: State, country: str | None, after: str | None, limit: int
) -> list[Listed]:
    """Memberships in this state, the oldest first, of the countries that the caller's role reaches."""
    where: list[dict[str, Any]] = [{"state": state}]
    if (countries := reach(caller)) is not None:
        where.append({"country": {"$in": countries}})
    if country:
        where.append({"country": country})
    if after:
        where.append({"_id": {"$gt": after}})
    found = await store.find(MEMBERSHIPS, {"$and": where}, sort=[("_id", 1)], limit=limit)
    cities = {c.id: c for c in await store.find(CITIES, {"_id": {"$in": [m.city_id for m in found]}})}
    persons = {p.id: p for p in await store.find(PEOPLE, {"_id": {"$in": [m.person_id for m in found]}})}
    return [Listed(m, cities[m.city_id], persons[m.person_id]) for m in found]


def reach(caller: Caller) -> list[str] | None:
    """The countries that the caller's helpdesk role is for; None is everywhere."""
    grants = [grant for grant in caller.grants if grant.role in HELPDESK_ROLES]
    if any(grant.scope_type == "mission" for grant in grants):
        return None
    return [grant.scope for grant in grants if grant.scope_type == "country"]
