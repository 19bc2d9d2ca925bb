"""Byte-rate quotas of the national platforms, so that one that floods takes nothing from the others.

No Python administration client has a call for client quotas; this is the request itself (Kafka protocol,
AlterClientQuotas, key 49, version 0), sent with aiokafka's connection.
"""

from collections.abc import Mapping
from typing import ClassVar, Final

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import for_code
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Boolean, Float64, Int16, Int32, Schema, String

PLATFORM_BYTES_PER_SECOND: Final = 256 * 1024
"""What one national platform may send, in bytes per second: four of its largest messages."""

_ENTITY = Array(("entity_type", String("utf-8")), ("entity_name", String("utf-8")))
_OPERATIONS = Array(("key", String("utf-8")), ("value", Float64), ("remove", Boolean))


class AlterClientQuotasResponse(Response):
    """For each user an error code, 0 when its quotas were set."""

    API_KEY = 49
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("entries", Array(("error_code", Int16), ("error_message", String("utf-8")), ("entity", _ENTITY))),
    )


class AlterClientQuotasStruct(RequestStruct):
    """Quotas to set, by entity."""

    API_KEY = 49
    API_VERSION = 0
    RESPONSE_TYPE = AlterClientQuotasResponse
    SCHEMA = Schema(
        ("entries", Array(("entity", _ENTITY), ("ops", _OPERATIONS))),
        ("validate_only", Boolean),
    )


class AlterClientQuotas(Request[AlterClientQuotasStruct]):
    """Sets ``producer_byte_rate`` of users."""

    API_KEY: ClassVar[int] = 49

    def __init__(self, rates: Mapping[str, int]) -> None:
        self.rates = rates

    def build(self, request_struct_class: type[AlterClientQuotasStruct]) -> AlterClientQuotasStruct:
        """The request on the wire."""
        entries = [
            ([("user", user)], [("producer_byte_rate", float(rate), False)]) for user, rate in self.rates.items()
        ]
        return request_struct_class(entries, False)


async def ensure_quotas(bootstrap: str, username: str, password: str, rates: Mapping[str, int]) -> None:
    """Sets how many bytes per second each user may produce; signs in as an administrator.

    Raises a ``KafkaError`` when the broker refuses.
    """
    client = AIOKafkaClient(
        bootstrap_servers=bootstrap,
        security_protocol="SASL_PLAINTEXT",
        sasl_mechanism="SCRAM-SHA-512",
        sasl_plain_username=username,
        sasl_plain_password=password,
    )
    await client.bootstrap()
    try:
        response = await client.send(client.get_random_node(), AlterClientQuotas(rates))
    finally:
        await client.close()
    for code, message, _ in response.entries:
        if code:
            raise for_code(code)(message)
