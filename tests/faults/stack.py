"""The local stack with every connection of a service led through a proxy, and the supervisor for it.

``python -m tests.faults.stack --port-base 22000``: as ``mission.supervisor``, of which it is one.
"""

from typing import Final

from contracts.registry import SERVICES, STORING
from infra.broker import SCRAM_MODULE
from infra.databases import service_url
from infra.local import HOST
from infra.local.kafka import Kafka
from infra.local.ports import Ports
from infra.local.stack import LocalStack
from mission import place
from mission.supervisor import main

BEHIND: Final = 80
"""The stack's own window ends here; what follows are the broker's further listeners and the proxy's ports."""


def listener(ports: Ports, service: str) -> int:
    """The port of the broker's own listener for a service, which it advertises at the proxy's port."""
    return ports.base + BEHIND + SERVICES.index(service)


def links(ports: Ports) -> dict[str, tuple[int, int]]:
    """Every link of the proxy by name: the port that it listens on, and the one that it leads to."""
    targets = {f"kafka/{name}": listener(ports, name) for name in SERVICES}
    targets |= {f"mongo/{name}": ports.mongo for name in STORING}
    targets["smtp/notification"] = ports.smtp
    first = ports.base + BEHIND + len(SERVICES)
    return {name: (first + number, target) for number, (name, target) in enumerate(targets.items())}


class ProxiedKafka(Kafka):
    """A broker with one more listener for each service: clients go where the listener says that the broker is."""

    def _settings(self) -> dict[str, object]:
        settings = super()._settings()
        ways = links(self.ports)
        for service in SERVICES:
            name = f"VIA_{service.upper().replace('-', '_')}"
            own = f"listener.name.{name.lower()}"
            settings["listeners"] = f"{settings['listeners']},{name}://{HOST}:{listener(self.ports, service)}"
            advertised = f"{name}://{HOST}:{ways[f'kafka/{service}'][0]}"
            settings["advertised.listeners"] = f"{settings['advertised.listeners']},{advertised}"
            protocols = settings["listener.security.protocol.map"]
            settings["listener.security.protocol.map"] = f"{protocols},{name}:SASL_PLAINTEXT"
            settings[f"{own}.sasl.enabled.mechanisms"] = "SCRAM-SHA-512"
            settings[f"{own}.scram-sha-512.sasl.jaas.config"] = f"{SCRAM_MODULE} required;"
        return settings


class ProxiedStack(LocalStack):
    """The local stack whose services reach broker, database and mail server through the proxy."""

    def __init__(self, ports: Ports) -> None:
        super().__init__(place.home(), ports)
        self.kafka = ProxiedKafka(self.home, self.kafka.cache, ports, self.secrets)

    def settings_for(self, service: str, instance: int = 0) -> dict[str, str]:
        """As :meth:`LocalStack.settings_for`, with the proxy's addresses."""
        ways = links(self.ports)
        settings = super().settings_for(service, instance)
        settings["MISSION_KAFKA_BOOTSTRAP"] = f"{HOST}:{ways[f'kafka/{service}'][0]}"
        settings["MISSION_SMTP_PORT"] = str(ways["smtp/notification"][0])
        if service in STORING:
            # Directly: a member of the replica set would be looked for where the set's configuration says it is.
            url = service_url(service, self.secrets, f"{HOST}:{ways[f'mongo/{service}'][0]}")
            settings["MISSION_MONGO_URL"] = f"{url}&directConnection=true"
        return settings


if __name__ == "__main__":
    main(ProxiedStack)
