"""The whole local stack: Kafka, MongoDB and mail, with topics, users and access rules from the registry."""

import shutil
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from pymongo.errors import PyMongoError

from contracts.registry import SERVICES, TOPICS, Topic
from infra.databases import ask, database
from infra.local import HOST
from infra.local.errors import LocalError
from infra.local.kafka import Kafka
from infra.local.mongo import Mongo
from infra.local.ports import Ports, bindable, listening
from infra.local.process import Daemon
from infra.local.secrets import Secrets
from infra.stack import Stack, service_secrets

ROOT: Final = Path(__file__).resolve().parents[2]
"""The project's directory."""

CACHE: Final = ROOT / ".local" / "cache"
"""Downloads that all local platforms of this checkout share."""

MINIMUM_FREE_BYTES: Final = 2 * 1024**3


class LocalStack(Stack):
    """Everything that the services need on this machine, with its data under ``home``.

    ``tls`` encrypts the platforms' listener; ``topics`` is the registry to serve.
    """

    def __init__(
        self,
        home: Path,
        ports: Ports | None = None,
        *,
        cache: Path = CACHE,
        tls: bool = False,
        topics: Sequence[Topic] = TOPICS,
    ) -> None:
        self.home = home.absolute()
        self.ports = ports or Ports()
        secrets = Secrets(self.home / "secrets")
        self.kafka: Kafka = Kafka(self.home, cache / "kafka", self.ports, secrets, tls=tls)
        super().__init__(self.kafka, secrets, topics)
        self.mongo = Mongo(self.home, cache, self.ports, self.secrets)
        self.maildir = self.home / "mail"
        self.mail = Daemon(
            "Mail",
            [sys.executable, "-m", "infra.local.mail", f"--port={self.ports.smtp}", f"--maildir={self.maildir}"],
            self.home / "logs" / "mail.log",
            self.home / "run" / "mail.pid",
        )

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def kafka_bootstrap(self) -> str:
        """Kafka's address for our own services."""
        return self.kafka.bootstrap

    @property
    def platforms_bootstrap(self) -> str:
        """Kafka's address for the national platforms."""
        return self.kafka.platforms_bootstrap

    @property
    def smtp_port(self) -> int:
        """The port of the development mail server."""
        return self.ports.smtp

    @property
    def public_url(self) -> str:
        """Where browsers find the platform."""
        return f"http://{HOST}:{self.ports.gateway}"

    @property
    def clock_file(self) -> Path:
        """The file that shifts the clock of all services of this platform."""
        return self.home / "clock.json"

    @property
    def daemons(self) -> tuple[Daemon, Daemon, Daemon]:
        """The stack's processes, in the order in which they are stopped."""
        return self.mail, self.mongo.daemon, self.kafka.daemon

    def start(self) -> None:
        """Starts what is not running, and brings topics, users and access rules to what the registry says.

        Raises :class:`LocalError`, with everything stopped again, when a part does not come up.
        """
        self._check()
        try:
            with ThreadPoolExecutor() as pool:
                for future in [pool.submit(start) for start in (self._start_kafka, self._start_mongo, self.start_mail)]:
                    future.result()
        except BaseException:
            self.stop()
            raise

    def _start_kafka(self) -> None:
        if self.kafka.daemon.pid is None:
            self.kafka.start()
        self.apply_registry()

    def _start_mongo(self) -> None:
        if self.mongo.daemon.pid is None:
            self.mongo.start()
        self.mongo.ensure_users(SERVICES)

    def start_mail(self) -> None:
        """Starts the mail server, when it is not running."""
        if self.mail.process is None:
            self.maildir.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.mail.spawn(cwd=ROOT)
            self.mail.wait_until(lambda: listening(self.smtp_port))

    def stop(self) -> None:
        """Ends all processes of the stack in an orderly way; the data stays."""
        for stop in (self.mail.stop, self.mongo.stop, self.kafka.stop):
            stop()

    def clean(self) -> None:
        """Stops the stack and removes all its data, secrets included."""
        self.stop()
        for name in ("kafka", "mongo", "mail", "secrets", "tls", "logs", "run", "traces", "clock.json"):
            path = self.home / name
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    def ask(self, service: str, *commands: Mapping[str, Any]) -> list[dict[str, Any]]:
        """As :meth:`Stack.ask`, by a connection to the database."""
        try:
            return ask(self.mongo.url(service), database(service), commands)
        except PyMongoError as error:
            raise LocalError(
                f"The database of {service} does not answer ({type(error).__name__}); `make status` shows more."
            ) from error

    def settings_for(self, service: str, instance: int = 0) -> dict[str, str]:
        """The environment of one process of a service; its secrets are files, of which only the place is in it."""
        directory = service_secrets(self.secrets, service, self.mongo.url(service))
        return {
            "MISSION_ENVIRONMENT": "local",
            "MISSION_SERVICE": service,
            "MISSION_INSTANCE": str(instance),
            "MISSION_SECRETS_DIR": str(directory),
            "MISSION_KAFKA_BOOTSTRAP": self.kafka_bootstrap,
            "MISSION_KAFKA_PROTOCOL": "SASL_PLAINTEXT",
            "MISSION_MONGO_DATABASE": database(service),
            "MISSION_CLOCK_FILE": str(self.clock_file),
            "MISSION_PUBLIC_URL": self.public_url,
            "MISSION_SMTP_HOST": HOST,
            "MISSION_SMTP_PORT": str(self.smtp_port),
            "MISSION_TRACES_FILE": str(self.home / "traces" / f"{service}-{instance}.jsonl"),
        }

    def _check(self) -> None:
        """Refuses to start where it could not end well: no room on the disk, or a port that is in use."""
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        free = shutil.disk_usage(self.home).free
        if free < MINIMUM_FREE_BYTES:
            raise LocalError(
                f"Only {free / 1024**3:.1f} GB are free on the disk of {self.home}; free"
                f" {MINIMUM_FREE_BYTES / 1024**3:.0f} GB and try again."
            )
        needed = {
            self.ports.kafka: self.kafka.daemon,
            self.ports.kafka_platforms: self.kafka.daemon,
            self.ports.kafka_controller: self.kafka.daemon,
            self.ports.mongo: self.mongo.daemon,
            self.ports.smtp: self.mail,
        }
        taken = [port for port, daemon in needed.items() if daemon.pid is None and not bindable(port)]
        if taken:
            raise LocalError(in_use(taken))


def in_use(taken: Sequence[int]) -> str:
    """The sentence for ports that something else listens on."""
    return (
        f"Something else uses port {', '.join(map(str, taken))}; stop it, or choose other ports with"
        " MISSION_PORT_BASE, for example MISSION_PORT_BASE=18080."
    )
