"""What people notice when parts of the platform go away: nothing accepted is lost, and the rest goes on."""

import os
import signal
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count

import httpx

from infra.local.process import Daemon
from mission.demo.mails import doubles
from tests.e2e.people import Person, refused
from tests.e2e.running import Platform, eventually

PEOPLE = 40
SECONDS = 60
AGAIN_SECONDS = 0.2


@contextmanager
def gone(platform: Platform, name: str) -> Iterator[None]:
    """Ends a process at once, and lets nobody start it again for so long."""
    supervisor = platform.process("supervisor")
    supervisor.suspend()
    try:
        process = platform.process(name).process
        assert process is not None
        process.kill()
        eventually(lambda: platform.process(name).process is None, f"{name} has ended")
        yield
    finally:
        supervisor.resume()


def restarted(platform: Platform, name: str, before: int | None) -> None:
    """Waits until the process runs again and the platform is whole."""
    eventually(lambda: platform.process(name).pid not in (None, before), f"{name} runs again", SECONDS)
    eventually(platform.ready, "the platform is ready again", SECONDS)


def test_with_a_service_down_the_rest_works(platform: Platform) -> None:
    guest = Person(platform)
    before = platform.process("catalogue-0").pid
    with gone(platform, "catalogue-0"):
        answer = guest.ask("GET", "/catalogue/entries")
        problem = refused(answer, 503, "service-unavailable")
        assert problem["params"] == {"service": "catalogue"}
        assert int(answer.headers["retry-after"]) > 0
        for path in ("/events", "/cities", "/calls", "/countries"):
            guest.get(path)
        waiting = httpx.get(f"{platform.url}/health/ready")
        assert (waiting.status_code, list(waiting.json()["missing"])) == (503, ["catalogue"])
    restarted(platform, "catalogue-0", before)
    guest.get("/catalogue/entries")


def insist(platform: Platform, client: httpx.Client, person: Person) -> set[int]:
    """Signs somebody up as a careful client does: the same request with its key, until it is accepted."""
    headers = {"Idempotency-Key": uuid.uuid4().hex}
    seen: set[int] = set()
    deadline = time.monotonic() + SECONDS
    while True:
        answer = client.post(f"{platform.api}/auth/sign-up", json=person.account(), headers=headers)
        seen.add(answer.status_code)
        if answer.status_code == 202:
            return seen
        assert answer.headers["content-type"] == "application/problem+json"
        assert time.monotonic() < deadline, answer.text
        time.sleep(AGAIN_SECONDS)


def signing_up(
    platform: Platform, prefix: str, process: Daemon, number: signal.Signals
) -> tuple[list[Person], set[int]]:
    """Many people sign up at the same time, in the middle of which a signal goes to the process.

    Gives the people and the status codes that they met on their way.
    """
    people = [Person(platform, f"{prefix}-{each:02d}@city.example") for each in range(PEOPLE)]
    begun = count(1)

    def sign_up(person: Person) -> set[int]:
        if next(begun) == PEOPLE // 3 and (pid := process.pid):
            os.kill(pid, number)
        return insist(platform, client, person)

    with platform.client() as client, ThreadPoolExecutor(8) as pool:
        statuses = set[int]().union(*pool.map(sign_up, people))
    return people, statuses


def all_got_one_mail_each(platform: Platform, people: list[Person]) -> None:
    """Everybody was mailed one link and no more, and it works."""
    eventually(lambda: all(platform.mails.to(person.mail) for person in people), "everybody gets a mail", SECONDS)
    for person in people:
        person.post(platform.mails.link(person.mail, "/v1/links/"))
    mails = [mail for person in people for mail in platform.mails.to(person.mail)]
    assert len(mails) == len(people)
    assert doubles(mails) == []


def test_a_killed_service_loses_nothing_and_repeats_nothing(platform: Platform) -> None:
    registration = platform.process("registration-0")
    before = registration.pid
    people, statuses = signing_up(platform, "killed", registration, signal.SIGKILL)
    assert statuses <= {202, 409, 502, 503}
    restarted(platform, "registration-0", before)
    all_got_one_mail_each(platform, people)


def test_a_terminated_service_finishes_what_it_has_in_hand(platform: Platform) -> None:
    registration = platform.process("registration-0")
    before = registration.pid
    people, statuses = signing_up(platform, "terminated", registration, signal.SIGTERM)
    assert statuses <= {202, 503}, "no connection broke in the middle of a request"
    restarted(platform, "registration-0", before)
    (state,) = (each for each in platform.state().processes if each.name == "registration-0")
    # Uvicorn, having ended its work in order, ends by the signal that asked for it.
    assert state.problem.startswith((f"ended with code -{signal.SIGTERM};", "ended with code 0;"))
    assert "Application shutdown complete." in state.problem
    all_got_one_mail_each(platform, people)
