"""Consumer groups: who reads which topic, how many members share the work, and how far they are behind."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    KafkaError,
    NotCoordinatorForGroupError,
    for_code,
)
from aiokafka.protocol.admin import DescribeGroupsRequest_v3, DescribeGroupsResponse_v3
from confluent_kafka import Consumer
from confluent_kafka import TopicPartition as Place
from rich.table import Table

from contracts.registry import OPERATOR, SERVICES, consumer_groups
from infra.local.errors import LocalError
from infra.stack import Stack
from infra.topics import concrete
from mission import place

TIMEOUT: Final = 5
READ_SECONDS: Final = 5.0
NOT_YET: Final = (GroupCoordinatorNotAvailableError, GroupLoadInProgressError, NotCoordinatorForGroupError)
"""What a broker says of groups that it does not coordinate yet."""

# aiokafka 0.14 reads the answer as one of version 2, which has a field less.
DescribeGroupsRequest_v3.RESPONSE_TYPE = DescribeGroupsResponse_v3  # type: ignore[assignment]


@dataclass(frozen=True, slots=True)
class Position:
    """How far a group has come on one partition. ``committed`` is None where it has not begun."""

    group: str
    topic: str
    partition: int
    committed: int | None
    begin: int
    end: int

    @property
    def next(self) -> int:
        """The offset of the record that the group takes next."""
        return self.begin if self.committed is None else max(self.begin, self.committed)

    @property
    def behind(self) -> int:
        """How many records the group has not taken yet."""
        return max(0, self.end - self.next)


@dataclass(frozen=True, slots=True)
class Group:
    """A consumer group, the clients that are its members, and where it is."""

    name: str
    members: Sequence[str]
    positions: Sequence[Position]

    @property
    def service(self) -> str:
        """The service whose group it is."""
        return self.name.partition(".")[0]

    @property
    def behind(self) -> int:
        """How many records it has not taken yet, over all topics."""
        return sum(position.behind for position in self.positions)


def expected(platforms: Iterable[str]) -> dict[str, list[str]]:
    """Every consumer group that a whole platform has, with the topics that it reads, by the registry."""
    known = list(platforms)
    found: dict[str, list[str]] = {}
    for service in SERVICES:
        for group, topics in consumer_groups(service).items():
            found[group] = [topic.name for topic in concrete(known, topics)]
    return found


class Asker:
    """Asks a broker about consumer groups, and stays connected.

    By aiokafka: librdkafka 2.16 ends the whole process when a broker goes away, or comes back, in the middle of such
    questions (failed assertions in ``rd_kafka_enq_once_del_source_return`` and ``rd_kafka_cgrp_op``).
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = dict(options) | {"request_timeout_ms": TIMEOUT * 1000}

    async def __aenter__(self) -> Self:
        self._admin = AIOKafkaAdminClient(**self._options)
        self._consumer = AIOKafkaConsumer(**self._options)
        try:
            await self._admin.start()
            await self._consumer.start()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._admin.close()
        await self._consumer.stop()

    async def groups(self, wanted: Mapping[str, Sequence[str]]) -> list[Group]:
        """The groups with their members, and how far each has come on each partition of its topics that there is.

        Raises ``KafkaError`` when the broker does not answer. One that has just started is asked again for a while,
        until it coordinates all of the groups.
        """
        deadline = time.monotonic() + TIMEOUT
        while True:
            try:
                return await self._groups(wanted)
            except NOT_YET:
                if time.monotonic() > deadline:
                    raise
            await asyncio.sleep(0.05)

    async def _groups(self, wanted: Mapping[str, Sequence[str]]) -> list[Group]:
        members = await self._members(wanted)
        known = await self._admin.describe_topics(sorted({topic for topics in wanted.values() for topic in topics}))
        there = [TopicPartition(each["topic"], part["partition"]) for each in known for part in each["partitions"]]
        begins = await self._consumer.beginning_offsets(there) if there else {}
        read = {name: [each for each in there if each.topic in topics] for name, topics in wanted.items()}
        committed = {name: await self._committed(name, read[name]) for name in wanted}
        ends = await self._consumer.end_offsets(there) if there else {}
        return [
            Group(
                name,
                members[name],
                [Position(name, *each, committed[name][each], begins[each], ends[each]) for each in read[name]],
            )
            for name in wanted
        ]

    async def _committed(self, name: str, partitions: list[TopicPartition]) -> dict[TopicPartition, int | None]:
        """Where a group has committed to come to, None for where it has not begun."""
        found = await self._admin.list_consumer_group_offsets(name, partitions=partitions) if partitions else {}
        if len(found) < len(partitions):
            # The library does not look at the answer's error.
            raise GroupLoadInProgressError(name)
        return {partition: None if each.offset < 0 else each.offset for partition, each in found.items()}

    async def _members(self, names: Iterable[str]) -> dict[str, list[str]]:
        """The clients in each group."""
        found: dict[str, list[str]] = {}
        for answer in await self._admin.describe_consumer_groups(list(names)):
            for group in answer.to_object()["groups"]:
                if group["error_code"]:
                    raise for_code(group["error_code"])(group["group"])
                found[group["group"]] = [member["client_id"] for member in group["members"]]
        return found


def groups(stack: Stack) -> list[Group]:
    """The groups of all services with their members and positions.

    Raises :class:`LocalError` when the broker does not answer.
    """

    async def ask() -> list[Group]:
        async with Asker(stack.kafka.aiokafka(OPERATOR)) as asker:
            return await asker.groups(expected(stack.platforms()))

    try:
        return asyncio.run(ask())
    except (KafkaError, OSError) as error:
        raise LocalError(f"Kafka does not answer ({error}); `{place.typed('status')}` shows more.") from error


def lag(stack: Stack) -> dict[str, int]:
    """How many records each service has not taken yet, over all its consumer groups.

    Raises :class:`LocalError` when the broker does not answer.
    """
    behind: dict[str, int] = defaultdict(int)
    for group in groups(stack):
        behind[group.service] += group.behind
    return dict(behind)


def waiting_since(stack: Stack, behind: Sequence[Position]) -> dict[Position, datetime]:
    """When the record was sent that each of these positions comes to next, of those that can be read in time."""
    consumer = Consumer(stack.kafka.client(OPERATOR) | {"group.id": f"{OPERATOR}.reading", "enable.auto.commit": False})
    by_group: dict[str, list[Position]] = defaultdict(list)
    for position in behind:
        by_group[position.group].append(position)
    found: dict[Position, datetime] = {}
    deadline = datetime.now(UTC) + timedelta(seconds=READ_SECONDS)
    try:
        # One group after the other: a consumer can be at one place of a partition only.
        for positions in by_group.values():
            wanted = {(each.topic, each.partition): each for each in positions}
            consumer.assign([Place(each.topic, each.partition, each.next) for each in positions])
            while wanted and datetime.now(UTC) < deadline:
                message = consumer.poll(0.2)
                if message is None or message.error():
                    continue
                where = message.topic() or "", message.partition() or 0
                if reached := wanted.pop(where, None):
                    found[reached] = datetime.fromtimestamp(message.timestamp()[1] / 1000, UTC)
                    consumer.incremental_unassign([Place(*where)])
    finally:
        consumer.close()
    return found


def lag_table(found: Sequence[Group], since: Mapping[Position, datetime], *, all: bool) -> Table:
    """The groups with what they are behind on; ``all`` also shows the partitions that are worked off."""
    table = Table(title_justify="left")
    for column in ("group", "members", "topic/partition", "at", "of", "behind", "waits since (UTC)"):
        table.add_column(column, justify="right" if column in ("at", "of", "behind") else "left")
    for group in found:
        names = ", ".join(name.removesuffix("-consumer") for name in group.members)
        table.add_row(group.name, names or "[red]none[/]", "", "", "", f"[bold]{group.behind}[/]", "")
        for position in _shown(group, all=all):
            moment = since.get(position)
            table.add_row(
                *("", "", f"{position.topic}/{position.partition}", str(position.next), str(position.end)),
                *(str(position.behind), f"{moment:%Y-%m-%d %H:%M:%S}" if moment else ""),
            )
    return table


def _shown(group: Group, *, all: bool) -> Iterator[Position]:
    return (position for position in group.positions if all or position.behind)
