"""How a process reaches the broker."""

from typing import Any

from aiokafka.helpers import create_ssl_context

from shared.settings import Settings


def connection(settings: Settings, purpose: str) -> dict[str, Any]:
    """aiokafka's options to connect as this service; ``purpose`` tells its clients apart."""
    tls = settings.kafka_protocol == "SASL_SSL"
    ca = str(settings.kafka_ca_file) if settings.kafka_ca_file else None
    return {
        "bootstrap_servers": settings.kafka_bootstrap,
        "client_id": f"{settings.service}-{settings.instance}-{purpose}",
        "security_protocol": settings.kafka_protocol,
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": settings.kafka_username or settings.service,
        "sasl_plain_password": settings.kafka_password.get_secret_value(),
        "ssl_context": create_ssl_context(cafile=ca) if tls else None,
    }
