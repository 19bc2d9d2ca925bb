"""The broker beside the registry: topics, users, access rules, consumer groups; and its clock."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Final

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AclBinding, AdminClient, OffsetSpec

from contracts.registry import OPERATOR, SERVICES, read_by
from infra.access import platform_principal, present, rules
from infra.broker import ADMIN
from infra.stack import Stack
from infra.topics import concrete, states
from mission import groups
from mission.doctor import Finding, drift, some

TIMEOUT: Final = 10.0
SIGN_IN_SECONDS: Final = 5.0
APPLY: Final = "`bin/mission topics apply` puts it right."
OWN_GROUP: Final = f"{OPERATOR}.doctor"
OFFSETS: Final = "__consumer_offsets"
LATE: Final = timedelta(minutes=1)


def topics(stack: Stack) -> Iterator[Finding]:
    """Topics that differ from the registry, and topics that it does not know."""
    admin = stack.kafka.admin()
    for state in states(admin, stack.platforms()):
        if state.difference:
            whole = state.partitions in (None, state.topic.partitions)
            do = APPLY if whole else "Its data must move to a new topic: keys would change their partition."
            yield Finding(f"Topic {state.name} differs from the registry: {state.difference}.", do)
    known = {topic.name for topic in concrete(stack.platforms())}
    strange = {name for name in admin.list_topics(timeout=TIMEOUT).topics if not name.startswith("__")} - known
    if strange:
        yield Finding(
            f"The registry does not know {some(strange)}.",
            "List them in contracts/registry.py, or delete them when nobody needs what is on them.",
            wrong=False,
        )


def users(stack: Stack) -> Iterator[Finding]:
    """Users that are missing or too many, and passwords that the broker does not take."""
    wanted = {*SERVICES, OPERATOR, ADMIN, *map(platform_principal, stack.platforms())}
    admin = stack.kafka.admin()
    described = admin.describe_user_scram_credentials(request_timeout=TIMEOUT)
    assert isinstance(described, Future)  # all users', because none is named
    has: set[str] = set(described.result())
    if missing := wanted - has:
        yield Finding(f"The broker has no user {some(missing)}.", APPLY)
    if strange := has - wanted:
        yield Finding(
            f"The broker has users that nobody here knows: {some(strange)}.",
            "Take their credentials back: kafka-configs.sh --alter --entity-type users --entity-name NAME"
            " --delete-config SCRAM-SHA-512.",
        )

    def signs_in(principal: str) -> bool:
        try:
            AdminClient(stack.kafka.client(principal) | {"log_level": 0}).list_topics(timeout=SIGN_IN_SECONDS)
        except KafkaException:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        principals = sorted(wanted & has)
        refused = [name for name, good in zip(principals, pool.map(signs_in, principals), strict=True) if not good]
    if refused:
        yield Finding(f"The broker does not take the password of {some(refused)}.", APPLY)


def access(stack: Stack) -> Iterator[Finding]:
    """Access rules that are missing or too many."""
    wanted, has = rules(stack.platforms()), present(stack.kafka.admin())
    if missing := wanted - has:
        yield Finding(f"{len(missing)} access rules are missing: {some(map(_said, missing))}.", APPLY)
    if surplus := has - wanted:
        yield Finding(f"{len(surplus)} access rules are too many: {some(map(_said, surplus))}.", APPLY)


def _said(rule: AclBinding) -> str:
    operation, kind = (str(each).rpartition(".")[2].lower() for each in (rule.operation, rule.restype))
    return f"{rule.principal} {operation} {kind} {rule.name}"


def consumers(stack: Stack) -> Iterator[Finding]:
    """Groups without members, groups that do not come on, and groups that no service has any more."""
    found = groups.groups(stack)
    for group in found:
        if not group.members:
            yield Finding(
                f"Nobody is a member of the consumer group {group.name}; {group.behind} records wait.",
                f"Start {group.service}, or see why it is not ready: `bin/mission status`, `bin/mission logs"
                f" {group.service}`.",
            )
    behind = [position for group in found if group.members for position in group.positions if position.behind]
    for position, since in groups.waiting_since(stack, behind).items():
        if datetime.now(UTC) - since > LATE:
            yield Finding(
                f"{position.group} has not taken {position.topic}/{position.partition} since {since:%H:%M:%S} UTC:"
                f" {position.behind} records wait.",
                "docs/operations/alerts/no-progress.md",
            )
    admin = stack.kafka.admin()
    listed = admin.list_consumer_groups(request_timeout=TIMEOUT).result().valid
    owned = {group.group_id for group in listed if group.group_id.partition(".")[0] in SERVICES}
    if strange := owned - {group.name for group in found}:
        yield Finding(
            f"No service has the consumer group {some(strange)}.",
            "An older release left it; delete it with kafka-consumer-groups.sh --delete --group NAME.",
            wrong=False,
        )


def clock(stack: Stack) -> Iterator[Finding]:
    """The broker's clock beside this machine's: an offset is committed, and the broker writes down when."""
    topic = next(iter(read_by(SERVICES[0]))).name
    consumer = Consumer(stack.kafka.client(OPERATOR) | {"group.id": OWN_GROUP, "enable.auto.commit": False})
    admin = stack.kafka.admin()
    try:
        before = datetime.now(UTC)
        consumer.commit(offsets=[TopicPartition(topic, 0, 0)], asynchronous=False)
        after = datetime.now(UTC)
        numbers = admin.list_topics(OFFSETS, timeout=TIMEOUT).topics[OFFSETS].partitions
        places = dict.fromkeys((TopicPartition(OFFSETS, number) for number in numbers), OffsetSpec.max_timestamp())
        answers = admin.list_offsets(places, request_timeout=TIMEOUT).values()
        noted = max(answer.result().timestamp for answer in answers)
        # Others commit too, so the latest time may be of a moment after ours.
        there = datetime.fromtimestamp(noted / 1000, UTC)
        yield from drift("the broker", before - timedelta(milliseconds=1), there, max(after, datetime.now(UTC)))
    finally:
        consumer.close()
        for deleted in admin.delete_consumer_groups([OWN_GROUP], request_timeout=TIMEOUT).values():
            deleted.exception()
