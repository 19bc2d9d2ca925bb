"""People, cities, sessions and calls as other services tell of them, and the mails that come of it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email import message_from_binary_file, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from contracts import cohort_selection as selection
from contracts import events_calendar as calendar
from contracts import registration
from contracts.common import Admission, AttendanceMode, Location, PlannedMoment, Span, human
from contracts.envelope import Event
from shared.ids import new_id
from shared.testing import Topics, eventually

NOW = datetime.now(UTC)


def person(id: str, mail: str, locale: str = "en", zone: str = "Europe/Brussels", **names: str) -> Event:
    return registration.PersonRecorded(
        person_id=id,
        state=registration.PersonState.REGISTERED,
        mail_address=mail,
        mail_verified_at=NOW,
        locale=locale,
        time_zone=zone,
        **names,
    )


def city(id: str, name: str = "Illustrative Town", country: str = "PT") -> Event:
    place = registration.Place(source="geonames", code="1", name=name, country=country, latitude=41, longitude=-8)
    authority = registration.Authority(
        name=name,
        kind=registration.CityKind.MUNICIPALITY,
        country=country,
        places=(place,),
        time_zone="Europe/Lisbon",
    )
    return registration.CityRegistered(city_id=id, authority=authority, origin="self-registered")


def membership(city_id: str, person_id: str, id: str | None = None) -> dict[str, str]:
    return {"membership_id": id or new_id("mem"), "city_id": city_id, "person_id": person_id, "role": "representative"}


def approved(city_id: str, person_id: str, id: str | None = None) -> Event:
    return registration.MembershipApproved(
        **membership(city_id, person_id, id), approved_by=None, evidence=registration.Evidence(kind="official-list")
    )


def session(title: str = "Orientation", *, days: int = 30, zone: str = "Europe/Brussels") -> calendar.Session:
    starts = (datetime.now() + timedelta(days=days)).replace(hour=10, minute=0, second=0, microsecond=0)  # noqa: DTZ005
    span = Span(starts=PlannedMoment.of(starts, zone), ends=PlannedMoment.of(starts + timedelta(hours=2), zone))
    return calendar.Session(
        kind="orientation", title=human(en=title, pt=f"{title} (pt)", de=f"{title} (de)"), span=span
    )


def on_site(held: calendar.Session) -> calendar.Session:
    place = Location(name="Town Hall", city="Leuven", country="BE")
    return held.model_copy(update={"attendance_mode": AttendanceMode.ONSITE, "location": place})


def booking(session_id: str, id: str | None = None, **holder: str) -> dict[str, Any]:
    return {"booking_id": id or new_id("bkg"), "session_id": session_id, "session_kind": "orientation"} | holder


def call(id: str, owner: str) -> selection.CallPublished:
    opens = PlannedMoment.of(datetime(2030, 3, 1, 9, 0), "Europe/Brussels")  # noqa: DTZ001
    closes = PlannedMoment.of(datetime(2030, 6, 30, 17, 0), "Europe/Brussels")  # noqa: DTZ001
    rule = selection.EligibilityRule(
        code="neutral-by-2050",
        kind="neutral-by",
        limit=2050,
        sentence=human(en="The city is neutral by 2050.", de="Die Stadt ist bis 2050 klimaneutral."),
    )
    return selection.CallPublished(
        call_id=id,
        programme="twinning",
        cohort="cohort-6",
        title=human(en="Twinning, cohort 6", pt="Twinning, coorte 6", de="Twinning, Kohorte 6"),
        summary=human(en="Learn from another city."),
        admission=Admission.SELECTED,
        phases=(selection.PlannedPhase(phase="application", begins=opens, ends=closes),),
        rules=selection.Rules(
            version=1,
            window=selection.Window(opens=opens, closes=closes),
            eligibility=(rule,),
            places=20,
            offers=selection.Offers(days=10),
        ),
        owner=owner,
    )


class Mails:
    """The mails that a server accepted, as their receivers read them."""

    def __init__(self, maildir: Path) -> None:
        self._folder = maildir / "new"
        self._read: dict[str, EmailMessage] = {}

    def all(self, address: str) -> list[EmailMessage]:
        """Everything that has arrived at an address, in order."""
        if self._folder.exists():
            for path in sorted(self._folder.iterdir(), key=lambda one: one.stat().st_mtime_ns):
                if path.name not in self._read:
                    with path.open("rb") as file:
                        mail = message_from_binary_file(file, policy=policy.default)
                    assert isinstance(mail, EmailMessage)
                    self._read[path.name] = mail
        return [mail for mail in self._read.values() if mail["To"].addresses[0].addr_spec == address]

    async def to(self, address: str, count: int = 1) -> list[EmailMessage]:
        """Waits for this many mails to an address, and fails when there are more."""

        async def arrived() -> list[EmailMessage]:
            found = self.all(address)
            return found if len(found) >= count else []

        found = await eventually(arrived, f"{count} mails to {address}")
        assert len(found) == count, [mail["Subject"] for mail in found]
        return found

    async def one(self, address: str) -> EmailMessage:
        """The only mail to an address."""
        return (await self.to(address))[0]


def plain(mail: EmailMessage) -> str:
    """The mail's text."""
    part = mail.get_body(("plain",))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


class OwnServer:
    """A mail server of the test's own: ``answers`` are what it says to addresses that it does not take."""

    def __init__(self) -> None:
        self.answers: dict[str, str] = {}
        self.accepted: list[EmailMessage] = []
        self.connections = 0

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        self.connections += 1
        return responses

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.answers:
            return self.answers[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        from email import message_from_bytes

        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.accepted.append(mail)
        return "250 OK"

    def to(self, address: str) -> list[EmailMessage]:
        return [mail for mail in self.accepted if mail["To"].addresses[0].addr_spec == address]

    @contextmanager
    def listening(self, port: int) -> Iterator[None]:
        """Takes mail while the block runs."""
        controller = Controller(self, hostname="127.0.0.1", port=port)
        controller.start()
        try:
            yield
        finally:
            controller.stop()


async def settled(topics: Topics, *messages: str) -> None:
    """Waits until the delivery of these messages has come to an end."""

    async def ended() -> bool:
        found = await topics.read("notification.messages")
        ends = {"sent", "failed", "bounced", "suppressed"}
        states = {e.attributes.subject for e in found if getattr(e.event, "state", None) in ends}
        return set(messages) <= states

    await eventually(ended, "the delivery has ended")


def spans(file: Path, trace: str) -> list[dict[str, Any]]:
    """The finished spans of one trace."""
    found = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    return [span for span in found if span["trace_id"] == trace]
