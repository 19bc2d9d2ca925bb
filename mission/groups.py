"""Consumer groups: who reads which topic, how many members share the work, and how far they are behind."""

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec
from rich.table import Table

from contracts.registry import OPERATOR, SERVICES, consumer_groups
from infra.stack import Stack
from infra.topics import concrete

TIMEOUT: Final = 5
READ_SECONDS: Final = 5.0
NOT_YET: Final = frozenset(
    {KafkaError.NOT_COORDINATOR, KafkaError.COORDINATOR_NOT_AVAILABLE, KafkaError.COORDINATOR_LOAD_IN_PROGRESS}
)
"""What a broker says of groups that it does not coordinate yet."""

Places = Mapping[tuple[str, int], int]
"""Offsets by topic and partition."""


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


def groups(stack: Stack) -> list[Group]:
    """The groups of all services with their members and positions.

    Raises ``KafkaException`` when the broker does not answer.
    """
    admin = AdminClient(stack.kafka.client(OPERATOR))
    wanted = expected(stack.platforms())
    members = _members(admin, wanted)
    return [Group(name, members[name], found) for name, found in _positions(admin, wanted).items()]


def _members(admin: AdminClient, wanted: Iterable[str]) -> dict[str, list[str]]:
    """The clients in each group, asked for until the broker coordinates all of them."""
    deadline = time.monotonic() + TIMEOUT
    while True:
        described = admin.describe_consumer_groups(list(wanted), request_timeout=TIMEOUT)
        try:
            return {name: [each.client_id for each in future.result().members] for name, future in described.items()}
        except KafkaException as error:
            if error.args[0].code() not in NOT_YET or time.monotonic() > deadline:
                raise
        time.sleep(0.05)


def positions(admin: AdminClient, wanted: Mapping[str, Sequence[str]]) -> dict[str, list[Position]]:
    """How far each group has come on each partition of its topics that the broker has."""
    _members(admin, wanted)
    return _positions(admin, wanted)


def _positions(admin: AdminClient, wanted: Mapping[str, Sequence[str]]) -> dict[str, list[Position]]:
    """The same after :func:`_members`.

    A broker that has just started does not coordinate groups yet, and the library crashes the process when it is told
    so in answer to this question (librdkafka 2.16, rd_kafka_cgrp_op).
    """
    # One group per request: that is all the broker's library takes.
    asked = {
        name: admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(name)], request_timeout=TIMEOUT)
        for name in wanted
    }
    present = admin.list_topics(timeout=TIMEOUT).topics
    topics = {topic for names in wanted.values() for topic in names if topic in present}
    places = [TopicPartition(topic, number) for topic in sorted(topics) for number in present[topic].partitions]
    begins, ends = _offsets(admin, places, OffsetSpec.earliest()), _offsets(admin, places, OffsetSpec.latest())
    found: dict[str, list[Position]] = {}
    for name, answers in asked.items():
        committed = {
            (place.topic, place.partition): place.offset
            for future in answers.values()
            for place in future.result().topic_partitions or ()
            if place.offset >= 0
        }
        found[name] = [
            Position(name, *where, committed.get(where), begins[where], end)
            for where, end in ends.items()
            if where[0] in wanted[name]
        ]
    return found


def _offsets(admin: AdminClient, places: Sequence[TopicPartition], spec: OffsetSpec) -> Places:
    if not places:
        return {}
    answers = admin.list_offsets(dict.fromkeys(places, spec), request_timeout=TIMEOUT)
    return {(place.topic, place.partition): future.result().offset for place, future in answers.items()}


def lag(stack: Stack) -> dict[str, int]:
    """How many records each service has not taken yet, over all its consumer groups.

    Raises ``KafkaException`` when the broker does not answer.
    """
    behind: dict[str, int] = defaultdict(int)
    admin = AdminClient(stack.kafka.client(OPERATOR))
    for name, found in positions(admin, expected(stack.platforms())).items():
        behind[name.partition(".")[0]] += sum(position.behind for position in found)
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
            consumer.assign([TopicPartition(each.topic, each.partition, each.next) for each in positions])
            while wanted and datetime.now(UTC) < deadline:
                message = consumer.poll(0.2)
                if message is None or message.error():
                    continue
                where = message.topic() or "", message.partition() or 0
                if reached := wanted.pop(where, None):
                    found[reached] = datetime.fromtimestamp(message.timestamp()[1] / 1000, UTC)
                    consumer.incremental_unassign([TopicPartition(*where)])
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
