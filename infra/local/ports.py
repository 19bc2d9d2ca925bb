"""The one table of ports: everything listens on loopback, in one window that starts at the base port.

Two checkouts run side by side when their bases lie :data:`WINDOW` or more apart (``MISSION_PORT_BASE``).
"""

import os
import random
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from contracts.registry import SERVICES
from infra.local import HOST
from infra.local.errors import LocalError

DEFAULT_BASE: Final = 8080
INSTANCES: Final = 10
"""Most instances of one service on one machine."""

WINDOW: Final = 20 + INSTANCES * len(SERVICES)
FREE_BASES: Final = range(20_000, 32_000, 100)
"""Below the range that the system hands to outgoing connections, so that a stopped broker's port stays free."""


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports of one local platform, all derived from the base."""

    base: int = DEFAULT_BASE

    @classmethod
    def from_environment(cls) -> "Ports":
        """The ports chosen by ``MISSION_PORT_BASE``. Raises :class:`LocalError` when that is not a usable number."""
        value = os.environ.get("MISSION_PORT_BASE", str(DEFAULT_BASE))
        if not value.isdecimal() or not 1024 <= int(value) <= 65_535 - WINDOW:
            raise LocalError(f"MISSION_PORT_BASE is {value!r}; set it to a number from 1024 to {65_535 - WINDOW}.")
        return cls(int(value))

    @classmethod
    def free(cls) -> "Ports":
        """A window in which nothing listens at this moment, for tests."""
        for base in random.sample(FREE_BASES, len(FREE_BASES)):
            ports = cls(base)
            if not ports.taken():
                return ports
        raise LocalError(f"No free ports between {FREE_BASES.start} and {FREE_BASES.stop}; stop what uses them.")

    @property
    def gateway(self) -> int:
        """The one door for browsers and outsiders' HTTP."""
        return self.base

    @property
    def kafka(self) -> int:
        """Kafka for our own services."""
        return self.base + 1

    @property
    def kafka_platforms(self) -> int:
        """Kafka for the national platforms."""
        return self.base + 2

    @property
    def kafka_controller(self) -> int:
        """Kafka's own controller."""
        return self.base + 3

    @property
    def mongo(self) -> int:
        """MongoDB."""
        return self.base + 4

    @property
    def smtp(self) -> int:
        """The development mail server."""
        return self.base + 5

    def service(self, name: str, instance: int = 0) -> int:
        """The HTTP port of one instance of a service; the gateway's first instance has the base port.

        Raises :class:`LocalError` for more instances than the window has room for.
        """
        if not 0 <= instance < INSTANCES:
            raise LocalError(f"{name} can run at most {INSTANCES} times on one machine.")
        if name == "gateway" and instance == 0:
            return self.gateway
        return self.base + 20 + INSTANCES * SERVICES.index(name) + instance

    def table(self) -> Iterator[tuple[str, int]]:
        """What listens where, by name; of each service its first instance."""
        yield "kafka", self.kafka
        yield "kafka (platforms)", self.kafka_platforms
        yield "kafka (controller)", self.kafka_controller
        yield "mongodb", self.mongo
        yield "mail", self.smtp
        for name in SERVICES:
            yield name, self.service(name)

    def taken(self) -> list[tuple[str, int]]:
        """The entries of :meth:`table` whose port something else listens on."""
        return [(name, port) for name, port in self.table() if not bindable(port)]


def bindable(port: int) -> bool:
    """Whether a server could listen on this loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def listening(port: int) -> bool:
    """Whether something accepts connections on this loopback port."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((HOST, port)) == 0
