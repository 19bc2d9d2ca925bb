"""All checks, in the order in which they are made."""

from typing import Final

from mission.doctor import Check, broker, machine, stores

CHECKS: Final[dict[str, Check]] = {
    "packages": machine.libraries,
    "secrets": machine.secrets,
    "disk": machine.disk,
    "processes": machine.processes,
    "platform's clock": machine.platform_clock,
    "broker's release": machine.broker_version,
    "broker's clock": broker.clock,
    "topics": broker.topics,
    "users": broker.users,
    "access rules": broker.access,
    "consumers": broker.consumers,
    "databases": stores.stores,
}
