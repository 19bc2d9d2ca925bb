"""Cities, who belongs to them, who looks after them, and what they have to do."""

from pymongo import UpdateMany

from contracts.common import Reason
from contracts.envelope import Envelope
from contracts.registration import (
    CityMerged,
    CityProfileChanged,
    CityPublished,
    CityRegistered,
    GrantGiven,
    GrantRevoked,
    GrantScope,
    MembershipApproved,
    MembershipEnded,
    MembershipInvited,
    MembershipRefused,
    MembershipRequested,
    MembershipSuspended,
    OnboardingStepCompleted,
    TaskClosed,
    TaskOpened,
)
from services.notification import domain
from services.notification.store import CITIES, CITY_NOTICES, GRANTS, MEMBERSHIPS
from services.notification.usecases.telling import (
    Notice,
    Told,
    city,
    same_city,
    tell,
    tell_city,
    tell_late_member,
    touch,
)
from shared.store import Transaction

MembershipChange = MembershipRequested | MembershipApproved | MembershipRefused | MembershipSuspended | MembershipEnded


UNTOLD = frozenset({"merged", "person-erased", "invitation-declined"})
"""Why a membership ends without a word: the other one goes on, nobody is left to tell, or it never began."""


SAID_ALREADY = frozenset({"answer-offer", "take-offered-place"})
"""What has to be done about an offer is said where the offer is told."""


def record_city(tx: Transaction, event: CityRegistered | CityProfileChanged) -> None:
    """Keeps what texts call a city."""
    tx.project(CITIES, event.city_id, {"name": event.authority.name, "country": event.authority.country})


def publish_city(tx: Transaction, event: CityPublished) -> None:
    """From now on others may read its name."""
    tx.project(CITIES, event.city_id, {"published": True})


async def merge_city(tx: Transaction, event: CityMerged) -> None:
    """The people of both cities are those of the one that is left, in whichever order such facts arrive."""
    target = await tx.get(CITIES, event.into_city_id)
    root = (target.into if target else None) or event.into_city_id
    tx.project(CITIES, event.city_id, {"into": root})
    tx.defer(CITIES, UpdateMany({"into": event.city_id}, {"$set": {"into": root}}))


async def join_people(tx: Transaction, event: CityMerged) -> None:
    """What its people are told at this moment and the merge do not miss each other."""
    touch(tx, (await same_city(tx, event.into_city_id))[0])


async def invite(tx: Transaction, event: MembershipInvited, envelope: Envelope) -> None:
    """Tells the invited colleague; the mail is the one with the link."""
    town = await city(tx, event.city_id)
    notice = Notice(
        "membership-invited",
        {"membership_id": event.membership_id, "role": event.role},
        {"city": town.name, "inviter": event.invited_by},
        city_id=event.city_id,
        action_path=f"/memberships/{event.membership_id}",
    )
    await tell(tx, envelope.attributes.id, Told(notice, [event.person_id]))


def keep_invitation(tx: Transaction, event: MembershipInvited, envelope: Envelope) -> None:
    """Keeps who is invited, and by whom."""
    fields = {
        "city_id": event.city_id,
        "person_id": event.person_id,
        "role": event.role,
        "state": "invited",
        "since": envelope.attributes.time,
        "invited_by": event.invited_by,
    }
    tx.project(MEMBERSHIPS, event.membership_id, fields)


async def change_membership(tx: Transaction, event: MembershipChange, envelope: Envelope) -> None:
    """Tells the person, the helpdesk of a new request, and a new member what its city was told just now."""
    town = await city(tx, event.city_id)
    reason: Reason | None = getattr(event, "reason", None)
    params = {"membership_id": event.membership_id, "role": event.role}
    notice = Notice(
        f"membership-{event.state}",
        params | ({"reason": reason.code} if reason else {}),
        {"city": town.name} | ({"reason": reason.model_dump(mode="json")} if reason else {}),
        city_id=event.city_id,
        action_path=f"/cities/{event.city_id}",
    )
    told = [] if reason and reason.code in UNTOLD else [Told(notice, [event.person_id])]
    if isinstance(event, MembershipRequested):
        review = Notice(
            "membership-to-review",
            params,
            {"city": town.name, "person": event.person_id},
            city_id=event.city_id,
            action_path=f"/helpdesk/memberships/{event.membership_id}",
        )
        told.append(Told(review, await _helpdesk(tx, town.id, town.country)))
    await tell(tx, envelope.attributes.id, *told)
    if isinstance(event, MembershipApproved):
        await tell_late_member(tx, event.city_id, event.person_id, envelope.attributes.time)
    touch(tx, event.city_id)


def keep_membership(tx: Transaction, event: MembershipChange, envelope: Envelope) -> None:
    """Keeps who belongs to which city."""
    fields = {
        "city_id": event.city_id,
        "person_id": event.person_id,
        "role": event.role,
        "state": event.state.value,
        "since": envelope.attributes.time,
    }
    tx.project(MEMBERSHIPS, event.membership_id, fields)


async def _helpdesk(tx: Transaction, city_id: str, country: str | None) -> list[str]:
    now = tx.clock.now()
    grants = await tx.find(GRANTS, {"role": "helpdesk", "revoked": False})
    return sorted(
        {
            grant.person_id
            for grant in grants
            if grant.valid_from <= now
            and not domain.expired(grant.valid_until, now)
            and domain.responsible(grant.scope_kind, grant.scope_id, city=city_id, country=country)
        }
    )


async def give_grant(tx: Transaction, event: GrantGiven, envelope: Envelope) -> None:
    """Tells who holds a role from now on."""
    await _tell_of_grant(tx, "grant-given", event, envelope)


def keep_grant(tx: Transaction, event: GrantGiven) -> None:
    """Keeps what somebody holds."""
    fields = {
        "person_id": event.person_id,
        "role": event.role,
        "scope_kind": event.scope.kind,
        "scope_id": event.scope.id,
        "valid_from": event.valid_from,
        "valid_until": event.valid_until,
        "revoked": False,
    }
    tx.project(GRANTS, event.grant_id, fields)


async def revoke_grant(tx: Transaction, event: GrantRevoked, envelope: Envelope) -> None:
    """Tells who holds a role no longer."""
    await _tell_of_grant(tx, "grant-revoked", event, envelope)


def end_grant(tx: Transaction, event: GrantRevoked) -> None:
    """Keeps that somebody holds it no longer."""
    tx.project(GRANTS, event.grant_id, {"revoked": True})


async def _tell_of_grant(tx: Transaction, template: str, event: GrantGiven | GrantRevoked, envelope: Envelope) -> None:
    scope = event.scope
    params = {"role": event.role, "scope": scope.kind}
    facts = params | {"of": await _known_as(tx, scope)}
    notice = Notice(template, {"grant_id": event.grant_id} | params, facts, action_path="/account")
    await tell(tx, envelope.attributes.id, Told(notice, [event.person_id]))


async def _known_as(tx: Transaction, scope: GrantScope) -> str | None:
    """The name or code that people know a scope by, None where there is none (a call's id tells nobody anything)."""
    if scope.kind == "city" and scope.id is not None:
        town = await tx.get(CITIES, scope.id)
        return town.name if town else None
    return scope.id if scope.kind in ("country", "programme", "platform") else None


async def complete_step(tx: Transaction, event: OnboardingStepCompleted, envelope: Envelope) -> None:
    """Tells the city's people which step is done, and with that which one is next."""
    town = await city(tx, event.city_id)
    notice = Notice(
        "onboarding-step-completed",
        {"step": event.step.value},
        {"city": town.name, "step": event.step.value},
        city_id=event.city_id,
        action_path=f"/cities/{event.city_id}/onboarding",
    )
    also = [event.person_id] if event.person_id else []
    await tell_city(tx, envelope, notice, city_id=event.city_id, also=also)


async def open_task(tx: Transaction, event: TaskOpened, envelope: Envelope) -> None:
    """Tells the city's people what there is to do, and until when."""
    if event.action in SAID_ALREADY:
        return
    town = await city(tx, event.city_id)
    due = event.due.model_dump(mode="json") if event.due else None
    notice = Notice(
        "task-opened",
        {"task_id": event.task_id, "action": event.action},
        {"city": town.name, "action": event.action, "params": event.params, "due": due},
        city_id=event.city_id,
        action_path=event.path,
        expires_at=event.due.utc if event.due else None,
    )
    await tell_city(tx, envelope, notice, city_id=event.city_id)


async def close_task(tx: Transaction, event: TaskClosed) -> None:
    """Who becomes a member now need not hear of it any more."""
    await tx.delete(CITY_NOTICES, {"notice.params.task_id": event.task_id})
