"""The local stack with Kafka and MongoDB in containers that testcontainers starts, for tests where Docker runs."""

import os
import time
from pathlib import Path
from typing import Any, Final

import docker
from docker.errors import DockerException
from pymongo import MongoClient
from testcontainers.core.container import DockerContainer

from infra.broker import first_sign_in, listener_settings, properties
from infra.compose import MONGO_USER
from infra.databases import ADMIN, CACHE_GB, OPLOG_MB, REPLICA_SET, hello, initiate
from infra.local import HOST
from infra.local.errors import LocalError
from infra.local.kafka import Kafka
from infra.local.mongo import Mongo
from infra.local.ports import Ports, listening
from infra.local.process import Daemon
from infra.local.secrets import Secrets
from infra.local.stack import LocalStack

KAFKA_IMAGE: Final = "apache/kafka:4.3.1"
MONGO_IMAGE: Final = "mongo:7"

KEYED: Final = 'umask 077; head -c 96 /dev/urandom | base64 -w 0 > /tmp/keyfile; exec docker-entrypoint.sh "$@"'
"""A replica set with users asks for a key file, also of one member alone; it has to belong to the server's user."""


def check() -> None:
    """Raises :class:`LocalError` when no Docker engine answers."""
    try:
        docker.from_env().ping()
    except DockerException as error:
        raise LocalError(
            "Docker does not answer, and --stack=containers needs it: start it, or say where it is with DOCKER_HOST;"
            " --stack=local needs none."
        ) from error


class ContainerDaemon(Daemon):
    """A container in the place of a child process. It is removed with its data when it is stopped."""

    def __init__(self, name: str, container: DockerContainer, home: Path) -> None:
        super().__init__(name, [], home / "logs" / f"{name.lower()}.log", home / "run" / f"{name.lower()}.pid")
        self._container = container
        self._created = False

    @property
    def pid(self) -> int | None:
        """The id that the engine gives the container's first process, while it runs."""
        if not self._created:
            return None
        container = self._container.get_wrapped_container()
        container.reload()
        state = container.attrs["State"]
        if state["Running"]:
            return int(state["Pid"])
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.log.write_bytes(container.logs())
        return None

    def run(self) -> None:
        """Starts the container, the same one again when it was killed."""
        if self._created:
            self._container.get_wrapped_container().start()
        else:
            self._container.start()
            self._created = True

    def stop(self, timeout: float = 20) -> None:
        """Removes the container and its volumes."""
        if self._created:
            self._created = False
            self._container.stop()

    def kill(self) -> None:
        """Ends the container at once, as a crash would (SIGKILL); :meth:`run` takes its data up again."""
        if self.pid is not None:
            self._container.get_wrapped_container().kill()
        while self.pid is not None:
            time.sleep(0.05)


def _published(container: DockerContainer, *ports: int) -> DockerContainer:
    """Opens ports on loopback, under the same numbers outside as inside: what is advertised then holds for both."""
    for port in ports:
        address: Any = (HOST, port)  # the annotation knows a number only; Docker's client knows addresses too
        container.ports[str(port)] = address
    return container


class ContainerKafka(Kafka):
    """One broker in a container, set as the one without."""

    def __init__(self, home: Path, cache: Path, ports: Ports, secrets: Secrets) -> None:
        super().__init__(home, cache, ports, secrets)
        settings = listener_settings(
            secrets,
            internal=self.bootstrap,
            platforms=self.platforms_bootstrap,
            controller=f"{HOST}:{ports.kafka_controller}",
            log_dirs="/var/lib/kafka/data",
            listening_on=(f":{ports.kafka}", f":{ports.kafka_platforms}"),
        )
        file = properties({**settings, **first_sign_in(secrets)}).encode()
        container = DockerContainer(KAFKA_IMAGE).with_copy_into_container(file, "/mnt/shared/config/server.properties")
        container = container.with_env("KAFKA_HEAP_OPTS", "-Xms128m -Xmx512m")
        self.container = ContainerDaemon("Kafka", _published(container, ports.kafka, ports.kafka_platforms), self.home)
        self.daemon = self.container

    def start(self, timeout: float = 120) -> None:
        """Starts the broker and waits until it answers; takes up the data of a killed one."""
        self.container.run()
        self.daemon.wait_until(lambda: listening(self.ports.kafka) and listening(self.ports.kafka_platforms), timeout)
        self.daemon.wait_until(lambda: self.answers("PLAIN"), timeout)
        self.make_super_user()
        self.daemon.wait_until(self.answers, timeout)


class ContainerMongo(Mongo):
    """One ``mongod`` in a container: a replica set of one node with authentication."""

    def __init__(self, home: Path, cache: Path, ports: Ports, secrets: Secrets) -> None:
        super().__init__(home, cache, ports, secrets)
        self._password = secrets.get(ADMIN, "mongo_password")
        options = {
            "--port": self.port,
            "--replSet": REPLICA_SET,
            "--keyFile": "/tmp/keyfile",  # noqa: S108  # inside its container, where nobody else is
            "--wiredTigerCacheSizeGB": CACHE_GB,
            "--oplogSize": OPLOG_MB,
        }
        container = (
            DockerContainer(MONGO_IMAGE)
            .with_env("MONGO_INITDB_ROOT_USERNAME", ADMIN)
            .with_env("MONGO_INITDB_ROOT_PASSWORD", self._password)
            .with_kwargs(entrypoint=["bash", "-c", KEYED, "mongo"], user=f"{MONGO_USER}:{MONGO_USER}")
            .with_command(["mongod", "--bind_ip_all", *(str(part) for option in options.items() for part in option)])
        )
        self.container = ContainerDaemon("MongoDB", _published(container, self.port), self.home)
        self.daemon = self.container

    def start(self, timeout: float = 120) -> None:
        """Starts the server and waits until it accepts writes; takes up the data of a killed one."""
        self.container.run()
        client: MongoClient[dict[str, Any]]
        with MongoClient(
            HOST, self.port, directConnection=True, username=ADMIN, password=self._password, connectTimeoutMS=2_000
        ) as client:
            self.daemon.wait_until(lambda: bool(hello(client)), timeout)
            initiate(client, self.address)
            self.daemon.wait_until(lambda: bool(hello(client).get("isWritablePrimary")), timeout)


class ContainerStack(LocalStack):
    """As :class:`LocalStack`, with Kafka and MongoDB in containers; mail stays a process of this machine.

    Raises :class:`LocalError` when no Docker engine answers.
    """

    def __init__(self, home: Path, ports: Ports) -> None:
        check()
        super().__init__(home, ports)
        cache = Path(os.devnull)  # what containers run is in their images
        self.kafka = ContainerKafka(self.home, cache, self.ports, self.secrets)
        self.mongo = ContainerMongo(self.home, cache, self.ports, self.secrets)
