"""Roles, given and taken back by administrators."""

from datetime import datetime
from typing import Annotated, Literal, Self

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, StringConstraints, model_validator

from contracts.common import PersonId
from contracts.registration import GrantScope
from services.registration.api.common import Administrator, GrantPath
from services.registration.store import Grant
from services.registration.usecases import grants
from shared import idempotency
from shared.bodies import Body
from shared.paging import CursorParam, Limit, Page
from shared.service import ServiceDep, StoreDep

router = APIRouter(prefix="/grants", tags=["grants"])

RoleName = Literal["administrator", "helpdesk", "programme-manager", "reviewer", "editor", "organiser", "operator"]


class Scope(Body):
    """What a role holds for; ``mission`` is everything and has no id."""

    kind: Literal["mission", "programme", "call", "city", "country", "platform"] = "mission"
    id: Annotated[str, StringConstraints(min_length=1, max_length=120)] | None = None

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> Self:
        if (self.kind == "mission") != (self.id is None):
            raise ValueError("every scope but 'mission' needs an id")
        return self


class GiveGrant(Body):
    """A role for a person."""

    person_id: PersonId
    role: RoleName
    scope: Scope = Scope()
    valid_from: AwareDatetime | None = None
    valid_until: AwareDatetime | None = None


class GrantView(BaseModel):
    """A grant."""

    id: str
    person_id: str
    role: str
    scope: GrantScope
    valid_from: datetime
    valid_until: datetime | None
    granted_by: str
    revoked_at: datetime | None
    revoked_by: str | None

    @classmethod
    def of(cls, grant: Grant) -> "GrantView":
        """A grant as administrators see it."""
        return cls(**grant.model_dump(include=set(cls.model_fields)))


@router.post("", status_code=201, operation_id="give_grant", summary="Give a role")
async def give(body: GiveGrant, caller: Administrator, store: StoreDep) -> GrantView:
    scope = GrantScope(kind=body.scope.kind, id=body.scope.id)
    shown = idempotency.answer(GrantView.of)
    given = await grants.give_to(store, caller, body.person_id, body.role, scope, body.valid_from, body.valid_until)
    return shown(given)


@router.get("", status_code=200, operation_id="list_grants", summary="Roles that were given")
async def list_grants(
    caller: Administrator,
    service: ServiceDep,
    person_id: Annotated[PersonId | None, Query()] = None,
    role: Annotated[RoleName | None, Query()] = None,
    limit: Limit = 50,
    cursor: CursorParam = None,
) -> Page[GrantView]:
    scope = f"grants/{person_id}/{role}"
    after = service.cursors.decode(scope, cursor)[0] if cursor else None
    found = await grants.listed(service.store, person_id=person_id, role=role, after=after, limit=limit + 1)
    items = [GrantView.of(grant) for grant in found[:limit]]
    next = service.cursors.encode(scope, [items[-1].id]) if len(found) > limit else None
    return Page(items=items, next=next, hint=None if items else "No role was given here.")


@router.delete("/{grant}", status_code=204, operation_id="revoke_grant", summary="Take a role back")
async def revoke(grant: GrantPath, caller: Administrator, store: StoreDep) -> None:
    await grants.revoke_by_id(store, grant, caller.id)
