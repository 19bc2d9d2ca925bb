"""What the helpdesk sets right: duplicates merged, people erased."""

from contracts.common import Reason
from contracts.registration import (
    CityMerged,
    CityStatusesChanged,
    Evidence,
    MailboxRecorded,
    MembershipApproved,
    MembershipRequested,
)
from services.registration.domain.memberships import OPEN
from services.registration.store import CITIES, GRANTS, MEMBERSHIPS, PEOPLE, City, Membership, Person
from services.registration.usecases import grants, memberships, onboarding, people
from shared.identity import Caller
from shared.outbox import Tombstone
from shared.problems import Problem, conflict
from shared.store import Store, Transaction


async def merge_cities(store: Store, caller: Caller, city_id: str, into_id: str) -> City:
    """Makes one city of two; ``into_id`` stays, with the memberships, statuses and steps of both.

    Raises 404 and 409 problems, and 422 for a city into itself.
    """
    if city_id == into_id:
        raise Problem(422, "merge-into-itself", "A city cannot be merged into itself.")

    async def work(tx: Transaction) -> City:
        city, into = await tx.require(CITIES, city_id), await tx.require(CITIES, into_id)
        for each in (city, into):
            caller.require_role(*memberships.HELPDESK_ROLES, scope=("country", each.country))
            if each.merged_into is not None:
                raise conflict("city-merged", "This city was merged already.", city_id=each.id)
        if city.published_at is not None and into.published_at is None:
            raise conflict("merge-into-unpublished", "Merge the city that is not public into the public one.")
        gone = city.model_copy(update={"merged_into": into.id, "claims": [], "mail_address": None})
        events = [CityMerged(city_id=city.id, into_city_id=into.id)]
        mailbox = [Tombstone(MailboxRecorded)] if city.mail_address else []
        await tx.save(CITIES, gone, *events, *mailbox)
        statuses = (*into.statuses, *(status for status in city.statuses if status not in into.statuses))
        changed = into.model_copy(
            update={
                "absorbed": [*into.absorbed, city.id, *city.absorbed],
                "claims": sorted({*into.claims, *city.claims}),
                "statuses": statuses,
            }
        )
        told = [CityStatusesChanged(city_id=into.id, statuses=statuses)] if statuses != into.statuses else []
        into = await tx.save(CITIES, changed, *told)
        for membership in await tx.find(MEMBERSHIPS, {"city_id": city.id, "state": {"$in": list(OPEN)}}):
            await _move(tx, membership, into, membership.person_id, caller.id)
        into = await onboarding.complete(tx, into, {step: done.ground for step, done in city.steps.items()})
        return into

    return await store.transaction(work)


async def _move(tx: Transaction, membership: Membership, city: City, person_id: str, by: str) -> None:
    """Ends a membership and lets one like it begin, unless there is one."""
    await memberships.end(tx, membership, by, Reason(code="merged"))
    if membership.state not in {"requested", "approved"}:
        return
    if await memberships.open_membership(tx, city.id, person_id) is not None:
        return
    evidence = membership.evidence or Evidence(kind="merged")
    fresh = memberships.new(
        tx, city, person_id, membership.role, membership.state, evidence=evidence, decided_by=membership.decided_by
    )
    if fresh.state == "approved":
        fact = MembershipApproved(**memberships.named(fresh), approved_by=by, evidence=evidence)
        await tx.save(MEMBERSHIPS, fresh, fact)
    else:
        await tx.save(MEMBERSHIPS, fresh, MembershipRequested(**memberships.named(fresh), evidence=evidence))


async def merge_people(store: Store, caller: Caller, person_id: str, into_id: str) -> Person:
    """Makes one person of two accounts; ``into_id`` stays, with the memberships and guests of both.

    Grants are not taken along: a right is given to a person knowingly. Raises 404, and 422 for the same person twice.
    """
    caller.require_role(*memberships.HELPDESK_ROLES, scope=("mission", "*"))
    if person_id == into_id:
        raise Problem(422, "merge-into-itself", "A person cannot be merged into itself.")

    async def work(tx: Transaction) -> Person:
        person, into = await people.present(tx, person_id), await people.verified(tx, into_id)
        await people.take_turns(tx, person.id, into.id, *person.guests)
        for membership in await tx.find(MEMBERSHIPS, {"person_id": person.id, "state": {"$in": list(OPEN)}}):
            city = await tx.require(CITIES, membership.city_id)
            await _move(tx, membership, city, into.id, caller.id)
        await _revoke_grants(tx, person, caller.id)
        guests = [*into.guests, *(guest for guest in person.guests if guest not in into.guests)]
        into = await tx.save(PEOPLE, into.model_copy(update={"guests": guests}))
        await people.forget(tx, person, into=into.id)
        await onboarding.advance_cities_of(tx, into.id)
        return into

    return await store.transaction(work)


async def _revoke_grants(tx: Transaction, person: Person, by: str) -> None:
    for grant in await tx.find(GRANTS, {"person_id": person.id, "revoked_at": None}):
        await grants.revoke(tx, grant, by)


async def erase(store: Store, person_id: str, by: str) -> None:
    """Erases a person, by its own wish (``by`` is the person itself) or by the helpdesk. Raises a 404 problem."""

    async def work(tx: Transaction) -> None:
        person = await people.present(tx, person_id)
        await people.take_turns(tx, person.id, *([person.mail_hash] if person.mail_hash else []))
        for membership in await tx.find(MEMBERSHIPS, {"person_id": person.id, "state": {"$in": list(OPEN)}}):
            ended_by = None if by == person_id else by
            await memberships.end(tx, membership, ended_by, Reason(code="person-erased"))
        await _revoke_grants(tx, person, by)
        await people.forget(tx, person)

    await store.transaction(work)


async def erase_by(store: Store, caller: Caller, person_id: str) -> None:
    """The helpdesk erases a person at its request. Raises 403 and 404 problems."""
    caller.require_role(*memberships.HELPDESK_ROLES, scope=("mission", "*"))
    await erase(store, person_id, caller.id)
