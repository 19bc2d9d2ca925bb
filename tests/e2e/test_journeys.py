"""The journeys that must never break, through the one door, on the whole platform as real processes."""

import json
from collections.abc import Callable
from typing import Any

from tests.e2e.forms import EVIDENCE, declaration, session
from tests.e2e.people import Hire, Officer, Person, Places, refused
from tests.e2e.running import Platform, eventually


def test_from_a_guests_booking_to_a_city_with_its_place(
    platform: Platform, helpdesk: Person, organiser: Person, places: Places
) -> None:
    guest = Person(platform)
    assert guest.next_step() == "book-orientation"
    held = organiser.post("/sessions", session())["id"]

    officer = Person(platform, "climate-office@vila-real.example", locale="pt", zone="Europe/Lisbon")
    booking = {"mail_address": officer.mail, "given_name": "Climate", "locale": "pt", "time_zone": officer.zone}
    guest.post(f"/sessions/{held}/guest-bookings", booking)
    link = platform.mails.link(officer.mail, "/bookings/")
    for _ in range(2):
        # Opened as mail scanners do it too, a link shows and decides nothing.
        assert guest.get(link)["purpose"] == "confirm-booking"
    assert guest.post(link)["result"]["state"] == "confirmed"
    assert guest.get(f"/sessions/{held}")["seats"]["taken"] == 1

    officer.sign_up()
    assert refused(officer.ask("GET", "/me"), 401, "not-signed-in")
    officer.sign_in()
    eventually(lambda: officer.next_step() == "declare-city", "the guest's booking counts as step one")
    own = eventually(lambda: officer.get("/bookings")["items"], "the guest's booking is the person's own")
    assert [(each["session_id"], each["state"]) for each in own] == [(held, "confirmed")]

    declared = officer.post("/cities", declaration("Vila Real", places("vila real", "PT")))
    city, membership = declared["city"]["id"], declared["membership"]["id"]
    eventually(lambda: officer.next_step() == "await-approval", "the next step is to wait for the helpdesk")
    refused(guest.ask("GET", f"/cities/{city}"), 404, "city-not-found")
    assert guest.get("/cities", q="vila real")["items"] == []

    helpdesk.post(f"/memberships/{membership}/approval", {"evidence": EVIDENCE})
    officer.renew()
    assert guest.get(f"/cities/{city}")["authority"]["name"] == "Vila Real"
    assert [each["id"] for each in guest.get("/cities", q="vila real")["items"]] == [city]
    eventually(lambda: officer.next_step() == "explore-offer", "the next step is to explore the offer")
    steps = {each["step"]: each["done"] for each in officer.get(f"/cities/{city}/next-steps")["steps"]}
    assert steps == {"orientation": True, "registration": True, "exploration": False}
    approved = eventually(
        lambda: [
            mail for mail in platform.mails.to(officer.mail) if "Vila Real" in mail.text and mail.language == "pt"
        ],
        "the approval is told by mail, in Portuguese",
    )
    assert len({mail.id for mail in approved}) == len(approved)


def test_another_citys_objects_stay_closed(
    platform: Platform, helpdesk: Person, organiser: Person, hire: Hire, officer: Officer
) -> None:
    mine, city = officer("Porto")
    other, theirs = officer("Braga")
    held = organiser.post("/sessions", session(kind="tool-training", guests_allowed=False))["id"]
    booking = mine.post(f"/sessions/{held}/bookings", {"city_id": city})["id"]

    # What the other city may not even know of answers as if it were not there.
    refused(other.ask("GET", f"/bookings/{booking}"), 404, "booking-not-found")
    refused(other.ask("DELETE", f"/bookings/{booking}"), 404, "booking-not-found")
    assert other.get("/bookings")["items"] == []
    for method, path, body in (
        ("GET", f"/cities/{city}/members", None),
        ("GET", f"/cities/{city}/next-steps", None),
        ("PUT", f"/cities/{city}/profile", {"challenges": ["taken-over"]}),
        ("PUT", f"/cities/{city}/mailbox", {"mail_address": "mailbox@braga.example"}),
        ("POST", f"/cities/{city}/invitations", {"mail_address": "colleague@braga.example"}),
        ("POST", f"/sessions/{held}/bookings", {"city_id": city}),
    ):
        refused(other.ask(method, path, json=body), 403, "forbidden")
    assert mine.get(f"/cities/{city}")["profile"]["challenges"] == []
    assert [each["state"] for each in mine.get("/bookings")["items"]] == ["confirmed"]

    # Rights come from grants alone, and reach no further than their scope.
    abroad = hire("helpdesk", mail="helpdesk-se@mission.example", kind="country", id="SE")
    refused(abroad.ask("PUT", f"/cities/{theirs}/statuses", json={"statuses": []}), 403, "forbidden")
    refused(mine.ask("GET", "/memberships"), 403, "forbidden")
    refused(mine.ask("POST", "/grants", json={"person_id": mine.id, "role": "administrator"}), 403, "forbidden")
    refused(helpdesk.ask("POST", "/grants", json={"person_id": mine.id, "role": "editor"}), 403, "forbidden")
    refused(mine.ask("POST", "/sessions", json=session()), 403, "forbidden")
    refused(Person(platform).ask("GET", f"/cities/{city}/members"), 401, "not-signed-in")


def test_a_browser_holds_its_session_in_cookies(platform: Platform) -> None:
    password = "a long password of one's own"
    person = Person(platform, "browser@city.example").sign_up(password=password)
    origin = {"Origin": platform.url}
    with platform.client() as browser:
        credentials = {"mail_address": person.mail, "password": password}
        opened = browser.post("/api/v1/session", json=credentials, headers=origin)
        assert opened.status_code == 200
        assert "access_token" not in opened.text
        hidden = [line for line in opened.headers.get_list("set-cookie") if "httponly" in line.lower()]
        assert len(hidden) == 2, "no script can read the tokens"
        token = {"X-CSRF-Token": opened.json()["csrf_token"]}
        assert browser.get("/api/v1/me").json()["id"] == opened.json()["person_id"]

        change = {"given_name": "Somebody"}
        refused(browser.patch("/api/v1/me", json=change, headers=origin), 403, "csrf-token-missing")
        foreign = {"Origin": "https://elsewhere.example"} | token
        refused(browser.patch("/api/v1/me", json=change, headers=foreign), 403, "foreign-origin")
        assert browser.get("/api/v1/me").json()["given_name"] == "Climate"
        assert browser.patch("/api/v1/me", json=change, headers=origin | token).json()["given_name"] == "Somebody"

        renewed = browser.post("/api/v1/session/refresh", headers=origin | token)
        assert renewed.status_code == 200
        token = {"X-CSRF-Token": renewed.json()["csrf_token"]}
        assert browser.delete("/api/v1/session", headers=origin | token).status_code == 204
        refused(browser.get("/api/v1/me"), 401, "not-signed-in")


def test_a_notification_arrives_without_reloading(platform: Platform, helpdesk: Person, places: Places) -> None:
    officer = Person(platform, "office@evora.example").sign_up().sign_in()
    declared = officer.post("/cities", declaration("Évora", places("evora", "PT")))
    eventually(lambda: officer.get("/inbox")["items"] or True, "the inbox can be read")
    headers = {"Authorization": f"Bearer {officer.token}"}
    with platform.client() as browser, browser.stream("GET", "/api/v1/stream", headers=headers) as stream:
        lines = stream.iter_lines()
        assert next(line for line in lines if line.startswith("event:")) == "event: unread"
        helpdesk.post(f"/memberships/{declared['membership']['id']}/approval", {"evidence": EVIDENCE})
        assert next(line for line in lines if line.startswith("event:")) == "event: message"
        told = json.loads(next(line for line in lines if line.startswith("data:")).removeprefix("data:"))
    assert "Évora" in told["body"]
    assert told["city_id"] == declared["city"]["id"]
    assert told["id"] in {each["id"] for each in officer.get("/inbox")["items"]}


def test_one_trace_leads_from_the_request_to_the_mail(platform: Platform) -> None:
    person = Person(platform, "traced@city.example")
    person.post("/auth/sign-up", person.account())
    mail, _ = platform.mails.next_with_link(person.mail, "/v1/links/")
    message = mail.id.strip("<>").partition("@")[0]

    def traces(process: str, fits: Callable[[dict[str, Any]], bool]) -> set[str]:
        return {span["trace_id"] for span in platform.spans(process) if fits(span)}

    def sent() -> set[str]:
        return traces("notification-0", lambda span: span["attributes"].get("mission.message") == message)

    def served(process: str) -> set[str]:
        return traces(process, lambda span: span["kind"] == "SERVER" and span["name"].startswith("POST "))

    (trace,) = eventually(sent, "the mail's span is written")
    eventually(lambda: trace in served("registration-0"), "registration's span of the request is in the mail's trace")
    eventually(lambda: trace in served("gateway-0"), "the gateway's span of the request is in the mail's trace")
