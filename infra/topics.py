"""Topics, made from the registry and kept as it says."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ConfigSource,
    NewTopic,
    ResourceType,
)

from contracts.registry import TOPICS, Topic

TIMEOUT: Final = 30.0
"""Seconds that the cluster has for one administrative request."""


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic of the registry beside what the cluster has; ``partitions`` is None for one that does not exist."""

    topic: Topic
    partitions: int | None
    config: Mapping[str, str]

    @property
    def name(self) -> str:
        """The topic's name."""
        return self.topic.name

    @property
    def difference(self) -> str:
        """How the cluster differs from the registry, in words; empty when it does not."""
        if self.partitions is None:
            return "missing"
        wrong = [f"{key}={self.config.get(key)}" for key, value in self.wanted() if self.config.get(key) != value]
        wrong += [f"{key}={self.config[key]} is not in the registry" for key in self.surplus()]
        if self.partitions != self.topic.partitions:
            wrong.insert(0, f"{self.partitions} partitions, which can not be changed without breaking the keys' order")
        return "; ".join(wrong)

    def wanted(self) -> Iterable[tuple[str, str]]:
        """The configuration that the registry asks for."""
        return self.topic.config().items()

    def surplus(self) -> list[str]:
        """Settings that were made by hand."""
        return sorted(self.config.keys() - self.topic.config().keys())


def concrete(platforms: Iterable[str], topics: Sequence[Topic] = TOPICS) -> list[Topic]:
    """Every topic that shall exist: families with one entry for each national platform."""
    known = sorted(set(platforms))
    return [
        entry
        for topic in topics
        for entry in ([_for_platform(topic, platform) for platform in known] if topic.template else [topic])
    ]


def _for_platform(topic: Topic, platform: str) -> Topic:
    """A family's entry for one platform: name and principals with the platform's id in place."""
    return replace(
        topic,
        name=topic.for_platform(platform),
        owner=topic.owner.format(platform=platform),
        readers={reader.format(platform=platform): events for reader, events in topic.readers.items()},
        writers=tuple(writer.format(platform=platform) for writer in topic.writers),
    )


def states(admin: AdminClient, platforms: Iterable[str], topics: Sequence[Topic] = TOPICS) -> list[TopicState]:
    """Compares the registry with the cluster, in the registry's order."""
    wanted = concrete(platforms, topics)
    present = admin.list_topics(timeout=TIMEOUT).topics
    resources = [ConfigResource(ResourceType.TOPIC, topic.name) for topic in wanted if topic.name in present]
    configs: dict[str, dict[str, str]] = {}
    if resources:
        for resource, future in admin.describe_configs(resources, request_timeout=TIMEOUT).items():
            configs[resource.name] = {
                entry.name: entry.value
                for entry in future.result().values()
                if entry.source == ConfigSource.DYNAMIC_TOPIC_CONFIG.value
            }
    return [
        TopicState(
            topic=topic,
            partitions=len(present[topic.name].partitions) if topic.name in present else None,
            config=configs.get(topic.name, {}),
        )
        for topic in wanted
    ]


def ensure_topics(
    admin: AdminClient, platforms: Iterable[str] = (), topics: Sequence[Topic] = TOPICS, *, replication: int = 1
) -> list[str]:
    """Makes missing topics and corrects the configuration of the others; returns the names of what it changed.

    Never changes a number of partitions, and never removes a topic: both would lose data or its order.
    """
    found = states(admin, platforms, topics)
    missing = [
        NewTopic(state.name, state.topic.partitions, replication, config=state.topic.config())
        for state in found
        if state.partitions is None
    ]
    if missing:
        _create(admin, missing)
    # Such a change counts as false: its length is that of another list within it.
    corrections = [_correction(state) for state in found if state.partitions is not None]
    changes = [change for change in corrections if change is not None]
    if changes:
        for future in admin.incremental_alter_configs(changes, request_timeout=TIMEOUT).values():
            future.result()
        names = {change.name for change in changes}
        wait_until(
            lambda: (
                not any(
                    state.name in names and _correction(state) is not None for state in states(admin, platforms, topics)
                )
            )
        )
    return [topic.topic for topic in missing] + [change.name for change in changes]


def _create(admin: AdminClient, missing: list[NewTopic]) -> None:
    """Makes topics and waits until the broker shows them: it answers before it does."""
    for future in admin.create_topics(missing, operation_timeout=TIMEOUT).values():
        try:
            future.result()
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise
    wait_until(lambda: {topic.topic for topic in missing} <= admin.list_topics(timeout=TIMEOUT).topics.keys())


def wait_until(visible: Callable[[], bool]) -> None:
    """Waits until the broker shows what it has accepted. Raises :class:`TimeoutError`."""
    deadline = time.monotonic() + TIMEOUT
    while not visible():
        if time.monotonic() > deadline:
            raise TimeoutError("The broker accepted a change and does not show it.")
        time.sleep(0.02)


def _correction(state: TopicState) -> ConfigResource | None:
    entries = [
        ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET)
        for key, value in state.wanted()
        if state.config.get(key) != value
    ]
    entries += [ConfigEntry(key, "", incremental_operation=AlterConfigOpType.DELETE) for key in state.surplus()]
    return ConfigResource(ResourceType.TOPIC, state.name, incremental_configs=entries) if entries else None
