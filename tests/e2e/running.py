"""A whole platform as an operator runs it: started and stopped by the command line, with its own data and ports."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx

from contracts.registry import STORING
from infra.local.ports import Ports
from infra.local.process import Daemon, tail
from infra.local.stack import ROOT, LocalStack
from mission.demo.mails import Mail, Maildir
from mission.groups import groups
from mission.place import State
from mission.supervisor import environment

T = TypeVar("T")
SECONDS: Final = 30.0
COMMAND_SECONDS: Final = 180
WIDE: Final = {"COLUMNS": "400"}
POLL_SECONDS: Final = 0.05
SETTINGS: Final = {
    # Everybody comes from one address here, and much faster than people do.
    "MISSION_ADDRESS_RATE": "0",
    "MISSION_PERSON_RATE": "0",
    # The directory of all places takes a minute to load.
    "MISSION_SMALLEST_PLACE": "5000",
}


def eventually(condition: Callable[[], T], what: str | Callable[[], str], seconds: float = SECONDS) -> T:
    """Asks again until the condition is true, and returns its value.

    Raises :class:`AssertionError` after the deadline; ``what`` says what was waited for, and may say what was there.
    """
    deadline = time.monotonic() + seconds
    while True:
        if value := condition():
            return value
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what if isinstance(what, str) else what()}"
        time.sleep(POLL_SECONDS)


class Mailboxes:
    """Everybody's delivered mail, read out of the Maildir."""

    def __init__(self, maildir: Path) -> None:
        self._source = Maildir(maildir)
        self._found: list[Mail] = []
        self._used: set[int] = set()

    def all(self) -> list[Mail]:
        """Every mail that was delivered so far."""
        self._found += self._source.new()
        return self._found

    def to(self, address: str) -> list[Mail]:
        """What somebody has received so far."""
        return [mail for mail in self.all() if mail.to.lower() == address.lower()]

    def next_with_link(self, address: str, path: str) -> tuple[Mail, str]:
        """Waits for somebody's next mail with a link whose address holds ``path``; each mail is found once."""

        def found() -> tuple[Mail, str] | None:
            for mail in self.to(address):
                for link in mail.links():
                    if path in link and id(mail) not in self._used:
                        self._used.add(id(mail))
                        return mail, link
            return None

        mail = eventually(found, f"a mail with a link to {path} reaches {address}")
        assert mail is not None
        return mail

    def link(self, address: str, path: str) -> str:
        """The link of the next such mail."""
        return self.next_with_link(address, path)[1]


class Platform:
    """The running platform. ``settings`` is the environment of its command line, ``root`` where its code is."""

    def __init__(self, settings: Mapping[str, str], root: Path = ROOT) -> None:
        self._root = root
        self.environment = dict(settings)
        self.home = Path(settings["MISSION_HOME"])
        self.url = f"http://127.0.0.1:{settings['MISSION_PORT_BASE']}"
        self.api = f"{self.url}/api/v1"
        self.mails = Mailboxes(self.home / "mail")

    @property
    def stack(self) -> LocalStack:
        """The broker and the stores that it stands on."""
        return LocalStack(self.home, Ports(int(self.environment["MISSION_PORT_BASE"])))

    def run(self, *arguments: str, wide: bool = False) -> str:
        """Types a command of ``mission`` and returns what it prints; it must succeed. ``wide`` wraps no table."""
        return self._run("mission", *arguments, more=WIDE if wide else None)

    def fail(self, *arguments: str, wide: bool = False) -> subprocess.CompletedProcess[str]:
        """The same for a command that must end with 1."""
        result = self._type("mission", *arguments, more=WIDE if wide else None)
        assert result.returncode == 1, f"{arguments}: {result.stdout}{result.stderr}"
        return result

    def make_operator(self, mail: str, password: str) -> None:
        """Makes the first administrator, as the documentation says: in registration's own environment."""
        settings = environment(self.stack, "registration", 0, {})
        self._run("services.registration.bootstrap", "--mail", mail, "--password-stdin", text=password, more=settings)

    def _run(self, module: str, *arguments: str, text: str = "", more: Mapping[str, str] | None = None) -> str:
        result = self._type(module, *arguments, text=text, more=more)
        assert result.returncode == 0, f"{module} {' '.join(arguments)}: {result.stdout}{result.stderr}"
        return result.stdout

    def _type(
        self, module: str, *arguments: str, text: str = "", more: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", module, *arguments],
            input=text,
            env={**self.environment, **(more or {})},
            cwd=self._root,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
        )

    def rows(self, service: str, collection: str, **wanted: Any) -> list[dict[str, Any]]:
        """What a service keeps in a collection, past its door, by id."""
        ask = {"find": collection, "filter": wanted, "sort": {"_id": 1}, "batchSize": 10_000}
        (found,) = self.stack.ask(service, ask)
        batch: list[dict[str, Any]] = found["cursor"]["firstBatch"]
        return batch

    def present(self, service: str, projection: str) -> str:
        """The collection that holds the present generation of a service's projection."""
        (pointer,) = self.rows(service, "generations", _id="present")
        generation = pointer["generation"]
        return f"{projection}~{generation}" if generation > 1 else projection

    def client(self, **options: Any) -> httpx.Client:
        """An HTTP client at the platform's door."""
        return httpx.Client(base_url=self.url, timeout=60, **options)

    def process(self, name: str) -> Daemon:
        """A process of the platform, such as ``registration-0`` or ``supervisor``."""
        return Daemon(name, [], self.home / "logs" / f"{name}.log", self.home / "run" / f"{name}.pid")

    def state(self) -> State:
        """What the supervisor knows."""
        return State.model_validate_json((self.home / "run" / "state.json").read_text())

    def ready(self) -> bool:
        """Whether the platform can be used."""
        try:
            return httpx.get(f"{self.url}/health/ready", timeout=10).status_code == 200
        except httpx.TransportError:
            return False

    def at_rest(self) -> bool:
        """Whether nothing is on its way any more: all that was written is published, taken by everybody and mailed."""
        before = groups(self.stack)
        if any(group.behind for group in before) or self.rows("notification", "mails"):
            return False
        if any(self.rows(service, "outbox", published=False) for service in STORING):
            return False
        # What waits for something that has come by now; behind a dead letter nothing goes on by itself.
        if any(self.rows(service, "inbox", waiting={"$gt": 0}, blocked_by=None) for service in STORING):
            return False
        # What an outbox published meanwhile may not have been taken, or has led to more.
        return groups(self.stack) == before

    def spans(self, process: str) -> Iterator[dict[str, Any]]:
        """The finished spans of a process so far."""
        for line in (self.home / "traces" / f"{process}.jsonl").read_text().splitlines():
            yield json.loads(line)

    def logs(self, lines: int = 15) -> str:
        """The last lines of the logs of the services and their supervisor."""
        files = [*sorted((self.home / "logs").glob("*-*.log")), self.home / "logs" / "supervisor.log"]
        return "\n\n".join(f"== {file.name}\n{tail(file, lines)}" for file in files)
