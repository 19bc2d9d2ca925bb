"""Facts of other services, and the mails that people get of them."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from contracts import cohort_selection as selection
from contracts import events_calendar as calendar
from contracts import registration
from contracts.common import PlannedMoment, Reason, human
from shared.ids import new_id
from shared.testing import Tokens, Topics, eventually
from tests.service.notification import world
from tests.service.notification.world import Mails, plain

pytestmark = pytest.mark.usefixtures("notification")
SOON = datetime.now(UTC) + timedelta(days=1)


def address(id: str) -> str:
    return f"{id[-12:]}@example.com"


async def test_a_link_is_mailed_to_its_receiver_and_told_nowhere_else(
    notification: httpx.AsyncClient, topics: Topics, tokens: Tokens, mails: Mails
) -> None:
    ana, link = new_id("prs"), new_id("lnk")
    token = "secret-token-of-this-link"
    issued = registration.LinkIssued(
        link_id=link,
        purpose="verify-mail",
        person_id=ana,
        token=token,
        path=f"/links/{token}",
        expires_at=SOON,
    )
    # The link comes first: it waits for its receiver.
    await topics.publish(issued, world.person(ana, address(ana), "pt", given_name="Ana", family_name="Silva"))
    mail = await mails.one(address(ana))
    assert mail["Subject"] == "Confirme o seu endereço de correio eletrónico"
    assert mail["Content-Language"] == "pt"
    assert mail["From"].addresses[0].addr_spec == "no-reply@example.org"
    assert mail["To"] == f"Ana Silva <{address(ana)}>"
    text = plain(mail)
    assert text.startswith("Olá, Ana Silva,")
    assert f"/api/v1/links/{token}" in text

    inbox = (await notification.get("/inbox", headers=tokens.bearer(ana))).json()
    assert inbox["items"] == []
    assert inbox["hint"].startswith("Ainda não tem mensagens")
    for record in await topics.read_raw("notification.messages"):
        assert token.encode() not in record.value
        assert address(ana).encode() not in record.value


async def test_a_membership_from_request_to_its_end(topics: Topics, mails: Mails) -> None:
    town, member, agent, elsewhere, id = (
        new_id("city"),
        new_id("prs"),
        new_id("prs"),
        new_id("prs"),
        new_id("mem"),
    )
    await topics.publish(
        world.person(agent, address(agent)),
        world.person(elsewhere, address(elsewhere)),
        *(
            registration.GrantGiven(
                grant_id=new_id("grt"),
                person_id=who,
                role="helpdesk",
                scope=registration.GrantScope(kind="country", id=country),
                valid_from=world.NOW - timedelta(days=1),
                granted_by="operator",
            )
            for who, country in ((agent, "PT"), (elsewhere, "SE"))
        ),
    )
    assert "Du" not in (await mails.one(address(elsewhere)))["Subject"]
    await mails.one(address(agent))
    fields = world.membership(town, member, id)
    # Neither the person nor the city is known yet.
    await topics.publish(registration.MembershipRequested(**fields))
    await topics.publish(world.city(town, "Vila Ilustrativa"))
    await topics.publish(world.person(member, address(member), "de", given_name="Rui", family_name="Costa"))
    (request,) = await mails.to(address(member))
    assert request["Subject"] == "Ihre Anfrage, für Vila Ilustrativa zu sprechen, ist eingegangen"
    review = (await mails.to(address(agent), 2))[1]
    assert "Rui Costa asks to speak for Vila Ilustrativa" in plain(review)
    await topics.publish(
        world.approved(town, member, id),
        registration.MembershipSuspended(**fields, suspended_by=agent, reason=Reason(code="no-evidence")),
        registration.MembershipEnded(**fields, reason=Reason(code="left")),
    )
    subjects = [mail["Subject"] for mail in await mails.to(address(member), 4)]
    assert subjects[1:] == [
        "Sie können jetzt für Vila Ilustrativa handeln",
        "Ihre Mitgliedschaft in Vila Ilustrativa ruht",
        "Ihre Mitgliedschaft in Vila Ilustrativa ist beendet",
    ]
    assert "Sie sind ausgetreten." in plain((await mails.to(address(member), 4))[3])
    await mails.to(address(elsewhere), 1)


async def test_a_city_s_people_are_told_in_whichever_order_topics_arrive(topics: Topics, mails: Mails) -> None:
    town, member, late = new_id("city"), new_id("prs"), new_id("prs")
    step = registration.OnboardingStepCompleted(
        city_id=town, step=registration.OnboardingStep.REGISTRATION, ground="membership-approved", person_id=member
    )
    task = registration.TaskOpened(task_id=new_id("tsk"), city_id=town, action="complete-profile")
    # Step and task are here before anybody is known to be a member.
    await topics.publish(world.city(town), step, task)
    await topics.publish(world.person(member, address(member)), world.person(late, address(late), "pt"))
    await mails.one(address(member))
    await topics.publish(world.approved(town, member), world.approved(town, late))
    told = {mail["Subject"] for mail in await mails.to(address(member), 3)}
    assert told == {
        "Illustrative Town has completed a step: Registration",
        "You can act for Illustrative Town now",
        "To do for Illustrative Town: Complete your city's profile",
    }
    assert len(await mails.to(address(late), 3)) == 3


async def test_bookings_and_what_becomes_of_their_session(topics: Topics, mails: Mails) -> None:
    held, moved = world.session("Study visit"), world.on_site(world.session("Study visit", days=40))
    ses, ana, rui, eva = new_id("ses"), new_id("prs"), new_id("prs"), new_id("prs")
    first, second, third = new_id("bkg"), new_id("bkg"), new_id("bkg")
    await topics.publish(
        calendar.BookingConfirmed(**world.booking(ses, first, person_id=ana)),
        calendar.BookingWaitlisted(**world.booking(ses, second, person_id=rui), position=1),
        calendar.BookingConfirmed(**world.booking(ses, third, person_id=eva)),
    )
    await topics.publish(
        world.person(ana, address(ana), "de", "Europe/Athens"),
        world.person(rui, address(rui), "pt", "Europe/Lisbon"),
        world.person(eva, address(eva), "sv", "Europe/Brussels"),
        calendar.SessionScheduled(session_id=ses, session=held),
    )
    ana_s, rui_s = await mails.one(address(ana)), await mails.one(address(rui))
    assert ana_s["Subject"] == "Sie haben einen Platz: Study visit (de)"
    assert "11:00\u201313:00 Uhr (Ortszeit Athen" in plain(ana_s)
    assert "10:00\u201312:00 Uhr (Ortszeit Brüssel" in plain(ana_s)
    assert "Está na posição 1 da lista de espera" in plain(rui_s)
    await mails.one(address(eva))

    await topics.publish(
        calendar.BookingCancelled(
            **world.booking(ses, third, person_id=eva),
            previous=calendar.BookingState.CONFIRMED,
            reason="by-holder",
        ),
        calendar.BookingConfirmed(**world.booking(ses, second, person_id=rui), moved_up=True),
    )
    assert "You cancelled it yourself." in plain((await mails.to(address(eva), 2))[1])
    assert (await mails.to(address(rui), 2))[1]["Subject"].startswith("A lista avançou")

    await topics.publish(
        calendar.SessionChanged(session_id=ses, session=moved, changed=("span", "location"), previous_span=held.span)
    )
    news = (await mails.to(address(ana), 2))[1]
    assert news["Subject"] == "Neuer Termin: Study visit (de)"
    assert "Bisher: " in plain(news)
    assert "Town Hall, Leuven, Belgien" in plain(news)
    await mails.to(address(rui), 3)

    # The calendar tells of every booking, and of the session with the reason: each holder hears it once.
    await topics.publish(
        *(
            calendar.BookingCancelled(
                **world.booking(ses, id, person_id=who),
                previous=calendar.BookingState.CONFIRMED,
                reason="session-cancelled",
            )
            for id, who in ((first, ana), (second, rui))
        )
    )
    await topics.publish(
        calendar.SessionCancelled(session_id=ses, session=moved, reason=human(en="Strike.", de="Streik."))
    )
    assert "Streik." in plain((await mails.to(address(ana), 3))[2])
    assert (await mails.to(address(rui), 4))[3]["Subject"] == "Cancelada: Study visit (pt)"
    await mails.to(address(eva), 2)


async def test_a_guest_gets_links_and_later_an_inbox(
    notification: httpx.AsyncClient, topics: Topics, tokens: Tokens, mails: Mails
) -> None:
    ses, guest, bkg, ana = new_id("ses"), new_id("gst"), new_id("bkg"), new_id("prs")

    def link(purpose: str) -> registration.LinkIssued:
        return registration.LinkIssued(
            link_id=new_id("lnk"),
            purpose=purpose,
            guest_id=guest,
            about=bkg,
            token="t" * 40,
            path=f"/bookings/links/{purpose}",
            expires_at=SOON,
        )

    holder = {"guest_id": guest}
    await topics.publish(
        calendar.GuestRecorded(
            guest_id=guest, mail_address=address(guest), locale="en", time_zone="Europe/Lisbon", given_name="Kim"
        ),
        calendar.SessionScheduled(session_id=ses, session=world.session()),
        calendar.BookingHeld(**world.booking(ses, bkg, **holder), expires_at=SOON),
        link("confirm-booking"),
    )
    confirm = await mails.one(address(guest))
    assert confirm["Subject"] == "Please confirm your booking: Orientation"
    assert "/api/v1/bookings/links/confirm-booking" in plain(confirm)

    # The link to manage comes before the fact that the booking is confirmed; both together are one mail.
    await topics.publish(link("manage-booking"))
    await topics.publish(calendar.BookingConfirmed(**world.booking(ses, bkg, **holder)))
    manage = (await mails.to(address(guest), 2))[1]
    assert manage["Subject"] == "You have a place: Orientation"
    assert "/api/v1/bookings/links/manage-booking" in plain(manage)

    await topics.publish(
        world.person(ana, address(ana)),
        registration.GuestLinked(person_id=ana, guest_id=guest),
        calendar.BookingReassigned(
            booking_id=bkg,
            session_id=ses,
            session_kind="orientation",
            state=calendar.BookingState.CONFIRMED,
            guest_id=guest,
            person_id=ana,
        ),
    )

    async def in_inbox() -> list[str]:
        items = (await notification.get("/inbox", headers=tokens.bearer(ana))).json()["items"]
        return [item["template"] for item in items] if len(items) == 2 else []

    assert set(await eventually(in_inbox, "the guest's messages are the person's")) == {
        "booking-confirmed",
        "booking-reassigned",
    }


async def test_a_city_applies_is_refused_selected_and_offered_a_place(
    notification: httpx.AsyncClient, topics: Topics, tokens: Tokens, mails: Mails
) -> None:
    town, colleague, officer, manager = new_id("city"), new_id("prs"), new_id("prs"), new_id("prs")
    call, app, par = new_id("call"), new_id("app"), new_id("par")
    shared = f"mailbox-{town[-12:]}@example.com"
    asked = {"call_id": call, "city_id": town, "rules_version": 1, "arrived_at": world.NOW, "submitted_by": officer}
    await topics.publish(
        selection.ApplicationRefused(
            application_id=new_id("app"),
            **asked,
            reasons=(Reason(code="neutral-by-2050"), Reason(code="too-late"), Reason(code="brand-new")),
        ),
        selection.ApplicationSubmitted(
            application_id=app,
            **asked,
            revision=1,
            representatives=(officer,),
            facts=selection.ApplicantFacts(country="PT", country_status="eu", kind="municipality"),
            digest="sha256:" + "0" * 64,
        ),
        selection.ApplicationDecided(
            application_id=app,
            call_id=call,
            city_id=town,
            programme="twinning",
            cohort="cohort-6",
            outcome=selection.Outcome.RESERVE,
            reserve_rank=2,
            reasons=(Reason(code="below-cut-off", params={"points": 70, "cut-off": 74}),),
        ),
    )
    await topics.publish(
        world.city(town, "Vila Ilustrativa"),
        registration.MailboxRecorded(
            city_id=town,
            mail_address=shared,
            mail_verified_at=world.NOW,
            locale="pt",
            time_zone="Europe/Lisbon",
        ),
        *(world.person(who, address(who), "de", "Europe/Berlin") for who in (colleague, officer)),
        world.person(manager, address(manager)),
        world.approved(town, colleague),
        world.approved(town, officer),
    )
    await mails.one(address(officer))
    await mails.one(address(colleague))
    await topics.publish(world.call(call, manager))
    found = {mail["Subject"]: plain(mail) for mail in await mails.to(address(officer), 4)}
    refused = found["Nicht angenommen: Bewerbung von Vila Ilustrativa, Twinning, Kohorte 6"]
    for reason in ("Die Stadt ist bis 2050 klimaneutral.", "nach Ablauf der Frist", "Grund: brand new."):
        assert reason in refused
    assert "an Stelle 2" in found["Vila Ilustrativa steht auf der Reserveliste: Twinning, Kohorte 6"]
    await mails.to(address(colleague), 4)
    assert len(await mails.to(shared, 3)) == 3, "the city's own mailbox hears of its applications"

    expires = PlannedMoment.of(datetime(2030, 8, 1, 17, 0), "Europe/Brussels")  # noqa: DTZ001
    part = {
        "participation_id": par,
        "city_id": town,
        "persons": (officer,),
        "programme": "twinning",
        "cohort": "cohort-6",
        "call_id": call,
    }
    await topics.publish(
        registration.LinkIssued(
            link_id=new_id("lnk"),
            purpose="answer-offer",
            person_id=officer,
            about=par,
            token="t" * 40,
            path="/participations/links/answer",
            expires_at=expires.utc,
        ),
        selection.ParticipationOffered(**part, expires=expires, from_reserve=True),
    )
    offer = (await mails.to(address(officer), 5))[4]
    assert offer["Subject"] == "Vila Ilustrativa wird ein Platz angeboten: Twinning, Kohorte 6"
    assert "/api/v1/participations/links/answer" in plain(offer)
    assert "Donnerstag, 1. August 2030, 17:00 Uhr (Ortszeit Berlin, UTC+2)" in plain(offer)
    assert "links" not in plain((await mails.to(address(colleague), 5))[4]), "who does not take part cannot answer"

    await topics.publish(
        selection.ParticipationAccepted(**part),
        selection.PlaceGranted(
            participation_id=par,
            city_id=town,
            persons=(officer,),
            programme="twinning",
            cohort="cohort-6",
            places=2,
        ),
    )
    await mails.to(address(officer), 6)

    async def told_in_the_inbox() -> bool:
        items = (await notification.get("/inbox", headers=tokens.bearer(officer))).json()["items"]
        return {"call-published", "participation-offered", "place-granted"} <= {item["template"] for item in items}

    await eventually(told_in_the_inbox, "the call itself is told in the inbox alone")
    assert mails.all(address(manager)) == []
