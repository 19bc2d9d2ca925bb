"""What an operator on call does: examine, follow one write, mend what could not be applied; on the running platform."""

import random
import string
from typing import Any

import httpx
import pytest

from contracts.registration import CountryRecorded
from contracts.registry import STORING
from mission.letters import user
from shared.ids import new_id
from tests.e2e.letters import spoil
from tests.e2e.people import Hire, Person, refused
from tests.e2e.running import Platform, eventually

SERVICE = "cohort-selection"
DOOR = f"/{SERVICE}/dead-letters"
TOPIC = "registration.countries"


@pytest.fixture(scope="module")
def operator(hire: Hire) -> Person:
    """Somebody with the role of an operator."""
    return hire("operator")


@pytest.fixture
def letter(platform: Platform, operator: Person) -> str:
    """The id of a dead letter: an event that says nothing of its country."""
    country = spoil(platform.stack, CountryRecorded)

    def listed() -> list[dict[str, Any]]:
        found = operator.get(DOOR, topic=TOPIC, reason="ValidationError")["items"]
        return [line for line in found if line["aggregate"] == country]

    (line,) = eventually(listed, "the event is a dead letter")
    return str(line["id"])


def decide(person: Person, **body: Any) -> httpx.Response:
    """A decision about dead letters, by HTTP."""
    return person.ask("POST", f"{DOOR}/decisions", json={"why": "it tells of no country"} | body)


def test_every_service_shows_its_dead_letters_to_operators_alone(
    platform: Platform, operator: Person, helpdesk: Person
) -> None:
    for service in STORING:
        assert "items" in operator.get(f"/{service}/dead-letters")
        refused(helpdesk.ask("GET", f"/{service}/dead-letters"), 403, "forbidden")
        refused(Person(platform).ask("GET", f"/{service}/dead-letters"), 401, "not-signed-in")
    guest, path = Person(platform), f"/api/v1{DOOR}/decisions"
    eventually(lambda: path in guest.get("/openapi.json")["paths"], "the documentation has it", 90)


def test_a_dead_letter_is_tried_again_and_given_up_and_it_is_known_by_whom(
    platform: Platform, operator: Person, letter: str
) -> None:
    assert letter in platform.run("dead-letters", "list", "--service", SERVICE, "--since", "1h")
    assert letter not in platform.run("dead-letters", "list", "--until", "1h")
    assert "Field required" in platform.run("dead-letters", "show", letter)
    dry = platform.run("dead-letters", "drop", letter, "--why", "looking", "--dry-run")
    assert letter in dry
    assert "Nothing was done" in dry

    refusal = platform.fail("dead-letters", "replay", letter, "--why", "perhaps it works now")
    assert refusal.stderr.startswith("mission: 1 of 1 are still not dealt with")
    assert "failed again" in refusal.stdout

    answer = decide(operator, action="drop", letters=[letter])
    assert [(line["id"], line["outcome"], line["attempt"]) for line in answer.json()["items"]] == [
        (letter, "dropped", 2)
    ]
    refused(decide(operator, action="replay", letters=[letter]), 409, "letter-decided")
    assert platform.fail("dead-letters", "drop", letter, "--why", "again").stderr.startswith(
        "mission: There is no open"
    )

    decisions = operator.get(f"{DOOR}/{letter}")["decisions"]
    assert [(each["action"], each["by"], each["why"], each["outcome"]) for each in decisions] == [
        ("replay", user(), "perhaps it works now", "failed-again"),
        ("drop", operator.id, "it tells of no country", "dropped"),
    ]
    history = " ".join(platform.run("dead-letters", "history", "--service", SERVICE, wide=True).split())
    for word in ("perhaps it works now", "failed again", operator.id, "it tells of no country", "given up"):
        assert word in history


def test_what_means_nothing_is_refused_in_one_sentence(platform: Platform) -> None:
    for arguments, sentence in (
        (("replay", "--why", "because"), "Name letters, or say which"),
        (("drop", "a/0/1", "--why", "because"), "There is no open dead letter a/0/1"),
        (("list", "--since", "yesterday"), "'yesterday' is no moment"),
        (("list", "--service", "gateway"), "'gateway' keeps no dead letters"),
        (("show", "a/0/1"), "There is no dead letter a/0/1"),
    ):
        refusal = platform.fail("dead-letters", *arguments)
        assert refusal.stderr.startswith(f"mission: {sentence}")
        assert refusal.stderr.count("\n") == 1


def test_one_write_is_followed_from_its_request_to_the_mail(platform: Platform) -> None:
    person = Person(platform, "".join(random.choices(string.ascii_lowercase, k=12)) + "@city.example")
    answer = person.ask("POST", "/auth/sign-up", json=person.account())
    assert answer.status_code == 202
    request = answer.headers["x-request-id"]
    platform.mails.link(person.mail, "/v1/links/")

    text = ""

    def shown() -> bool:
        nonlocal text
        text = platform.run("trace", request, wide=True)
        return "mail sent" in text

    eventually(shown, lambda: f"the trace shows the mail as sent:\n{text}", 60)
    first = text.splitlines()[0]
    assert first.startswith(f"{request} by registration")
    trace = first.rpartition("trace ")[2].strip()
    for part in (
        "registration.person.recorded",
        "registration.link.issued",
        "notification: applied",
        "notification.message.created",
        "notification.delivery.state-changed",
    ):
        assert part in text
    event = next(line.rpartition("event ")[2] for line in text.splitlines() if "event " in line)
    for other in (trace, event):
        assert platform.run("trace", other, wide=True) == text, "each of its ids leads to the same write"
    assert platform.fail("trace", new_id("req")).stderr.startswith("mission: Nothing is known of req_")


def test_the_trace_shows_what_was_not_applied(platform: Platform, operator: Person, letter: str) -> None:
    headers = dict(operator.get(f"{DOOR}/{letter}")["headers"])
    assert "cohort-selection: dead letter, waits for an operator" in platform.run("trace", headers["ce_id"])
    assert decide(operator, action="drop", letters=[letter]).is_success
    assert "cohort-selection: given up by an operator" in platform.run("trace", headers["ce_id"])


def test_the_lag_names_every_group_with_its_members(platform: Platform) -> None:
    text = platform.run("lag", wide=True)
    for service in STORING:
        assert f"{service}.events" in text
        assert f"{service}-0" in text


def test_a_platform_that_is_well_passes_the_doctor_and_what_is_wrong_is_named(
    platform: Platform,
) -> None:
    stack = platform.stack
    platform.run("doctor")
    secret = stack.secrets.directory("operator") / "mission_kafka_password"
    (index,) = stack.ask("catalogue", {"listIndexes": "dead_letters"})
    name = next(row["name"] for row in index["cursor"]["firstBatch"] if row["name"] != "_id_")
    secret.chmod(0o644)
    stack.ask("catalogue", {"dropIndexes": "dead_letters", "index": name})
    try:
        refusal = platform.fail("doctor", wide=True)
    finally:
        secret.chmod(0o600)
        stack.ask("catalogue", {"createIndexes": "dead_letters", "indexes": [_made(index, name)]})
    assert refusal.stderr == "mission: 2 things are wrong; the table says what to do.\n"
    assert "mission_kafka_password" in refusal.stdout
    assert f"catalogue: dead_letters lacks the index {name}" in refusal.stdout
    platform.run("doctor")


def _made(answer: dict[str, Any], name: str) -> dict[str, Any]:
    row = next(row for row in answer["cursor"]["firstBatch"] if row["name"] == name)
    return {"key": row["key"], "name": name}
