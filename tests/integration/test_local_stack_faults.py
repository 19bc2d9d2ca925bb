"""The local stack survives what a machine does to it, and says in one sentence what it cannot do."""

import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from infra.local import HOST
from infra.local import stack as local_stack
from infra.local.errors import LocalError
from infra.local.ports import Ports
from infra.local.stack import LocalStack
from mission.groups import lag
from tests.integration.outsiders import read, write


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """A broker whose platforms' listener uses TLS, in a directory with a space in its name."""
    stack = LocalStack(tmp_path_factory.mktemp("with a space"), Ports.free(), tls=True)
    try:
        stack.kafka.start()
        yield stack
    finally:
        stack.stop()


def test_what_was_written_is_there_after_the_broker_was_killed(stack: LocalStack) -> None:
    client = stack.kafka.client("registration")
    write(client, "registration.dead-letters", b"before")
    stack.kafka.kill()
    assert stack.kafka.daemon.pid is None
    stack.kafka.start()
    write(client, "registration.dead-letters", b"after")
    values = read(stack.kafka.client("operator"), "registration.dead-letters", "operator.test")
    assert [value for value in values if value in (b"before", b"after")] == [b"before", b"after"]


def test_what_was_written_is_there_after_the_database_was_killed(stack: LocalStack) -> None:
    with MongoClient[dict[str, Any]](stack.mongo.url("catalogue")) as client:
        client.catalogue.survivors.insert_one({"_id": "before"})
        stack.mongo.kill()
        stack.mongo.start()
        client.catalogue.survivors.insert_one({"_id": "after"})
        assert {document["_id"] for document in client.catalogue.survivors.find()} == {"before", "after"}


def test_a_second_start_finds_everything_running(stack: LocalStack) -> None:
    before = [daemon.pid for daemon in stack.daemons]
    stack.start()
    assert [daemon.pid for daemon in stack.daemons] == before


def test_an_outsider_writes_through_tls(encrypted: LocalStack) -> None:
    (properties,) = encrypted.add_platforms(["se-viable-cities"])
    client = dict(line.split("=", 1) for line in properties.read_text().splitlines())
    assert client["security.protocol"] == "SASL_SSL"
    write(client, "national-platforms.se-viable-cities.events", b"{}")
    topic = "national-platforms.se-viable-cities.events"
    assert read(encrypted.kafka.client("events-calendar"), topic, "events-calendar.test") == [b"{}"]


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    stack = LocalStack(tmp_path, Ports.free())
    expected = rf"port {stack.ports.mongo};.*MISSION_PORT_BASE"
    with socket.create_server((HOST, stack.ports.mongo)), pytest.raises(LocalError, match=expected):
        stack.start()
    assert [daemon.pid for daemon in stack.daemons] == [None, None, None]


def test_a_broker_can_be_asked_about_consumers_as_soon_as_it_is_there_and_no_sooner(tmp_path: Path) -> None:
    stack = LocalStack(tmp_path, Ports.free())
    with pytest.raises(LocalError, match=r"Kafka does not answer .*status"):
        lag(stack)
    try:
        stack.kafka.start()
        stack.apply_registry()
        assert set(lag(stack).values()) == {0}
    finally:
        stack.stop()


def test_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_stack, "MINIMUM_FREE_BYTES", 2**60)
    with pytest.raises(LocalError, match=re.compile("GB are free on the disk")):
        LocalStack(tmp_path, Ports.free()).start()


def test_a_broker_that_ends_at_once_shows_its_last_lines(encrypted: LocalStack, tmp_path: Path) -> None:
    stack = LocalStack(tmp_path, Ports.free())
    (tmp_path / "kafka").mkdir()
    (tmp_path / "kafka" / "formatted").touch()  # claims to be prepared, and is not
    with pytest.raises(LocalError, match=r"(?s)Kafka ended while starting.*meta\.properties"):
        stack.kafka.start()
    assert stack.kafka.daemon.pid is None
