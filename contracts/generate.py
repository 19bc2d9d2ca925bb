"""Writes what others read of the contracts: ``python -m contracts.generate [--check]``.

``contracts/generated/schemas/<type>.json`` is the JSON Schema of each event type,
``contracts/generated/asyncapi/<service>.json`` the AsyncAPI 3.0 document of each service, and
``national-platform.json`` the one of those who publish from outside. All come from the models and the registry, so
that they say what is declared, whoever subscribes how.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from contracts import registry
from contracts.compatibility import ROOT, on_disk, refusals, schema_of
from contracts.envelope import EVENT_TYPES, Event
from contracts.topic import PLATFORM_PRINCIPAL, Topic

GENERATED = ROOT / "generated"
COMMAND = "python -m contracts.generate"

Json = dict[str, Any]

HEADERS: Json = {
    "title": "CloudEvents attributes in Kafka's binary mode",
    "type": "object",
    "required": ["ce_specversion", "ce_id", "ce_source", "ce_type", "ce_subject", "ce_time"],
    "properties": {
        "ce_specversion": {"const": "1.0"},
        "ce_id": {"type": "string", "minLength": 1, "description": "Equal in every repeat of the event."},
        "ce_source": {"type": "string", "format": "uri-reference"},
        "ce_type": {"type": "string"},
        "ce_subject": {"type": "string", "description": "The aggregate's id; also the record's key."},
        "ce_time": {"type": "string", "format": "date-time"},
        "ce_aggregateversion": {"type": "string", "pattern": "^[0-9]+$", "description": "The write that made it."},
        "ce_ordinal": {"type": "string", "pattern": "^[0-9]+$", "description": "Its place within that write."},
        "ce_actor": {"type": "string", "description": "The person, service or platform that caused it."},
        "ce_onbehalfof": {"type": "string", "description": "The person that an agent acted for."},
        "ce_city": {"type": "string", "description": "The city that it concerns."},
        "ce_correlationid": {"type": "string"},
        "ce_causationid": {"type": "string", "description": "The event that it is a reaction to."},
        "ce_traceparent": {"type": "string", "description": "W3C Trace Context."},
        "content-type": {"const": "application/json"},
    },
}
OUTSIDE_HEADERS: Json = {
    **HEADERS,
    "description": "Structured mode (content-type application/cloudevents+json) is taken too.",
    "required": ["ce_specversion", "ce_id", "ce_source", "ce_type", "ce_subject"],
    "properties": {
        name: HEADERS["properties"][name]
        for name in ("ce_specversion", "ce_id", "ce_source", "ce_type", "ce_subject", "ce_time", "content-type")
    },
}

_HEADERS: Json = {"CloudEvent": HEADERS, "OutsideCloudEvent": OUTSIDE_HEADERS}


def documents() -> dict[str, str]:
    """Every generated file by its path below ``contracts/generated``."""
    found = {f"schemas/{event_type}.json": schema_of(model) for event_type, model in EVENT_TYPES.items()}
    for service in registry.SERVICES:
        found[f"asyncapi/{service}.json"] = asyncapi(service, service)
    found["asyncapi/national-platform.json"] = asyncapi(PLATFORM_PRINCIPAL, "national platform")
    return {path: json.dumps(content, indent=2, ensure_ascii=False) + "\n" for path, content in sorted(found.items())}


def asyncapi(principal: str, title: str) -> Json:
    """The AsyncAPI 3.0 document of what a principal sends to topics and receives from them."""
    sends = {topic.name: (topic, topic.events) for topic in registry.written_by(principal)}
    receives = {topic.name: (topic, topic.readers[principal] or topic.events) for topic in registry.read_by(principal)}
    channels: Json = {}
    operations: Json = {}
    messages: Json = {}
    for action, topics in (("send", sends), ("receive", receives)):
        for topic, events in topics.values():
            channel = channels.setdefault(_id(topic), _channel(topic))
            for event in events:
                channel["messages"][event.__name__] = {"$ref": f"#/components/messages/{event.__name__}"}
                messages[event.__name__] = _message(event, topic)
            operations[f"{action}.{_id(topic)}"] = _operation(action, topic, events)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": f"Cities Mission Platform: {title}",
            "version": "1.0.0",
            "description": f"What {title} sends and receives. Made by `{COMMAND}` from contracts/registry.py.",
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {"schemas": _HEADERS, "messages": messages},
    }


def _id(topic: Topic) -> str:
    return topic.name.replace("{", "").replace("}", "")


def _channel(topic: Topic) -> Json:
    channel: Json = {"address": topic.name, "description": topic.description, "messages": {}}
    if topic.template:
        channel["parameters"] = {"platform": {"description": "Id of the national platform, such as se-viable-cities."}}
    config = topic.config()
    channel["bindings"] = {
        "kafka": {
            "partitions": topic.partitions,
            "topicConfiguration": {
                "cleanup.policy": [config["cleanup.policy"]],
                "retention.ms": int(config["retention.ms"]),
                "max.message.bytes": topic.max_message_bytes,
                **({"delete.retention.ms": int(lag)} if (lag := config.get("delete.retention.ms")) else {}),
            },
            "bindingVersion": "0.5.0",
        }
    }
    return channel


def _operation(action: str, topic: Topic, events: tuple[type[Event], ...]) -> Json:
    channel = f"#/channels/{_id(topic)}"
    return {
        "action": action,
        "channel": {"$ref": channel},
        **({"messages": [{"$ref": f"{channel}/messages/{event.__name__}"} for event in events]} if events else {}),
    }


def _message(event: type[Event], topic: Topic) -> Json:
    headers = "OutsideCloudEvent" if topic.owner == PLATFORM_PRINCIPAL else "CloudEvent"
    return {
        "name": event.type,
        "title": event.__name__,
        "summary": (event.__doc__ or "").strip().partition("\n")[0],
        "contentType": "application/json",
        "headers": {"$ref": f"#/components/schemas/{headers}"},
        "payload": {"$ref": f"../schemas/{event.type}.json"},
        "bindings": {"kafka": {"key": {"type": "string"}, "bindingVersion": "0.5.0"}},
    }


def stale(directory: Path = GENERATED) -> Iterator[str]:
    """Names of the generated files that are missing, differ, or should not be there."""
    wanted = documents()
    present = {path.relative_to(directory).as_posix(): path for path in directory.rglob("*.json")}
    for name in sorted(wanted.keys() | present.keys()):
        if name not in wanted or name not in present or present[name].read_text("utf-8") != wanted[name]:
            yield name


def main() -> int:
    """Writes or checks the files. The exit status is 1 when they are stale or a change breaks a committed type."""
    parser = argparse.ArgumentParser(description="Generates JSON Schemas and AsyncAPI documents.")
    parser.add_argument("--check", action="store_true", help="only say whether the committed files are fresh")
    check = parser.parse_args().check
    if found := refusals(on_disk()):
        print("\n".join(found), file=sys.stderr)
        return 1
    names = list(stale())
    if check:
        if names:
            print(f"contracts/generated is stale ({', '.join(names)}): run `make contracts`.", file=sys.stderr)
        return 1 if names else 0
    wanted = documents()
    for name in names:
        path = GENERATED / name
        if name in wanted:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted[name], "utf-8", newline="\n")
        else:
            path.unlink()
    print(f"contracts/generated: {len(names)} of {len(wanted)} files written.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
