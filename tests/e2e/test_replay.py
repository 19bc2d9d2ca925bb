"""Every service's projections are what the log says, after real traffic, and are built again while people go on."""

from typing import Any

import pytest

from contracts.registry import STORING
from tests.e2e.forms import session
from tests.e2e.people import Officer, Person
from tests.e2e.running import Platform, eventually

FILLED = {
    "catalogue": "aliases",
    "cohort-selection": "members",
    "events-calendar": "cities",
    "notification": "memberships",
    "registration": "bookings",
}
"""A projection of each service that the traffic fills."""


@pytest.fixture(scope="module", autouse=True)
def stays(platform: Platform, organiser: Person, officer: Officer) -> Person:
    """Somebody of a city, after traffic: two cities, bookings of persons and a guest, somebody who is erased."""
    stays, city = officer("Silves")
    gone, _ = officer("Odemira")
    held = organiser.post("/sessions", session())["id"]
    stays.post(f"/sessions/{held}/bookings", {"city_id": city})
    gone.post(f"/sessions/{held}/bookings", {})
    guest = {"mail_address": "guest@evora.example", "given_name": "Guest", "locale": "en", "time_zone": "UTC"}
    Person(platform).post(f"/sessions/{held}/guest-bookings", guest)
    assert gone.ask("DELETE", "/me").is_success
    settled(platform)
    return stays


def settled(platform: Platform) -> None:
    """Waits until nothing is on its way any more, so that what comes afterwards comes of what is done afterwards."""
    eventually(platform.at_rest, "everything is published, taken and mailed", 60)


def rows(platform: Platform, service: str) -> list[dict[str, Any]]:
    """The rows of the service's projection that the traffic fills, as its present generation has them."""
    return platform.rows(service, platform.present(service, FILLED[service]))


@pytest.mark.parametrize("service", STORING)
def test_a_services_projections_are_what_the_log_says(platform: Platform, service: str) -> None:
    before, mails = rows(platform, service), len(platform.mails.all())
    said = platform.run("replay", service)
    assert "The new generation says the same as the present one." in said
    assert "is the present one now" in said
    assert before
    assert rows(platform, service) == before
    settled(platform)
    assert platform.mails.all()[mails:] == [], "nothing is mailed again"


def test_people_go_on_after_it(platform: Platform, stays: Person, organiser: Person) -> None:
    for service in ("registration", "notification"):
        platform.run("replay", service)
    held = organiser.post("/sessions", session(title={"en": "After the replay"}))["id"]
    booking = stays.post(f"/sessions/{held}/bookings", {})["id"]
    settled(platform)
    assert booking in {row["_id"] for row in rows(platform, "registration")}
    told = eventually(
        lambda: [mail for mail in platform.mails.to(stays.mail) if "After the replay" in mail.text],
        "the booking is told by mail",
    )
    assert len(told) == 1


def test_a_difference_is_shown_and_mended_when_that_is_wanted(platform: Platform) -> None:
    service = "events-calendar"
    platform.run("replay", service)
    name = platform.present(service, FILLED[service])
    before = rows(platform, service)
    spoilt = {"q": {"_id": before[0]["_id"]}, "u": {"$set": {"name": "Nowhere"}}}
    platform.stack.ask(service, {"update": name, "updates": [spoilt]})

    failed = platform.fail("replay", service, "--dry-run", wide=True)
    assert failed.stderr.startswith("mission: The generations differ")
    assert f"cities {before[0]['_id']}: name: 'Nowhere' -> '{before[0]['name']}'" in failed.stdout
    assert "Nothing was switched" in platform.fail("replay", service).stdout
    assert rows(platform, service)[0]["name"] == "Nowhere"
    assert "is the present one now" in platform.run("replay", service, "--switch-anyway")
    assert rows(platform, service) == before


def test_what_cannot_be_built_is_refused_in_one_sentence(platform: Platform) -> None:
    refusal = platform.fail("replay", "gateway")
    assert refusal.stderr.startswith("mission: There is no service 'gateway' with projections")
