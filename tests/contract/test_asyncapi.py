"""The generated AsyncAPI documents say what the registry says, and every reference in them leads somewhere."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from contracts import registry
from contracts.generate import GENERATED
from contracts.topic import PLATFORM_PRINCIPAL

PRINCIPALS = {service: service for service in registry.SERVICES} | {PLATFORM_PRINCIPAL: "national-platform"}
every_document = pytest.mark.parametrize("principal", PRINCIPALS)


def document(principal: str) -> dict[str, Any]:
    path = GENERATED / "asyncapi" / f"{PRINCIPALS[principal]}.json"
    content: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return content


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


@every_document
def test_every_reference_resolves(principal: str) -> None:
    whole = document(principal)
    for reference in references(whole):
        path, _, pointer = reference.partition("#")
        if path:
            assert (GENERATED / "asyncapi" / path).resolve().exists(), reference
        else:
            value: Any = whole
            for part in pointer.lstrip("/").split("/"):
                value = value[part]


@every_document
def test_operations_are_the_registrys(principal: str) -> None:
    whole = document(principal)
    addresses = {name: channel["address"] for name, channel in whole["channels"].items()}
    for action, topics in (("send", registry.written_by(principal)), ("receive", registry.read_by(principal))):
        said = {
            addresses[Path(operation["channel"]["$ref"]).name]: {
                Path(message["$ref"]).name for message in operation.get("messages", ())
            }
            for operation in whole["operations"].values()
            if operation["action"] == action
        }
        declared = {
            topic.name: topic.events if action == "send" else topic.readers[principal] or topic.events
            for topic in topics
        }
        assert said == {name: {event.__name__ for event in events} for name, events in declared.items()}


@every_document
def test_every_message_has_headers_and_payload(principal: str) -> None:
    for message in document(principal)["components"]["messages"].values():
        assert message["headers"]
        assert message["payload"] == {"$ref": f"../schemas/{message['name']}.json"}
        assert message["summary"]
