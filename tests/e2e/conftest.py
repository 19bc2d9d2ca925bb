"""The whole platform as real processes, started once by the command line for all end-to-end tests of a run."""

import os
import shutil
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from infra.local.ports import Ports
from infra.local.process import end, running
from infra.local.stack import ROOT
from tests.e2e.forms import EVIDENCE, declaration
from tests.e2e.people import Hire, Officer, Person, Places, given
from tests.e2e.running import SETTINGS, Platform, eventually

HOMES = Path(__file__).resolve().parents[2] / ".local" / "e2e"

PASSWORD = "operator of this platform"


def sweep() -> None:
    """Ends and removes what runs left behind that were killed."""
    for home in HOMES.glob("run-*"):
        if Path(f"/proc/{home.name.split('-')[1]}").exists():
            continue
        # The supervisor first, which would start the others again.
        for pid_file in sorted(home.glob("run/*.pid"), key=lambda file: file.stem != "supervisor"):
            if process := running(pid_file):
                end(process, timeout=20)
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def running_platform(
    session: pytest.Session,
    name: str = "",
    *,
    root: Path = ROOT,
    options: Sequence[str] = (),
    settings: Mapping[str, str] = {},
) -> Iterator[Platform]:
    """A platform with all its services ready, ``settings`` beside ours; after a failure its logs stay.

    ``name`` tells it from others of this run; the platform's home in ``.local/e2e`` ends with it. It runs the code at
    ``root``, started with these ``options``.
    """
    sweep()
    environment = {
        **os.environ,
        **SETTINGS,
        **settings,
        "MISSION_HOME": str(HOMES / f"run-{os.getpid()}{name}"),
        "MISSION_PORT_BASE": str(Ports.free().base),
    }
    platform = Platform(environment, root)
    failed_before = session.testsfailed
    platform.run("up", "--detach", *options)
    try:
        eventually(platform.ready, "the platform is ready")
        yield platform
    finally:
        platform.run("down")
        if session.testsfailed == failed_before:
            shutil.rmtree(platform.home, ignore_errors=True)


@pytest.fixture(scope="package")
def platform(request: pytest.FixtureRequest) -> Iterator[Platform]:
    """The platform that all end-to-end tests share."""
    with running_platform(request.session) as platform:
        yield platform


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Shows the services' last log lines with a test that failed."""
    report = yield
    platform = getattr(item, "funcargs", {}).get("platform")
    if report.failed and isinstance(platform, Platform):
        report.sections.append(("logs of the platform", platform.logs()))
    return report


@pytest.fixture(scope="package")
def administrator(platform: Platform) -> Person:
    """The first operator, made on the command line."""
    operator = Person(platform, "operator@mission.example")
    platform.make_operator(operator.mail, PASSWORD)
    return operator.sign_in_by_password(PASSWORD)


@pytest.fixture(scope="package")
def hire(platform: Platform, administrator: Person) -> Hire:
    """Makes somebody with an account and a role, given through the public API."""

    def hired(role: str, *, mail: str | None = None, kind: str = "mission", id: str | None = None) -> Person:
        person = Person(platform, mail or f"{role}@mission.example").sign_up().sign_in()
        return given(administrator, person, role, kind=kind, id=id)

    return hired


@pytest.fixture(scope="package")
def helpdesk(hire: Hire) -> Person:
    """An agent of the helpdesk for all countries."""
    return hire("helpdesk")


@pytest.fixture(scope="package")
def organiser(hire: Hire) -> Person:
    """Somebody who schedules sessions."""
    return hire("organiser")


@pytest.fixture(scope="package")
def places(platform: Platform) -> Places:
    """Finds the id of a place by its name and country, in the directory that is there soon after the start."""
    guest = Person(platform)
    eventually(lambda: guest.get("/places", q="Lisbon")["complete"], "the directory of places is loaded", 180)

    def found(name: str, country: str) -> str:
        return str(guest.get("/places", q=name, country=country)["items"][0]["id"])

    return found


@pytest.fixture(scope="package")
def officer(platform: Platform, helpdesk: Person, places: Places) -> Officer:
    """Makes somebody who speaks for a city: declared by itself, approved by the helpdesk."""

    def appointed(name: str) -> tuple[Person, str]:
        person = Person(platform, f"office@{name.lower().replace(' ', '-')}.example").sign_up().sign_in()
        declared = person.post("/cities", declaration(name, places(name, "PT")))
        helpdesk.post(f"/memberships/{declared['membership']['id']}/approval", {"evidence": EVIDENCE})
        return person.renew(), declared["city"]["id"]

    return appointed
