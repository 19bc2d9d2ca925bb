"""The whole local stack: Kafka, MongoDB and mail, with topics, users and access rules from the registry."""

import asyncio
import shutil
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from pydantic import TypeAdapter, ValidationError

from contracts.common import PlatformId
from contracts.registry import OPERATOR, SERVICES, TOPICS, Topic
from infra.access import ensure_rules, ensure_users, platform_principal
from infra.local import HOST
from infra.local.errors import LocalError
from infra.local.kafka import ADMIN, Kafka
from infra.local.mongo import Mongo, database
from infra.local.ports import Ports, bindable, listening
from infra.local.process import Daemon
from infra.local.secrets import GATEWAY_KEY, Secrets
from infra.quotas import PLATFORM_BYTES_PER_SECOND, ensure_quotas
from infra.topics import ensure_topics

ROOT: Final = Path(__file__).resolve().parents[2]
"""The project's directory."""

CACHE: Final = ROOT / ".local" / "cache"
"""Downloads that all local platforms of this checkout share."""

MINIMUM_FREE_BYTES: Final = 2 * 1024**3


class LocalStack:
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
        topics: Sequence[Topic] | None = None,
    ) -> None:
        self.home = home.absolute()
        self.ports = ports or Ports()
        self.topics = TOPICS if topics is None else topics
        self.secrets = Secrets(self.home / "secrets")
        self.kafka = Kafka(self.home, cache / "kafka", self.ports, self.secrets, tls=tls)
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

    def platforms(self) -> list[str]:
        """The national platforms that have credentials here."""
        prefix = platform_principal("")
        return [name.removeprefix(prefix) for name in self.secrets.principals() if name.startswith(prefix)]

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
        if self.kafka.daemon.process is None:
            self.kafka.start()
        self.apply_registry()

    def _start_mongo(self) -> None:
        if self.mongo.daemon.process is None:
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

    def apply_registry(self) -> None:
        """Brings topics, users, access rules and quotas to what the registry says; may run while all is running."""
        platforms = self.platforms()
        principals = (*SERVICES, OPERATOR, *map(platform_principal, platforms))
        admin = self.kafka.admin()
        ensure_topics(admin, platforms, self.topics)
        ensure_users(admin, dict(self.secrets.kafka(principal) for principal in principals))
        ensure_rules(admin, platforms, self.topics)
        self._apply_quotas(platforms)

    def add_platform(self, platform: str) -> Path:
        """Opens the door for a national platform, while everything runs: topics, user, access rules, quota.

        Returns the path of a client configuration that the platform can use as it is (librdkafka's property names,
        as kcat and confluent-kafka read them). Adding it again changes nothing.

        Raises :class:`LocalError` for an id that is not a country code followed by words.
        """
        try:
            TypeAdapter(PlatformId).validate_python(platform)
        except ValidationError as error:
            raise LocalError(
                f"{platform!r} is not a platform id; write the country code first, as se-viable-cities."
            ) from error
        principal = platform_principal(platform)
        self.secrets.kafka(principal)
        self.apply_registry()
        client = self.kafka.client(principal, outside=True)
        self.secrets.put(principal, "client.properties", "".join(f"{name}={value}\n" for name, value in client.items()))
        return self.secrets.directory(principal) / "client.properties"

    def _apply_quotas(self, platforms: Sequence[str]) -> None:
        rates = {platform_principal(platform): PLATFORM_BYTES_PER_SECOND for platform in platforms}
        if not rates:
            return
        username, password = self.secrets.kafka(ADMIN)
        # A loop of its own, so that a program with a running loop can call this too.
        with ThreadPoolExecutor(1) as pool:
            pool.submit(asyncio.run, ensure_quotas(self.kafka_bootstrap, username, password, rates)).result()

    def settings_for(self, service: str, instance: int = 0) -> dict[str, str]:
        """The environment of one process of a service; its secrets are files, of which only the place is in it."""
        self.secrets.kafka(service)
        self.secrets.put(service, "mission_mongo_url", self.mongo.url(service))
        self.secrets.put(service, GATEWAY_KEY, self.secrets.get(ADMIN, GATEWAY_KEY))
        if service == "registration":
            self.secrets.get(service, "mission_key_encryption_key")
        return {
            "MISSION_ENVIRONMENT": "local",
            "MISSION_SERVICE": service,
            "MISSION_INSTANCE": str(instance),
            "MISSION_SECRETS_DIR": str(self.secrets.directory(service)),
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
        taken = [port for port, daemon in needed.items() if daemon.process is None and not bindable(port)]
        if taken:
            raise LocalError(in_use(taken))


def in_use(taken: Sequence[int]) -> str:
    """The sentence for ports that something else listens on."""
    return (
        f"Something else uses port {', '.join(map(str, taken))}; stop it, or choose other ports with"
        " MISSION_PORT_BASE, for example MISSION_PORT_BASE=18080."
    )
