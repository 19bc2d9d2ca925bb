"""The local stack is the real thing, and everybody on it may do exactly what the registry says."""

import smtplib
import stat
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from contracts.registry import SERVICES
from infra.access import exactly, present, rules
from infra.databases import database
from infra.local import HOST
from infra.local.errors import LocalError
from infra.local.stack import LocalStack
from infra.topics import ensure_topics, states, wait_until
from mission.groups import Position, waiting_since
from tests.integration.outsiders import read, write

REFUSED = {KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED}
SWEDEN, SPAIN = "se-viable-cities", "es-cities-2030"


@pytest.fixture(scope="module")
def platforms(stack: LocalStack) -> tuple[str, str]:
    """Two national platforms, added while everything runs."""
    stack.add_platforms([SWEDEN, SPAIN])
    return SWEDEN, SPAIN


@pytest.fixture
def mongo(stack: LocalStack, request: pytest.FixtureRequest) -> Iterator[MongoClient[dict[str, Any]]]:
    """A connection with the user of registration."""
    with MongoClient[dict[str, Any]](stack.mongo.url("registration")) as client:
        yield client


def refused(error: pytest.ExceptionInfo[KafkaException]) -> bool:
    """Whether it was the authorizer that said no."""
    return error.value.args[0].code() in REFUSED


def test_the_cluster_has_what_the_registry_says(stack: LocalStack, platforms: tuple[str, str]) -> None:
    found = states(stack.kafka.admin(), platforms)
    assert [f"{state.name}: {state.difference}" for state in found if state.difference] == []
    assert present(stack.kafka.admin()) == rules(stack.platforms())


def test_what_somebody_changed_by_hand_is_put_right(stack: LocalStack) -> None:
    admin = stack.kafka.admin()
    by_hand = next(rule for rule in rules([]) if rule.principal == "User:catalogue")
    for deleted in admin.delete_acls([exactly(by_hand)]).values():
        assert deleted.result()
    settings = [
        ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
        for name, value in (("retention.ms", "86400000"), ("segment.ms", "3600000"))
    ]
    changed = ConfigResource(ResourceType.TOPIC, "registration.cities", incremental_configs=settings)
    for altered in admin.incremental_alter_configs([changed]).values():
        altered.result()
    wait_until(lambda: any(state.difference for state in states(admin, stack.platforms())))
    stack.apply_registry()
    assert not [state.difference for state in states(admin, stack.platforms()) if state.difference]
    assert present(admin) == rules(stack.platforms())
    assert ensure_topics(admin, stack.platforms()) == []


def test_a_service_writes_and_reads_its_own_topic(stack: LocalStack) -> None:
    write(stack.kafka.client("catalogue"), "catalogue.dead-letters", b"kept")
    assert read(stack.kafka.client("operator"), "catalogue.dead-letters", "operator.test")[-1] == b"kept"


@pytest.mark.parametrize("topic", ["registration.people", "notification.dead-letters", "registration.signing-keys"])
def test_a_service_cannot_write_to_another_ones_topic(stack: LocalStack, topic: str) -> None:
    with pytest.raises(KafkaException) as error:
        write(stack.kafka.client("catalogue"), topic, b"forged")
    assert refused(error)


def test_a_service_cannot_read_what_the_registry_does_not_grant(stack: LocalStack) -> None:
    write(stack.kafka.client("notification"), "notification.dead-letters", b"private")
    with pytest.raises(KafkaException) as error:
        read(stack.kafka.client("catalogue"), "notification.dead-letters", "catalogue.test")
    assert refused(error)


def test_a_service_cannot_use_another_ones_consumer_group(stack: LocalStack) -> None:
    with pytest.raises(KafkaException) as error:
        read(stack.kafka.client("catalogue"), "registration.signing-keys", "registration.people")
    assert refused(error)


def test_a_topic_that_does_not_exist_is_not_made_by_writing(stack: LocalStack) -> None:
    admin = stack.kafka.admin()
    with pytest.raises(KafkaException):
        write({**stack.kafka.client("admin"), "message.timeout.ms": 2000}, "typo.topic", b"lost?")
    assert "typo.topic" not in admin.list_topics(timeout=10).topics


def test_a_wrong_password_is_refused(stack: LocalStack) -> None:
    client = AdminClient({**stack.kafka.client("catalogue"), "sasl.password": "wrong"})
    with pytest.raises(KafkaException):
        client.list_topics(timeout=3)


def test_a_platform_writes_to_its_own_topic_only(stack: LocalStack, platforms: tuple[str, str]) -> None:
    client = stack.kafka.client(f"platform-{SWEDEN}", outside=True)
    write(client, f"national-platforms.{SWEDEN}.events", b"{}")
    for foreign in (
        f"national-platforms.{SPAIN}.events",
        f"national-platforms.{SWEDEN}.receipts",
        "national-platforms.directory",
        "registration.cities",
    ):
        with pytest.raises(KafkaException) as error:
            write(client, foreign, b"{}")
        assert refused(error), foreign


def test_a_platform_reads_its_own_receipts_only(stack: LocalStack, platforms: tuple[str, str]) -> None:
    client = stack.kafka.client(f"platform-{SWEDEN}", outside=True)
    for platform in platforms:
        write(stack.kafka.client("events-calendar"), f"national-platforms.{platform}.receipts", b"accepted")
    assert read(client, f"national-platforms.{SWEDEN}.receipts", f"platform-{SWEDEN}.reader") == [b"accepted"]
    with pytest.raises(KafkaException) as error:
        read(client, f"national-platforms.{SPAIN}.receipts", f"platform-{SWEDEN}.reader")
    assert refused(error)
    with pytest.raises(KafkaException) as error:
        read(client, f"national-platforms.{SWEDEN}.receipts", f"platform-{SPAIN}.reader")
    assert refused(error)


def test_the_calendar_reads_a_platform_that_was_added_later(stack: LocalStack, platforms: tuple[str, str]) -> None:
    write(stack.kafka.client(f"platform-{SPAIN}", outside=True), f"national-platforms.{SPAIN}.events", b"{}")
    topic = f"national-platforms.{SPAIN}.events"
    assert read(stack.kafka.client("events-calendar"), topic, "events-calendar.platforms") == [b"{}"]


def test_the_broker_refuses_a_message_of_five_megabytes(stack: LocalStack, platforms: tuple[str, str]) -> None:
    client = stack.kafka.client(f"platform-{SWEDEN}", outside=True)
    with pytest.raises(KafkaException) as error:
        write(client, f"national-platforms.{SWEDEN}.events", b"x" * 5 * 1024 * 1024)
    assert error.value.args[0].code() == KafkaError.MSG_SIZE_TOO_LARGE


def test_the_broker_slows_down_a_platform_that_floods(stack: LocalStack, platforms: tuple[str, str]) -> None:
    throttled: list[float] = []
    client = stack.kafka.client(f"platform-{SWEDEN}", outside=True)
    producer = Producer({**client, "throttle_cb": lambda event: throttled.append(event.throttle_time)})
    for _ in range(1_000):  # 20 MB, of which the quota lets pass the first few
        producer.produce(f"national-platforms.{SWEDEN}.events", b"x" * 20_000)
        if producer.poll(0.01) and throttled:
            break
    producer.purge()
    assert throttled


def test_a_platform_id_that_is_none_is_refused(stack: LocalStack) -> None:
    with pytest.raises(LocalError, match="country code"):
        stack.add_platforms(["../registration"])


@pytest.mark.parametrize("service", SERVICES)
def test_no_service_reads_another_ones_database(stack: LocalStack, service: str) -> None:
    with MongoClient[dict[str, Any]](stack.mongo.url(service)) as client:
        client[database(service)].things.insert_one({"of": service})
        for other in SERVICES:
            if other == service:
                continue
            with pytest.raises(OperationFailure, match="not authorized"):
                client[database(other)].things.find_one()
            with pytest.raises(OperationFailure, match="not authorized"):
                client[database(other)].things.insert_one({"of": service})


def test_a_service_has_transactions_and_change_streams(mongo: MongoClient[dict[str, Any]]) -> None:
    documents = mongo.registration.documents
    with documents.watch(max_await_time_ms=100) as changes:
        with mongo.start_session() as session, session.start_transaction():
            documents.insert_one({"name": "first"}, session=session)
        assert next(changes)["fullDocument"]["name"] == "first"


def test_mongodb_refuses_who_does_not_sign_in(stack: LocalStack) -> None:
    with (
        MongoClient[dict[str, Any]](f"mongodb://{stack.mongo.address}", directConnection=True) as client,
        pytest.raises(OperationFailure, match="requires authentication"),
    ):
        client.registration.documents.find_one()


def test_secrets_are_for_their_owner_only(stack: LocalStack) -> None:
    for service in SERVICES:
        stack.settings_for(service)
    files = [path for path in stack.secrets.root.rglob("*") if path.is_file()]
    assert files
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    passwords = {path.read_text() for path in files if path.name.endswith(("password", "key"))}
    for log in stack.home.glob("logs/*.log"):
        assert not [password for password in passwords if password in log.read_text()], log.name


def test_an_accepted_mail_is_in_the_maildir(stack: LocalStack) -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "platform@example.org", "városháza@example.org", "Üdvözlet"
    message.set_content("Kérjük, erősítse meg.")
    with smtplib.SMTP(HOST, stack.smtp_port) as client:
        client.send_message(message)
    mails = [message_from_bytes(file.read_bytes(), policy=policy.default) for file in stack.maildir.glob("new/*")]
    delivered = [mail for mail in mails if mail["Subject"] == "Üdvözlet"]
    assert [mail["X-RcptTo"] for mail in delivered] == ["városháza@example.org"]
    assert delivered[0].get_content().strip() == "Kérjük, erősítse meg."


def test_operators_see_since_when_each_group_waits_for_the_same_partition(stack: LocalStack) -> None:
    write(stack.kafka.client("catalogue"), "catalogue.dead-letters", b"waits")
    groups = ("catalogue.events", "notification.events")
    behind = [Position(group, "catalogue.dead-letters", 0, committed=0, begin=0, end=1) for group in groups]
    assert set(waiting_since(stack, behind)) == set(behind)
