"""Grants: roles given within a scope, and taken back."""

from datetime import datetime

from contracts.registration import GrantGiven, GrantRevoked, GrantScope
from services.registration.store import GRANTS, Grant
from services.registration.usecases import people
from shared.identity import Caller
from shared.ids import new_id
from shared.problems import Problem, conflict, not_found
from shared.store import Store, Transaction


def same(role: str, scope: GrantScope) -> dict[str, object]:
    """Filter for grants of a role in exactly this scope."""
    return {"role": role, "scope.kind": scope.kind, "scope.id": scope.id}


async def give(
    tx: Transaction,
    person_id: str,
    role: str,
    scope: GrantScope,
    *,
    granted_by: str,
    valid_from: datetime | None = None,
    valid_until: datetime | None = None,
) -> Grant:
    """Gives a role. Raises a 409 problem when the person holds it already, a 422 problem for dates out of order."""
    await people.verified(tx, person_id)
    now = tx.clock.now()
    begins = valid_from or now
    if valid_until is not None and valid_until <= max(begins, now):
        raise Problem(422, "grant-ends-before", "A grant must end after it begins, and in the future.")
    await people.take_turns(tx, person_id)
    held = await tx.find(GRANTS, {"person_id": person_id, "revoked_at": None, **same(role, scope)})
    if present := [grant for grant in held if grant.valid_until is None or grant.valid_until > now]:
        raise conflict("grant-held", "The person holds this role in this scope already.", grant_id=present[0].id)
    grant = Grant(
        id=new_id("grt"),
        person_id=person_id,
        role=role,
        scope=scope,
        valid_from=begins,
        valid_until=valid_until,
        granted_by=granted_by,
    )
    given = GrantGiven(
        grant_id=grant.id,
        person_id=person_id,
        role=role,
        scope=scope,
        valid_from=begins,
        valid_until=valid_until,
        granted_by=granted_by,
    )
    return await tx.save(GRANTS, grant, given)


async def revoke(tx: Transaction, grant: Grant, by: str) -> Grant:
    """Takes a grant back. Raises a 409 problem when it was taken back before."""
    if grant.revoked_at is not None:
        raise conflict("grant-revoked", "This grant was taken back already.")
    fact = GrantRevoked(grant_id=grant.id, person_id=grant.person_id, role=grant.role, scope=grant.scope, revoked_by=by)
    return await tx.save(GRANTS, grant.model_copy(update={"revoked_at": tx.clock.now(), "revoked_by": by}), fact)


async def revoke_by_id(store: Store, id: str, by: str) -> None:
    """Takes the grant with this id back. Raises 404 and 409 problems."""

    async def work(tx: Transaction) -> None:
        grant = await tx.get(GRANTS, id)
        if grant is None:
            raise not_found("grant", id)
        await revoke(tx, grant, by)

    await store.transaction(work)


async def give_to(
    store: Store,
    caller: Caller,
    person_id: str,
    role: str,
    scope: GrantScope,
    valid_from: datetime | None,
    valid_until: datetime | None,
) -> Grant:
    """An administrator gives a role. Raises 404, 409 and 422 problems."""

    async def work(tx: Transaction) -> Grant:
        return await give(
            tx, person_id, role, scope, granted_by=caller.id, valid_from=valid_from, valid_until=valid_until
        )

    return await store.transaction(work)


async def listed(
    store: Store, *, person_id: str | None, role: str | None, after: str | None, limit: int
) -> list[Grant]:
    """Grants, the oldest first, revoked ones included."""
    where = {"person_id": person_id, "role": role, "_id": {"$gt": after} if after else None}
    present = {name: value for name, value in where.items() if value is not None}
    return await store.find(GRANTS, present, sort=[("_id", 1)], limit=limit)
