"""Every fact that notification reads: each has its message, and each message its text in every language."""

from datetime import datetime, timedelta
from typing import Any

import httpx

from contracts import cohort_selection as selection
from contracts import events_calendar as calendar
from contracts import registration
from contracts.common import PlannedMoment, Reason, human
from contracts.envelope import Event
from services.notification.domain import KINDS, LANGUAGES
from shared.ids import new_id
from shared.testing import Tokens, Topics, eventually
from tests.service.notification import world

MOMENT = PlannedMoment.of(datetime(2030, 8, 1, 17, 0), "Europe/Brussels")  # noqa: DTZ001
LATER = world.NOW + timedelta(days=2)
LEFT = Reason(code="left")


def memberships(town: str, ana: str, other: str) -> list[Event]:
    fields = world.membership(town, ana)
    return [
        registration.MembershipInvited(
            membership_id=new_id("mem"), city_id=town, person_id=ana, role="representative", invited_by=other
        ),
        registration.MembershipRequested(**fields),
        registration.MembershipRefused(**fields, refused_by=other, reason=Reason(code="no-evidence")),
        registration.MembershipSuspended(**world.membership(town, ana), suspended_by=other, reason=LEFT),
        registration.MembershipEnded(**world.membership(town, ana), ended_by=other, reason=LEFT),
    ]


def grants(ana: str) -> list[Event]:
    fields: dict[str, Any] = {"grant_id": new_id("grt"), "person_id": ana, "role": "helpdesk"}
    scope = registration.GrantScope(kind="mission")
    return [
        registration.GrantGiven(**fields, scope=scope, valid_from=world.NOW - timedelta(days=1), granted_by="operator"),
        registration.GrantGiven(
            **(fields | {"grant_id": new_id("grt")}), scope=scope, valid_from=LATER, granted_by=ana
        ),
    ]


def bookings(ses: str, ana: str) -> list[Event]:
    def booked(**more: str) -> dict[str, Any]:
        return world.booking(ses, person_id=ana) | more

    return [
        calendar.BookingConfirmed(**booked()),
        calendar.BookingConfirmed(**booked(), moved_up=True),
        calendar.BookingWaitlisted(**booked(), position=3),
        calendar.BookingOffered(**booked(), expires_at=LATER),
        calendar.BookingHeld(**booked(), expires_at=LATER),
        calendar.BookingAttended(**booked()),
        calendar.BookingMissed(**booked()),
        calendar.BookingCancelled(**booked(), previous=calendar.BookingState.CONFIRMED, reason="by-host"),
        calendar.BookingReassigned(
            booking_id=new_id("bkg"),
            session_id=ses,
            session_kind="orientation",
            state=calendar.BookingState.CONFIRMED,
            guest_id=new_id("gst"),
            person_id=ana,
        ),
    ]


def applications(call: str, town: str, ana: str) -> list[Event]:
    fields: dict[str, Any] = {"call_id": call, "city_id": town}
    asked = fields | {"rules_version": 1, "arrived_at": world.NOW, "submitted_by": ana}
    decided = fields | {
        "programme": "twinning",
        "cohort": "cohort-6",
        "reasons": (Reason(code="lottery", params={"points": 70}),),
    }
    found: list[Event] = [
        selection.ApplicationRefused(application_id=new_id("app"), **asked, reasons=(Reason(code="too-late"),))
    ]
    for outcome in (None, *selection.Outcome):
        id = new_id("app")
        found.append(
            selection.ApplicationSubmitted(
                application_id=id,
                **asked,
                revision=1,
                representatives=(ana,),
                facts=selection.ApplicantFacts(country="PT", country_status="eu", kind="municipality"),
                digest="sha256:" + "0" * 64,
            )
        )
        if outcome is None:
            found.append(selection.ApplicationWithdrawn(application_id=id, **fields, withdrawn_by=ana))
        else:
            found.append(selection.ApplicationDecided(application_id=id, **decided, outcome=outcome, score=70))
    return found


def calls(call: str, ana: str) -> list[Event]:
    published = world.call(call, ana)
    common = {"call_id": call, "programme": "twinning", "cohort": "cohort-6"}
    digest = "sha256:" + "0" * 64
    return [
        published,
        selection.CallAmended(
            **common,
            title=published.title,
            phases=published.phases,
            rules=published.rules,
            changed=("window", "places"),
            reason=human(en="Many asked for more time."),
            amended_by=ana,
        ),
        selection.CallPhaseChanged(**common, previous="announced", current="application"),
        selection.CallPhaseChanged(**common, previous="application", current="cancelled"),
        selection.DecisionPublished(
            decision_id=new_id("dec"),
            **common,
            rules_version=1,
            seed="0" * 32,
            inputs=digest,
            result=selection.Result(selected=(new_id("app"),)),
            digest=digest,
        ),
    ]


def participations(call: str, town: str, host: str, ana: str) -> list[Event]:
    def part() -> dict[str, Any]:
        return {
            "participation_id": new_id("par"),
            "city_id": town,
            "persons": (ana,),
            "programme": "twinning",
            "cohort": "cohort-6",
            "call_id": call,
            "host_cities": (host,),
        }

    place = {"city_id": town, "programme": "twinning", "cohort": "cohort-6"}
    return [
        selection.ParticipationOffered(**part(), expires=MOMENT),
        selection.ParticipationAccepted(**part(), accepted_by=ana),
        selection.ParticipationDeclined(**part(), declined_by=ana),
        selection.ParticipationDeclined(**part(), expired=True),
        selection.ParticipationWithdrawn(**part(), reason=Reason(code="no-staff")),
        selection.ParticipationReplaced(**part(), replaced_by=new_id("par")),
        selection.ParticipationCompleted(**(part() | {"call_id": None})),
        selection.PlaceGranted(**place, participation_id=new_id("par"), persons=(ana,), places=1),
        selection.PlaceReleased(**place, participation_id=new_id("par"), reason=LEFT),
    ]


async def test_every_fact_is_told_and_can_be_read(
    notification: httpx.AsyncClient, topics: Topics, tokens: Tokens
) -> None:
    ana, other, town, host = new_id("prs"), new_id("prs"), new_id("city"), new_id("city")
    moved, cancelled, call = new_id("ses"), new_id("ses"), new_id("call")
    held = world.session()
    await topics.publish(
        world.person(ana, f"{ana}@example.com"),
        world.person(other, f"{other}@example.com"),
        world.city(town),
        world.city(host, "Host Town", "SE"),
        registration.CityPublished(city_id=host, ground="official-list"),
        registration.AccountOpened(person_id=ana, origin="self-registered"),
        world.approved(town, ana),
        world.approved(host, ana),
        *grants(ana),
        *(calendar.SessionScheduled(session_id=id, session=held) for id in (moved, cancelled)),
    )
    headers = tokens.bearer(ana)

    async def told(*templates: str) -> bool:
        pages = (await notification.get("/inbox", headers=headers, params={"limit": 200})).json()["items"]
        return set(templates) <= {item["template"] for item in pages}

    await eventually(lambda: told("welcome", "membership-approved", "grant-given"), "who is who is known")
    published, *later = calls(call, ana)
    await topics.publish(published)
    await eventually(lambda: told("call-published"), "the call is known")
    await topics.publish(
        *memberships(town, ana, other),
        registration.GrantRevoked(
            grant_id=new_id("grt"),
            person_id=ana,
            role="reviewer",
            scope=registration.GrantScope(kind="call", id=call),
            revoked_by="operator",
        ),
        registration.OnboardingStepCompleted(
            city_id=town, step=registration.OnboardingStep.ORIENTATION, ground="booking-confirmed"
        ),
        registration.TaskOpened(task_id=new_id("tsk"), city_id=town, action="something-new", due=MOMENT),
        *bookings(moved, ana),
        calendar.BookingConfirmed(**world.booking(cancelled, person_id=ana)),
        *applications(call, town, ana),
    )
    known = ("booking-confirmed", "booking-reassigned", "application-received", "application-not-selected")
    await eventually(lambda: told(*known), "bookings and applications are known")
    await topics.publish(
        calendar.SessionChanged(
            session_id=moved, session=world.session(days=50), changed=("span",), previous_span=held.span
        ),
        calendar.SessionChanged(session_id=moved, session=world.on_site(held), changed=("location",)),
        calendar.SessionCancelled(session_id=cancelled, session=held),
        *later,
        *participations(call, town, host, ana),
    )
    in_portal = {name for name, kind in KINDS.items() if kind.portal}

    async def everything() -> list[dict[str, Any]]:
        answer = await notification.get("/inbox", headers=headers, params={"limit": 200})
        items: list[dict[str, Any]] = answer.json()["items"]
        return items if {item["template"] for item in items} >= in_portal else []

    try:
        entries = await eventually(everything, "every kind of message is in the inbox")
    except AssertionError:
        items = (await notification.get("/inbox", headers=headers, params={"limit": 200})).json()["items"]
        assert in_portal - {item["template"] for item in items} == set()
        raise
    for language in LANGUAGES:
        answer = await notification.get(
            "/inbox", headers=headers | {"Accept-Language": language}, params={"limit": 200}
        )
        items = answer.json()["items"]
        assert {item["id"] for item in entries} <= {item["id"] for item in items}
        assert {item["language"] for item in items} == {language}
    assert not [r for r in await topics.read_raw("notification.dead-letters") if ana.encode() in (r.value or b"")]
