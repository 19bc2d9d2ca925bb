"""What a person sees and decides about itself."""

from datetime import datetime
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from contracts.common import LanguageTag
from contracts.registration import GrantScope
from services.registration.api.common import MembershipPath, Password, PersonName, Secret, SettingsDep, Zone
from services.registration.domain.onboarding import Next
from services.registration.store import Grant, Membership, Person
from services.registration.usecases import accounts, helpdesk, memberships, onboarding, own_data
from shared import idempotency
from shared.bodies import Body
from shared.identity import Public, SignedIn
from shared.problems import Problem
from shared.service import StoreDep

router = APIRouter(prefix="/me", tags=["me"], responses={404: {"description": "The account was erased"}})


class MyMembership(BaseModel):
    """One of the caller's memberships; the city's name once the caller may know it."""

    id: str
    city_id: str
    city_name: str | None
    role: str
    state: str

    @classmethod
    def of(cls, membership: Membership, city_name: str | None) -> "MyMembership":
        """A membership as its person sees it."""
        return cls(**membership.model_dump(include={"id", "city_id", "role", "state"}), city_name=city_name)


class MyGrant(BaseModel):
    """One of the caller's roles."""

    id: str
    role: str
    scope: GrantScope
    valid_until: datetime | None

    @classmethod
    def of(cls, grant: Grant) -> "MyGrant":
        """A grant as its person sees it."""
        return cls(**grant.model_dump(include=set(cls.model_fields)))


class Me(BaseModel):
    """The caller."""

    id: str
    mail_address: str | None
    mail_verified_at: datetime | None
    given_name: str | None
    family_name: str | None
    locale: str
    time_zone: str
    has_password: bool
    memberships: list[MyMembership]
    grants: list[MyGrant]


class ChangeMe(Body):
    """What of oneself is to be changed; what is left out stays."""

    given_name: PersonName | None = None
    family_name: PersonName | None = None
    locale: LanguageTag | None = None
    time_zone: Zone | None = None


class NewPassword(Body):
    """``present`` is needed when there is a password already."""

    present: Secret | None = None
    new: Password


class StepView(BaseModel):
    """One of the three steps of the onboarding."""

    step: str
    done: bool
    at: datetime | None
    ground: str | None


class NextView(BaseModel):
    """Something to do: ``code`` and ``params`` make the sentence, ``path`` is the place in the portal.

    ``due`` is a planned moment: wall-clock time, zone and UTC.
    """

    code: str
    params: dict[str, str | int]
    path: str | None
    due: dict[str, Any] | None
    city_id: str | None

    @classmethod
    def of(cls, next: Next) -> "NextView":
        """A next step as people read it."""
        due = next.due if isinstance(next.due, dict) else None
        return cls(code=next.code, params=dict(next.params), path=next.path, due=due, city_id=next.city_id)


class NextStepsView(BaseModel):
    """Where somebody stands in the onboarding, and everything to do next, the first thing first."""

    next: NextView
    then: list[NextView]
    steps: list[StepView]

    @classmethod
    def of(cls, found: onboarding.NextSteps) -> "NextStepsView":
        """Next steps as people read them; there always is one."""
        first, *rest = (NextView.of(each) for each in found.next)
        steps = [
            StepView(step=each.step, done=each.ground is not None, at=each.at, ground=each.ground)
            for each in found.steps
        ]
        return cls(next=first, then=rest, steps=steps)


async def _me(store: StoreDep, person: Person) -> Me:
    mine = await own_data.of_person(store, person)
    return Me(
        **person.model_dump(include=set(Me.model_fields)),
        has_password=person.password_hash is not None,
        memberships=[MyMembership.of(membership, name) for membership, name in mine.memberships],
        grants=[MyGrant.of(grant) for grant in mine.grants],
    )


@router.get("", operation_id="read_me", summary="The caller with memberships and roles", status_code=200)
async def read(caller: SignedIn, store: StoreDep) -> Me:
    return await _me(store, await own_data.person(store, caller.id))


@router.patch("", operation_id="change_me", summary="Change one's name, language or time zone", status_code=200)
async def change(body: ChangeMe, caller: SignedIn, store: StoreDep) -> Me:
    fields = {name: value for name, value in body.model_dump(exclude_unset=True).items() if value is not None}
    if not fields:
        raise Problem(422, "nothing-to-change", "Say what is to be changed.")
    # The same change twice is the same.
    idempotency.not_kept()
    return await _me(store, await accounts.change(store, caller.id, **fields))


@router.put("/password", operation_id="set_password", summary="Set a password; ends all sessions", status_code=204)
async def set_password(body: NewPassword, caller: SignedIn, store: StoreDep, settings: SettingsDep) -> None:
    await accounts.set_password(store, settings, caller.id, present=body.present, new=body.new)


@router.delete("", operation_id="erase_me", summary="Erase one's account and all personal data", status_code=204)
async def erase(caller: SignedIn, store: StoreDep) -> None:
    await helpdesk.erase(store, caller.id, caller.id)


@router.get("/export", operation_id="export_me", summary="All data that registration keeps of the caller")
async def export(caller: SignedIn, store: StoreDep) -> JSONResponse:
    data = await own_data.export(store, caller.id)
    return JSONResponse(data, headers={"Content-Disposition": 'attachment; filename="my-data.json"'})


@router.get("/next-step", operation_id="read_my_next_step", summary="What the caller does next", status_code=200)
async def next_step(caller: Public, store: StoreDep) -> NextStepsView:
    return NextStepsView.of(await onboarding.next_steps_of_person(store, caller.person))


@router.delete("/memberships/{membership}", operation_id="leave_city", summary="Leave a city", status_code=204)
async def leave(membership: MembershipPath, caller: SignedIn, store: StoreDep) -> None:
    await memberships.leave(store, caller, membership)
