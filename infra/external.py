"""The local stack with a Kafka cluster and a MongoDB that run elsewhere and are given to the tests for themselves."""

import os
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from confluent_kafka import KafkaError, KafkaException
from pymongo import MongoClient

from contracts.registry import SERVICES, TOPICS
from infra.broker import ADMIN
from infra.databases import database, hello
from infra.local.errors import LocalError, NotOurs
from infra.local.kafka import Kafka
from infra.local.mongo import Mongo
from infra.local.ports import Ports
from infra.local.stack import LocalStack
from infra.topics import TIMEOUT, wait_until

KAFKA, PLATFORMS = "MISSION_TEST_KAFKA", "MISSION_TEST_KAFKA_PLATFORMS"
PASSWORD = "MISSION_TEST_KAFKA_ADMIN_PASSWORD"  # noqa: S105  # the name of the variable
MONGO = "MISSION_TEST_MONGO"


class ExternalKafka(Kafka):
    """A cluster whose super user is ``admin`` and whose listeners ask for SASL/SCRAM-SHA-512."""

    def start(self, timeout: float = 30) -> None:
        """Sees that the cluster answers, and takes away the topics of an earlier run.

        Raises :class:`LocalError` when it does not answer.
        """
        if not self.answers(timeout=timeout):
            raise LocalError(f"Kafka at {self.bootstrap} does not let {ADMIN!r} sign in; see {KAFKA} and {PASSWORD}.")
        admin = self.admin()
        ours = {topic.name for topic in TOPICS}
        present = admin.list_topics(timeout=TIMEOUT).topics
        old = [name for name in present if name in ours or name.startswith("national-platforms.")]
        for future in admin.delete_topics(old, request_timeout=TIMEOUT).values() if old else ():
            try:
                future.result()
            except KafkaException as error:
                if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                    raise
        wait_until(lambda: not admin.list_topics(timeout=TIMEOUT).topics.keys() & set(old))

    def stop(self) -> None:
        """Leaves the cluster as it is."""

    def kill(self) -> None:
        """Raises :class:`NotOurs`."""
        raise NotOurs(f"Kafka at {self.bootstrap} runs elsewhere and is not ended by a test.")


class ExternalMongo(Mongo):
    """A replica set, reached by an administrator's connection string."""

    @property
    def admin_url(self) -> str:
        """The connection string of the administrator."""
        return os.environ[MONGO]

    @property
    def address(self) -> str:
        """Where the servers are, ``host:port``, by comma."""
        return urlsplit(self.admin_url).netloc.rpartition("@")[2]

    def url(self, service: str) -> str:
        """The connection string of a service's own user for its own database."""
        name = database(service)
        password = quote(self.secrets.get(service, "mission_mongo_password"))
        options = [each for each in urlsplit(self.admin_url).query.split("&") if not each.startswith("authSource=")]
        return f"mongodb://{name}:{password}@{self.address}/{name}?{'&'.join([*options, f'authSource={name}'])}"

    def start(self, timeout: float = 30) -> None:
        """Sees that the server accepts writes, and takes away the databases of an earlier run.

        Raises :class:`LocalError` when it does not.
        """
        client: MongoClient[dict[str, Any]]
        with MongoClient(self.admin_url, serverSelectionTimeoutMS=int(timeout * 1000)) as client:
            if not hello(client).get("isWritablePrimary"):
                raise LocalError(f"MongoDB does not answer as a replica set that takes writes; see {MONGO}.")
            for service in SERVICES:
                client.drop_database(database(service))

    def stop(self) -> None:
        """Leaves the server as it is."""

    def kill(self) -> None:
        """Raises :class:`NotOurs`."""
        raise NotOurs("MongoDB runs elsewhere and is not ended by a test.")


class ExternalStack(LocalStack):
    """As :class:`LocalStack`, on servers named by the environment; mail stays a process of this machine.

    They are the tests' own for the run: their topics and the services' databases are emptied first, users and access
    rules are made. Raises :class:`LocalError` when a variable is missing.
    """

    def __init__(self, home: Path, ports: Ports) -> None:
        check()
        super().__init__(home, ports)
        self.secrets.put(ADMIN, "mission_kafka_password", os.environ[PASSWORD])
        self.kafka = ExternalKafka(self.home, home, self.ports, self.secrets)
        self.kafka.bootstrap = os.environ[KAFKA]
        self.kafka.platforms_bootstrap = os.environ.get(PLATFORMS, self.kafka.bootstrap)
        self.mongo = ExternalMongo(self.home, home, self.ports, self.secrets)


def check() -> None:
    """Raises :class:`LocalError` when a variable is missing."""
    if missing := [name for name in (KAFKA, PASSWORD, MONGO) if not os.environ.get(name)]:
        raise LocalError(f"--stack=external needs {', '.join(missing)}; docs/how-to/run-the-tests-elsewhere.md")
