"""Who may do what on the broker: users and access rules, made from the registry, no more and no less."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialAlteration,
    UserScramCredentialUpsertion,
)

from contracts.registry import OPERATOR, PLATFORM_PRINCIPAL, SERVICES, TOPICS, Topic
from infra.topics import TIMEOUT, concrete, wait_until

SCRAM_ITERATIONS: Final = 4096
CLUSTER: Final = "kafka-cluster"
EVERYTHING: Final = "*"


def platform_principal(platform: str) -> str:
    """The principal of a national platform, such as ``platform-se-viable-cities``."""
    return PLATFORM_PRINCIPAL.format(platform=platform)


def rules(platforms: Iterable[str], topics: Sequence[Topic] = TOPICS) -> set[AclBinding]:
    """Every access rule: what each principal may do, and by its absence what it may not.

    A service writes and describes the topics that it owns or is a writer of, reads and describes those that it is a
    reader of, and uses the consumer groups that begin with its name. Of a family of topics these are the topics of
    the platforms that exist: a rule for the family's prefix would also open what else begins with it. A platform may
    do what the families grant to its own principal.
    """
    known = sorted(set(platforms))
    found = _operator()
    for topic in concrete(known, topics):
        for writer in {topic.owner, *topic.writers}:
            found |= _topic(writer, topic.name, AclOperation.WRITE)
        for reader in topic.readers:
            found |= _topic(reader, topic.name, AclOperation.READ)
    for principal in (*SERVICES, OPERATOR, *map(platform_principal, known)):
        group = AclOperation.READ, ResourcePatternType.PREFIXED
        found.add(_rule(principal, ResourceType.GROUP, f"{principal}.", *group))
    return found


def _topic(principal: str, name: str, operation: AclOperation) -> set[AclBinding]:
    return {_rule(principal, ResourceType.TOPIC, name, allowed) for allowed in (operation, AclOperation.DESCRIBE)}


def _operator() -> set[AclBinding]:
    """The command line looks at everything and, beyond the registry, changes nothing."""
    return {
        _rule(OPERATOR, ResourceType.BROKER, CLUSTER, AclOperation.DESCRIBE),
        _rule(OPERATOR, ResourceType.BROKER, CLUSTER, AclOperation.DESCRIBE_CONFIGS),
        _rule(OPERATOR, ResourceType.TOPIC, EVERYTHING, AclOperation.DESCRIBE),
        _rule(OPERATOR, ResourceType.TOPIC, EVERYTHING, AclOperation.DESCRIBE_CONFIGS),
        _rule(OPERATOR, ResourceType.TOPIC, EVERYTHING, AclOperation.READ),
        _rule(OPERATOR, ResourceType.GROUP, EVERYTHING, AclOperation.DESCRIBE),
    }


def _rule(
    principal: str,
    resource: ResourceType,
    name: str,
    operation: AclOperation,
    pattern: ResourcePatternType = ResourcePatternType.LITERAL,
) -> AclBinding:
    return AclBinding(resource, name, pattern, f"User:{principal}", "*", operation, AclPermissionType.ALLOW)


def present(admin: AdminClient) -> set[AclBinding]:
    """Every access rule that the broker has now."""
    anything: Any = None  # the annotation asks for text, the documentation for None
    every = AclBindingFilter(
        ResourceType.ANY,
        anything,
        ResourcePatternType.ANY,
        anything,
        anything,
        AclOperation.ANY,
        AclPermissionType.ANY,
    )
    return set(admin.describe_acls(every, request_timeout=TIMEOUT).result())


def ensure_rules(
    admin: AdminClient, platforms: Iterable[str] = (), topics: Sequence[Topic] = TOPICS
) -> tuple[int, int]:
    """Adds what is missing and removes what the registry does not grant; returns how many of each."""
    wanted, has = rules(platforms, topics), present(admin)
    add, remove = wanted - has, has - wanted
    if add:
        for created in admin.create_acls(list(add), request_timeout=TIMEOUT).values():
            created.result()
    if remove:
        for deleted in admin.delete_acls([exactly(rule) for rule in remove], request_timeout=TIMEOUT).values():
            deleted.result()
    wait_until(lambda: present(admin) == wanted)
    return len(add), len(remove)


def exactly(rule: AclBinding) -> AclBindingFilter:
    """The filter that matches this rule and no other."""
    return AclBindingFilter(
        rule.restype,
        rule.name,
        rule.resource_pattern_type,
        rule.principal,
        rule.host,
        rule.operation,
        rule.permission_type,
    )


def ensure_users(admin: AdminClient, passwords: Mapping[str, str]) -> None:
    """Makes the users, or gives them these passwords."""
    alterations: list[UserScramCredentialAlteration] = [
        UserScramCredentialUpsertion(
            user, ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, SCRAM_ITERATIONS), password.encode()
        )
        for user, password in passwords.items()
    ]
    for future in admin.alter_user_scram_credentials(alterations, request_timeout=TIMEOUT).values():
        future.result()
