"""A Kafka broker as its administrators see it: where it is, how one signs in, and how it is set."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from contracts.registry import MAX_DEAD_LETTER_BYTES
from infra.access import ensure_users
from infra.local.secrets import Secrets

ADMIN: Final = "admin"
"""The broker's super user: it makes topics, users and access rules, and is given to no service."""

HEADROOM: Final = 64 * 1024
"""Room for headers and batch overhead above the largest record."""

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
"""What every broker of one node has, wherever it runs."""

_SECURITY: Final = "org.apache.kafka.common.security"
SCRAM_MODULE: Final = f"{_SECURITY}.scram.ScramLoginModule"


def listener_settings(
    secrets: Secrets,
    *,
    internal: str,
    platforms: str,
    controller: str,
    log_dirs: str,
    listening_on: tuple[str, str] | None = None,
    server_certificate: Path | None = None,
) -> dict[str, object]:
    """The settings of a broker whose listeners are advertised at ``internal`` and ``platforms`` (``host:port``).

    ``listening_on`` are the addresses to bind when they are others, as behind published ports. With a
    ``server_certificate`` (PEM: key and chain) the platforms' listener uses TLS.
    """
    _, password = secrets.kafka(ADMIN)
    controller_password = secrets.get(ADMIN, "kafka_controller_password")
    bind_internal, bind_platforms = listening_on or (internal, platforms)
    settings: dict[str, object] = {
        **SETTINGS,
        "log.dirs": log_dirs,
        "listeners": f"INTERNAL://{bind_internal},PLATFORMS://{bind_platforms},CONTROLLER://{controller}",
        "advertised.listeners": f"INTERNAL://{internal},PLATFORMS://{platforms}",
        "controller.quorum.voters": f"1@{controller}",
        "listener.security.protocol.map": "INTERNAL:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT,"
        f"PLATFORMS:{'SASL_SSL' if server_certificate else 'SASL_PLAINTEXT'}",
        "listener.name.internal.scram-sha-512.sasl.jaas.config": f"{SCRAM_MODULE} required"
        f' username="{ADMIN}" password="{password}";',
        "listener.name.platforms.scram-sha-512.sasl.jaas.config": f"{SCRAM_MODULE} required;",
        "listener.name.controller.plain.sasl.jaas.config": _plain(controller_password),
    }
    if server_certificate:
        settings["listener.name.platforms.ssl.keystore.type"] = "PEM"
        settings["listener.name.platforms.ssl.keystore.location"] = server_certificate
    return settings


def first_sign_in(secrets: Secrets) -> dict[str, object]:
    """Further settings of a broker whose image prepares the data directory itself, without any user.

    The super user then signs in by PLAIN on the internal listener, and makes the SCRAM users, itself among them.
    """
    return {
        "sasl.mechanism.inter.broker.protocol": "PLAIN",
        "listener.name.internal.sasl.enabled.mechanisms": "SCRAM-SHA-512,PLAIN",
        "listener.name.internal.plain.sasl.jaas.config": _plain(secrets.kafka(ADMIN)[1]),
    }


def _plain(password: str) -> str:
    module = f"{_SECURITY}.plain.PlainLoginModule"
    return f'{module} required username="{ADMIN}" password="{password}" user_{ADMIN}="{password}";'


def properties(settings: Mapping[str, object]) -> str:
    """The settings as a ``server.properties`` file."""
    return "".join(f"{key}={value}\n" for key, value in settings.items())


class Broker:
    """Where a broker is and how principals sign in, by the passwords in ``secrets``."""

    def __init__(self, bootstrap: str, platforms_bootstrap: str, secrets: Secrets) -> None:
        self.bootstrap = bootstrap
        """Address for our own services, ``host:port``."""
        self.platforms_bootstrap = platforms_bootstrap
        """Address for the national platforms, ``host:port``."""
        self.secrets = secrets

    @property
    def ca_file(self) -> Path | None:
        """The certificate that vouches for the platforms' listener, when that uses TLS."""
        return None

    def client(
        self, principal: str = ADMIN, *, outside: bool = False, mechanism: str = "SCRAM-SHA-512"
    ) -> dict[str, str | int | float | bool]:
        """A confluent-kafka configuration that signs in as ``principal``; ``outside`` by the platforms' listener."""
        username, password = self.secrets.kafka(principal)
        tls = self.ca_file if outside else None
        configuration: dict[str, str | int | float | bool] = {
            "bootstrap.servers": self.platforms_bootstrap if outside else self.bootstrap,
            "security.protocol": "SASL_SSL" if tls else "SASL_PLAINTEXT",
            "sasl.mechanism": mechanism,
            "sasl.username": username,
            "sasl.password": password,
        }
        if tls:
            configuration["ssl.ca.location"] = str(tls)
        return configuration

    def aiokafka(self, principal: str = ADMIN, *, outside: bool = False) -> dict[str, Any]:
        """aiokafka's options that sign in as ``principal``, where the listener has no TLS."""
        username, password = self.secrets.kafka(principal)
        return {
            "bootstrap_servers": self.platforms_bootstrap if outside else self.bootstrap,
            "security_protocol": "SASL_PLAINTEXT",
            "sasl_mechanism": "SCRAM-SHA-512",
            "sasl_plain_username": username,
            "sasl_plain_password": password,
        }

    def admin(self, mechanism: str = "SCRAM-SHA-512") -> AdminClient:
        """An administration client with all rights."""
        return AdminClient(self.client(mechanism=mechanism), logger=_silent)

    def answers(self, mechanism: str = "SCRAM-SHA-512", timeout: float = 1) -> bool:
        """Whether the super user can sign in now; waits at most ``timeout`` seconds for that."""
        try:
            return bool(self.admin(mechanism).list_topics(timeout=timeout).brokers)
        except KafkaException:
            return False

    def make_super_user(self) -> None:
        """Makes the super user's SCRAM credentials where :func:`first_sign_in` lets it in without."""
        username, password = self.secrets.kafka(ADMIN)
        ensure_users(self.admin("PLAIN"), {username: password})


_silent = logging.getLogger("infra.broker.client")
_silent.addHandler(logging.NullHandler())
_silent.propagate = False
