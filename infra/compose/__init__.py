"""The platform in containers: what ``docker-compose.yml`` needs beside itself.

``secrets`` makes passwords and hands each container its own; ``bootstrap`` makes topics, users, access rules and
databases; ``stack`` is an operator's hands on the running platform, by which ``mission`` starts and stops it.
"""

from typing import Final

KAFKA: Final = "kafka:9092"
"""The broker's address for our services, inside the containers' network."""

KAFKA_USER, MONGO_USER, SERVICE_USER = 1000, 999, 10001
"""The user ids that run in the images of Kafka, MongoDB and our services."""

MONGO_PORT: Final = 27017


def mongo(service: str) -> str:
    """The host name of a service's own MongoDB, such as ``mongo-catalogue``."""
    return f"mongo-{service}"
