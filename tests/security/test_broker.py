"""Every principal, every topic, every thing that can be done to it: allowed exactly where the registry says."""

from collections.abc import Iterator
from typing import Any

import pytest
from aiokafka.errors import KafkaError

from contracts.registry import OPERATOR, PLATFORM_PRINCIPAL, SERVICES, TOPICS
from infra.broker import ADMIN
from infra.local.stack import LocalStack
from shared.testing import eventually
from tests.security.broker import Hands, allowed
from tests.security.conftest import PLATFORMS, STRANGER

PRINCIPALS = (*SERVICES, OPERATOR, *(PLATFORM_PRINCIPAL.format(platform=platform) for platform in PLATFORMS), STRANGER)
INTERNAL = ("__consumer_offsets",)
NOT_THERE = ("typo.topic", "national-platforms.fr-none.events", "national-platforms.fr-none.receipts", "catalogue.new")
ALREADY_THERE = 36


def declared() -> Iterator[tuple[str, str, set[str]]]:
    """Each topic's name, its owner with the other writers first, then its readers, templates by platform."""
    for topic in TOPICS:
        for platform in PLATFORMS if topic.template else ("",):
            fill = {"platform": platform}
            yield topic.name.format(**fill), "write", {who.format(**fill) for who in (topic.owner, *topic.writers)}
            yield topic.name.format(**fill), "read", {who.format(**fill) for who in topic.readers}


def may(principal: str, action: str) -> set[str]:
    """The topics for which the registry gives a principal this right."""
    rights = {name for name, kind, principals in declared() if kind == action and principal in principals}
    if (principal, action) == (OPERATOR, "read"):
        # Whoever is on call looks at everything, and changes nothing by it.
        rights = {name for name, _, _ in declared()} | {*INTERNAL, *NOT_THERE}
    return rights


TOPIC_NAMES = sorted({name for name, _, _ in declared()})
EVERY_TOPIC = [*TOPIC_NAMES, *INTERNAL, *NOT_THERE]
GROUPS = [group for name in PRINCIPALS for group in (f"{name}.events", f"{name}.anything", name, f"{name}x.events")]


def hands(backbone: LocalStack, principal: str, **changes: Any) -> Hands:
    """A principal at the listener that is meant for it."""
    outside = principal.startswith(PLATFORM_PRINCIPAL.partition("{")[0])
    return Hands(backbone.kafka.aiokafka(principal, outside=outside) | changes)


@pytest.fixture(autouse=True)
async def coordinated(backbone: LocalStack) -> None:
    """The broker coordinates consumer groups, which it begins to do when the first is asked for."""
    async with hands(backbone, ADMIN) as admin:

        async def answers() -> bool:
            found = await admin.coordinator(GROUPS[0])
            return found == 0 and set((await admin.look(GROUPS)).values()) == {0}

        await eventually(answers, "consumer groups are coordinated")


def test_the_matrix_is_whole() -> None:
    cells = len(PRINCIPALS) * (len(EVERY_TOPIC) * 4 + len(GROUPS) * 3)
    assert cells > 2_000
    for service in SERVICES:
        assert may(service, "read"), f"{service} reads at least the signing keys"


@pytest.mark.parametrize("principal", PRINCIPALS)
async def test_topics_are_open_exactly_as_declared(backbone: LocalStack, principal: str) -> None:
    async with hands(backbone, principal) as who:
        written, read = await who.write(EVERY_TOPIC), await who.read(EVERY_TOPIC)
        assert allowed(written) == may(principal, "write")
        assert {written[topic] for topic in may(principal, "write")} <= {0}, "what is let through is taken"
        assert allowed(read) == may(principal, "read")
        assert {read[topic] for topic in may(principal, "read") if topic in TOPIC_NAMES} <= {0}
        assert allowed(await who.create(EVERY_TOPIC)) == set()
        assert allowed(await who.delete([*TOPIC_NAMES, *INTERNAL])) == set()


@pytest.mark.parametrize("principal", PRINCIPALS)
async def test_consumer_groups_are_open_to_their_own_principal(backbone: LocalStack, principal: str) -> None:
    own = set() if principal == STRANGER else {group for group in GROUPS if group.startswith(f"{principal}.")}
    async with hands(backbone, principal) as who:
        joined = await who.join(GROUPS)
        assert allowed(joined) == own
        assert {joined[group] for group in own} <= {0}, "who is let in becomes a member"
        # Whoever is on call sees how far every group is.
        assert allowed(await who.look(GROUPS)) == (set(GROUPS) if principal == OPERATOR else own)
        assert allowed(await who.drop(GROUPS)) == set()


async def test_the_administrator_shows_that_refusals_come_from_the_rules(backbone: LocalStack) -> None:
    async with hands(backbone, ADMIN) as admin:
        assert await admin.create(["probe"]) == {"probe": 0}
        assert set((await admin.create(TOPIC_NAMES)).values()) == {ALREADY_THERE}
        assert set((await admin.write(TOPIC_NAMES)).values()) == {0}
        assert set((await admin.read(TOPIC_NAMES)).values()) == {0}
        assert await admin.delete(["probe"]) == {"probe": 0}


@pytest.mark.parametrize(
    "changes",
    [
        {"sasl_plain_username": "nobody"},
        {"sasl_plain_password": "wrong"},
        {"sasl_plain_username": ADMIN},
        {"security_protocol": "PLAINTEXT"},
        {"sasl_mechanism": "PLAIN"},
    ],
    ids=str,
)
async def test_who_does_not_sign_in_gets_nothing(backbone: LocalStack, changes: dict[str, str]) -> None:
    for bootstrap in (backbone.kafka_bootstrap, backbone.platforms_bootstrap):
        who = hands(backbone, "catalogue", bootstrap_servers=bootstrap, request_timeout_ms=3000, **changes)
        with pytest.raises(KafkaError):
            async with who:
                await who.read(TOPIC_NAMES)
