"""The platform is upgraded while people use it, with both releases side by side, and then rolled back.

The next release (``next_release.patch``) tells of a confirmed booking in a new version and of a person with one field
more. It comes and goes as docs/operations/upgrade.md says: the files first, then one service after the other.
"""

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Final

import pytest

from contracts.registry import STORING
from mission.place import Health
from mission.reading import records
from tests import releases
from tests.e2e.conftest import PASSWORD, running_platform
from tests.e2e.forms import session
from tests.e2e.people import Person, given
from tests.e2e.running import Platform, eventually
from tests.faults.evidence import Told

NEXT: Final = Path(__file__).with_name("next_release.patch")
CLIENTS: Final = 3
PACE_SECONDS: Final = 1.0
SOME: Final = 5
CONFIRMED: Final = "eu.mission.calendar.booking.confirmed"
OLD, NEW = f"{CONFIRMED}.v1", f"{CONFIRMED}.v2"


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """A copy of the code, to be upgraded."""
    root = tmp_path / "release"
    releases.copy_to(root)
    return root


@pytest.fixture
def platform(request: pytest.FixtureRequest, release: Path) -> Iterator[Platform]:
    """A platform that runs from the copy, with two calendars."""
    scaled = ("--scale", "events-calendar=2")
    # What Python compiles once need not be compiled at every start; empty is as if it were not set.
    compiled = {"PYTHONDONTWRITEBYTECODE": ""}
    with running_platform(request.session, "-upgrade", root=release, options=scaled, settings=compiled) as platform:
        yield platform


class Load:
    """People who book a session, give the place up and book it again, and others who sign up, until it ends."""

    def __init__(self, platform: Platform, people: list[Person], held: str) -> None:
        self._platform = platform
        self._people = people
        self._path = f"/sessions/{held}/bookings"
        self._done = threading.Event()
        self._numbers = count()
        self._pool = ThreadPoolExecutor(len(people))
        self._working: list[Future[None]] = []
        self.answers: Counter[tuple[str, int]] = Counter()
        self.booked: list[str] = []
        self.signed_up: list[str] = []

    def __enter__(self) -> "Load":
        self._working = [self._pool.submit(self._use, person) for person in self._people]
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._pool.shutdown()
        for each in self._working:
            each.result()

    def _use(self, person: Person) -> None:
        # Without an Idempotency-Key, so that nothing may send a request twice.
        once = {"Idempotency-Key": ""}
        while not self._done.wait(PACE_SECONDS):
            booking = person.ask("POST", self._path, json={}, headers=once)
            self.answers["book", booking.status_code] += 1
            if booking.is_success:
                self.booked.append(booking.json()["id"])
                gone = person.ask("DELETE", f"/bookings/{self.booked[-1]}", headers=once)
                self.answers["cancel", gone.status_code] += 1
            new = Person(self._platform, f"upgrade-{next(self._numbers)}@city.example")
            answer = new.ask("POST", "/auth/sign-up", json=new.account(), headers=once)
            self.answers["sign up", answer.status_code] += 1
            self.signed_up.append(new.mail)

    def goes_on(self) -> None:
        """Waits until everybody has done something more."""
        wanted = len(self.booked) + SOME
        eventually(
            lambda: len(self.booked) >= wanted or any(each.done() for each in self._working),
            lambda: f"people book; they were answered {self.answers}",
        )


def confirmations(platform: Platform, since: datetime) -> list[Told]:
    """What the log tells of bookings that were confirmed after this moment."""
    told = map(Told.of, records(platform.stack, ["calendar.bookings"]))
    return [each for each in told if each.attributes.type.startswith(CONFIRMED) and each.attributes.time >= since]


def versions(platform: Platform, since: datetime) -> set[str]:
    """The versions in which they are told."""
    return {each.attributes.type for each in confirmations(platform, since)}


def renew(platform: Platform, name: str) -> None:
    """Ends one instance of two, which comes back as the release that lies in the files now."""
    process = platform.process(name)
    before = process.pid
    assert process.process is not None
    process.process.terminate()

    def back() -> bool:
        states = {each.name: each for each in platform.state().processes}
        return states[name].pid not in (None, before) and states[name].health is Health.READY

    eventually(back, f"{name} is back", 60)


def test_two_releases_side_by_side_lose_nothing_and_the_first_takes_over_again(
    platform: Platform, release: Path
) -> None:
    platform.make_operator("operator@mission.example", PASSWORD)
    administrator = Person(platform, "operator@mission.example").sign_in_by_password(PASSWORD)
    people = [Person(platform, f"office-{number}@city.example").sign_up().sign_in() for number in range(CLIENTS + 1)]
    organiser = given(administrator, people.pop(), "organiser")
    held = organiser.post("/sessions", session())["id"]
    begun = datetime.now(UTC)

    with Load(platform, people, held) as load:
        load.goes_on()
        assert versions(platform, begun) == {OLD}

        # The consumers first; until notification is new, it reads people with a field that it does not know.
        releases.patch(release, NEXT)
        platform.run("restart", "registration")
        load.goes_on()
        platform.run("restart", "notification")
        load.goes_on()
        assert versions(platform, begun) == {OLD}

        renew(platform, "events-calendar-1")
        mixed = datetime.now(UTC)
        eventually(lambda: versions(platform, mixed) == {OLD, NEW}, "both releases of the calendar tell of bookings")
        renew(platform, "events-calendar-0")
        upgraded = datetime.now(UTC)
        load.goes_on()
        assert versions(platform, upgraded) == {NEW}

        # What was told before the upgrade is read as if it had been told today.
        platform.run("replay", "registration", "--switch-anyway")
        kept = platform.rows("registration", platform.present("registration", "bookings"))
        older = {each.attributes.subject for each in confirmations(platform, begun) if each.attributes.type == OLD}
        assert older <= {row["_id"] for row in kept}
        assert {row.get("came_by") for row in kept if row["_id"] in older} == {"booking"}

        # And back: whoever tells in the new version first, then whoever reads it, when all of it is read.
        releases.patch(release, NEXT, back=True)
        renew(platform, "events-calendar-0")
        renew(platform, "events-calendar-1")
        rolled_back = datetime.now(UTC)
        load.goes_on()
        assert versions(platform, rolled_back) == {OLD}
        platform.run("restart", "notification")
        load.goes_on()

    assert load.answers.keys() == {("book", 201), ("cancel", 200), ("sign up", 202)}, load.answers
    eventually(platform.at_rest, "everything is published, taken and mailed", 60)
    told = {each.attributes.id: each.attributes.subject for each in confirmations(platform, begun)}
    assert Counter(told.values()) == Counter(load.booked)
    messages = platform.rows("notification", "messages", template="booking-confirmed")
    assert len(messages) == len(load.booked)
    assert len({message["caused_by"] for message in messages}) == len(load.booked)
    mailed = Counter(mail.to for mail in platform.mails.all())
    assert {mail: mailed[mail] for mail in load.signed_up} == dict.fromkeys(load.signed_up, 1)
    for service in STORING:
        assert not platform.rows(service, "dead_letters"), service
        assert not platform.rows(service, "parked"), service
