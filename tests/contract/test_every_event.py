"""What holds for every event type, without exception: a new type is walked over as soon as it is declared."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from contracts import compatibility, registry
from contracts.envelope import EVENT_TYPES, Attributes, Event, UnknownVersion, decode, name_and_version
from contracts.national_platforms import PLATFORM_TYPES

EXAMPLES = sorted(compatibility.EXAMPLES.glob("*.json"))
DOMAINS = {"registration", "helpdesk", "groups", "learning", "selection", "calendar", "catalogue", "notification"}

every_type = pytest.mark.parametrize("event_type", sorted(EVENT_TYPES))
every_example = pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)


def load(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return content


def example(event_type: str) -> dict[str, Any]:
    return load(compatibility.EXAMPLES / f"{event_type}.json")


def attributes(message: dict[str, Any]) -> Attributes:
    """The attributes of a structured CloudEvent, by way of the headers that binary mode would have."""
    return Attributes.from_headers(
        (f"ce_{name}", str(value).encode()) for name, value in message.items() if name != "data"
    )


def holds(kept: Any, written: Any) -> bool:
    """Whether everything that was written is kept; fields that came later may stand beside it."""
    if isinstance(written, dict):
        return written.keys() <= kept.keys() and all(holds(kept[name], value) for name, value in written.items())
    if isinstance(written, list):
        return len(kept) == len(written) and all(map(holds, kept, written))
    return bool(kept == written)


@every_type
def test_has_a_frozen_example(event_type: str) -> None:
    assert (compatibility.EXAMPLES / f"{event_type}.json").exists(), (
        f"write contracts/examples/{event_type}.json: a structured CloudEvent, as it may stand in the log for ever"
    )


@every_example
def test_frozen_example_is_still_read(path: Path) -> None:
    message = load(path)
    assert path.name.startswith(message["type"] + ".")
    event = decode(message["type"], json.dumps(message["data"]).encode())
    newest = max(
        name_and_version(one)[1] for one in EVENT_TYPES if one.rpartition(".v")[0] == event.type.rpartition(".v")[0]
    )
    assert name_and_version(event.type)[1] == newest, "decode lifts to the newest version"
    if event.type == message["type"]:
        kept = event.model_dump(mode="json")
        assert holds(kept, message["data"]) or event.type in PLATFORM_TYPES
        assert event.aggregate_id == message["subject"], "the subject is the aggregate's id"


@every_type
def test_round_trip_through_headers_and_value(event_type: str) -> None:
    message = example(event_type)
    event = decode(event_type, json.dumps(message["data"]).encode())
    sent = attributes(message)
    assert Attributes.from_headers(sent.headers()) == sent
    assert decode(sent.type, event.model_dump_json().encode()) == event
    for name in ("actor", "onbehalfof", "city", "correlationid", "causationid", "traceparent"):
        assert getattr(sent, name) == message.get(name)


@every_type
def test_unknown_fields_are_ignored(event_type: str) -> None:
    data = example(event_type)["data"]
    schema = compatibility.schema_of(EVENT_TYPES[event_type])
    more = with_more(data, schema, schema)
    assert more != data
    assert decode(event_type, json.dumps(more).encode()) == decode(event_type, json.dumps(data).encode())


def with_more(value: Any, schema: dict[str, Any], root: dict[str, Any]) -> Any:
    """The value with a field added to every object that a model describes; maps stay, their keys are data."""
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    for option in schema.get("anyOf", ()):
        value = with_more(value, option, root)
    if isinstance(value, list) and isinstance(schema.get("items"), dict):
        return [with_more(item, schema["items"], root) for item in value]
    if isinstance(value, dict) and "properties" in schema:
        known = {name: with_more(item, schema["properties"][name], root) for name, item in value.items()}
        return known | {"added_later": {"by": ["a newer writer"]}}
    return value


@every_type
def test_newer_version_stops_the_reader(event_type: str) -> None:
    name, _ = name_and_version(event_type)
    with pytest.raises(UnknownVersion, match="is newer than"):
        decode(f"{name}.v99", b"{}")


@every_type
def test_schema_is_committed(event_type: str) -> None:
    path = compatibility.SCHEMAS / f"{event_type}.json"
    assert path.exists(), "run `make contracts` and commit contracts/generated"
    assert compatibility.breaking_changes(load(path), compatibility.schema_of(EVENT_TYPES[event_type])) == []


@every_type
def test_is_named_by_the_rule(event_type: str) -> None:
    name, _ = name_and_version(event_type)
    _, _, domain, *words = name.split(".")
    expected = "".join(part.capitalize() for word in words for part in word.split("-"))
    if event_type in PLATFORM_TYPES:
        assert domain == "national-platform"
        expected = f"Platform{expected}"
    assert domain in DOMAINS | {"national-platform"}
    assert re.sub(r"V\d+$", "", EVENT_TYPES[event_type].__name__) == expected
    assert words[-1].endswith("ed") or words[-1] in {"given", "held", "withdrawn"}, "an event is a fact: past tense"
    assert EVENT_TYPES[event_type].__doc__ != Event.__doc__, "an event says what happened"


@every_type
def test_newest_version_is_on_exactly_one_topic(event_type: str) -> None:
    name, version = name_and_version(event_type)
    topics = [topic.name for topic in registry.TOPICS if EVENT_TYPES[event_type] in topic.events]
    newest = max(v for n, v in map(name_and_version, EVENT_TYPES) if n == name)
    assert len(topics) == (1 if version == newest else 0), f"{event_type} is on {topics}"


PERSONAL = {
    "mail", "email", "mail_address", "mailbox", "address", "phone", "telephone", "mobile", "given_name", "family_name",
    "first_name", "last_name", "full_name", "display_name", "birthday", "gender", "nationality", "token", "password",
    "comment", "note", "free_text",
}  # fmt: skip
NAMES_OF_THINGS = {"Authority", "Place", "Location", "Organiser", "PlatformListed"}


@every_type
def test_nothing_personal_outside_personal_topics(event_type: str) -> None:
    model = EVENT_TYPES[event_type]
    if any(topic.personal for topic in registry.TOPICS if model in topic.events):
        return
    schema = compatibility.schema_of(model)
    for owner, part in {model.__name__: schema, **schema.get("$defs", {})}.items():
        fields = set(part.get("properties", ()))
        allowed = {"address"} if owner == "Location" else set()
        assert not fields & PERSONAL - allowed, f"{owner} carries {fields & PERSONAL}"
        assert "name" not in fields or owner in NAMES_OF_THINGS, f"{owner}.name: whose name is it?"


def test_examples_hold_no_mail_address_outside_personal_topics() -> None:
    personal = {event.type for topic in registry.TOPICS if topic.personal for event in topic.events}
    for path in EXAMPLES:
        message = load(path)
        if message["type"] not in personal:
            text = re.sub(r'"uid": "[^"]*"', "", json.dumps(message["data"]))
            assert "@" not in text, path.name
