"""A platform's broker and secrets, wherever they run: what the registry says of topics, users, rules and quotas."""

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from contracts.common import PlatformId
from contracts.registry import OPERATOR, SERVICES, TOPICS, Topic
from infra.access import ensure_rules, ensure_users, platform_principal
from infra.broker import ADMIN, Broker
from infra.local.errors import LocalError
from infra.local.secrets import GATEWAY_KEY, Secrets
from infra.topics import ensure_topics


class Stack:
    """What every platform has. ``topics`` is the registry to serve."""

    def __init__(self, kafka: Broker, secrets: Secrets, topics: Sequence[Topic] = TOPICS) -> None:
        self.kafka = kafka
        self.secrets = secrets
        self.topics = topics

    def platforms(self) -> list[str]:
        """The national platforms that have credentials here."""
        prefix = platform_principal("")
        return [name.removeprefix(prefix) for name in self.secrets.principals() if name.startswith(prefix)]

    def ask(self, service: str, *commands: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The answers of a service's own database to MongoDB's commands, given to it as the service's user.

        Raises :class:`LocalError` when it does not answer.
        """
        raise NotImplementedError

    def apply_registry(self) -> None:
        """Brings topics, users, access rules and quotas to what the registry says; may run while all is running."""
        platforms = self.platforms()
        principals = (*SERVICES, OPERATOR, *map(platform_principal, platforms))
        admin = self.kafka.admin()
        ensure_topics(admin, platforms, self.topics)
        ensure_users(admin, dict(self.secrets.kafka(principal) for principal in principals))
        ensure_rules(admin, platforms, self.topics)
        self._apply_quotas(platforms)

    def add_platforms(self, platforms: Sequence[str]) -> list[Path]:
        """Opens the door for national platforms, while everything runs: topics, users, access rules, quotas.

        Returns for each the path of a client configuration that it can use as it is (librdkafka's property names, as
        kcat and confluent-kafka read them). Adding one again changes nothing.

        Raises :class:`LocalError`, before anything is done, for an id that is not a country code followed by words.
        """
        for platform in platforms:
            try:
                TypeAdapter(PlatformId).validate_python(platform)
            except ValidationError as error:
                raise LocalError(
                    f"{platform!r} is not a platform id; write the country code first, as se-viable-cities."
                ) from error
        principals = [platform_principal(platform) for platform in platforms]
        for principal in principals:
            self.secrets.kafka(principal)
        self.apply_registry()
        return [self._client_properties(principal) for principal in principals]

    def _client_properties(self, principal: str) -> Path:
        client = self.kafka.client(principal, outside=True)
        self.secrets.put(principal, "client.properties", "".join(f"{name}={value}\n" for name, value in client.items()))
        return self.secrets.directory(principal) / "client.properties"

    def _apply_quotas(self, platforms: Sequence[str]) -> None:
        if not platforms:
            return
        # Imported here, for it loads a Kafka client that few commands need.
        from infra.quotas import PLATFORM_BYTES_PER_SECOND, ensure_quotas

        rates = {platform_principal(platform): PLATFORM_BYTES_PER_SECOND for platform in platforms}
        username, password = self.secrets.kafka(ADMIN)
        # A loop of its own, so that a program with a running loop can call this too.
        with ThreadPoolExecutor(1) as pool:
            pool.submit(asyncio.run, ensure_quotas(self.kafka.bootstrap, username, password, rates)).result()


def service_secrets(secrets: Secrets, service: str, mongo_url: str | None) -> Path:
    """Makes or completes what a process of this service needs to be told in secret; returns where it is.

    ``mongo_url`` is None for one that has no database.
    """
    secrets.kafka(service)
    if mongo_url is not None:
        secrets.put(service, "mission_mongo_url", mongo_url)
    secrets.put(service, GATEWAY_KEY, secrets.get(ADMIN, GATEWAY_KEY))
    if service == "registration":
        secrets.get(service, "mission_key_encryption_key")
    return secrets.directory(service)
