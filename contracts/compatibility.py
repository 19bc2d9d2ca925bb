"""Refuses a breaking change of an event that was committed: ``python -m contracts.compatibility [--base REF]``.

The log keeps what was published, and readers are deployed at another time than writers. So within a version only one
kind of change is allowed: a new optional field. All else (a field removed, renamed or required, a type, limit,
vocabulary or default changed in either direction) is a new version of the type, which the old one is upcast to.

The base is a git revision (``HEAD`` by default; continuous integration names the branch that is merged into). Frozen
examples are compared too: they may be added, never edited.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from contracts import registry
from contracts.envelope import EVENT_TYPES, Event, name_and_version

ROOT = Path(__file__).parent
SCHEMAS = ROOT / "generated" / "schemas"
EXAMPLES = ROOT / "examples"

Schema = Mapping[str, Any]

_WORDS = {"title", "description", "examples", "$defs", "$schema"}
"""Keywords that say nothing about which values are valid."""


def schema_of(model: type[Event]) -> dict[str, Any]:
    """The JSON Schema (2020-12) of an event's data, as a reader needs it."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **model.model_json_schema()}


def breaking_changes(before: Schema, after: Schema) -> list[str]:
    """What a change of schema breaks, one clause each, such as ```city_id` was removed``; empty when nothing."""
    return list(_compare(before, after, before, after, ""))


def _compare(before: Any, after: Any, old_root: Schema, new_root: Schema, path: str) -> Iterator[str]:
    before, after = _resolved(before, old_root), _resolved(after, new_root)
    where = f"`{path}`" if path else "the data"
    for keyword in sorted((before.keys() | after.keys()) - _WORDS - {"properties", "required"}):
        old, new = before.get(keyword), after.get(keyword)
        if keyword in ("anyOf", "oneOf", "prefixItems") and isinstance(old, list) and isinstance(new, list):
            if len(old) != len(new):
                yield f"{where} takes other types of value"
            for one, other in zip(old, new, strict=False):
                yield from _compare(one, other, old_root, new_root, path)
        elif isinstance(old, Mapping) and isinstance(new, Mapping) and keyword != "default":
            if keyword == "patternProperties" and list(old) == list(new):
                for pattern in old:
                    yield from _compare(old[pattern], new[pattern], old_root, new_root, f"{path}.*")
            elif keyword != "patternProperties":
                yield from _compare(old, new, old_root, new_root, f"{path}[]" if keyword == "items" else f"{path}.*")
            else:
                yield f"{where} takes other keys"
        elif old != new:
            yield f"{where} changed its {keyword} from {json.dumps(old)} to {json.dumps(new)}"
    yield from _fields(before, after, old_root, new_root, path)


def _fields(before: Schema, after: Schema, old_root: Schema, new_root: Schema, path: str) -> Iterator[str]:
    old, new = before.get("properties", {}), after.get("properties", {})
    needed, needs = set(before.get("required", ())), set(after.get("required", ()))
    for name in old.keys() | new.keys() if not old or not new else [*old, *(name for name in new if name not in old)]:
        field = f"{path}.{name}" if path else name
        if name not in new:
            yield f"`{field}` was removed"
        elif name not in old:
            if name in needs:
                yield f"`{field}` was added as a required field"
        else:
            if (name in needs) != (name in needed):
                yield f"`{field}` became {'required' if name in needs else 'optional'}"
            yield from _compare(old[name], new[name], old_root, new_root, field)


def _resolved(schema: Any, root: Schema) -> Schema:
    if not isinstance(schema, Mapping):
        return {"const": schema}
    if (reference := schema.get("$ref")) is None:
        return schema
    return {**root["$defs"][reference.removeprefix("#/$defs/")], **{k: v for k, v in schema.items() if k != "$ref"}}


def readers_of(event_type: str) -> list[str]:
    """Who reads an event type, in any version, by the registry; raw readers included."""
    name, _ = name_and_version(event_type)
    return sorted(
        reader
        for topic in registry.TOPICS
        if any(name_and_version(event.type)[0] == name for event in topic.events)
        for reader, events in topic.readers.items()
        if not events or any(name_and_version(event.type)[0] == name for event in events)
    )


def refusal(event_type: str, changes: list[str]) -> str:
    """The sentence that refuses a breaking change, and names the consumers that have to be deployed first."""
    name, version = name_and_version(event_type)
    readers = readers_of(event_type)
    first = f"deploy its readers first: {', '.join(readers)}" if readers else "no service reads it"
    return (
        f"{event_type}: {'; '.join(changes)}. Published events cannot change: declare {name}.v{version + 1},"
        f" upcast v{version} to it, and {first}."
    )


def refusals(committed: Mapping[str, Schema]) -> list[str]:
    """Holds the declared event types against committed schemas by type; one sentence per type that breaks."""
    found = []
    for event_type, schema in sorted(committed.items()):
        model = EVENT_TYPES.get(event_type)
        changes = breaking_changes(schema, schema_of(model)) if model else ["it is no longer declared"]
        if changes:
            found.append(refusal(event_type, changes))
    return found


def on_disk() -> dict[str, Schema]:
    """The committed schemas of this checkout, by event type."""
    return {path.name.removesuffix(".json"): json.loads(path.read_text("utf-8")) for path in SCHEMAS.glob("*.json")}


def at(base: str) -> tuple[dict[str, Schema], list[str]]:
    """The schemas by event type at a git revision, and the names of the examples there that were edited since.

    Raises :class:`subprocess.CalledProcessError` when git does not know the revision.
    """
    schemas = {
        name.removesuffix(".json"): json.loads(_git("show", f"{base}:./generated/schemas/{name}"))
        for name in _names(base, "generated/schemas")
    }
    edited = [
        name
        for name in _names(base, "examples")
        if not (EXAMPLES / name).exists() or (EXAMPLES / name).read_bytes() != _git("show", f"{base}:./examples/{name}")
    ]
    return schemas, edited


def _names(base: str, directory: str) -> list[str]:
    listed = _git("ls-tree", "--name-only", "-z", base, f"./{directory}/").decode().split("\0")
    return [name for path in listed if (name := path.rpartition("/")[2]).endswith(".json")]


def _git(*arguments: str) -> bytes:
    return subprocess.run(("git", *arguments), cwd=ROOT, check=True, capture_output=True).stdout


def main() -> int:
    """Prints every refusal; the exit status is 1 when there is one, 2 when the base is not known."""
    parser = argparse.ArgumentParser(description="Refuses breaking changes of committed events.")
    parser.add_argument("--base", default="HEAD", help="git revision to compare with (default: HEAD)")
    base = parser.parse_args().base
    try:
        schemas, edited = at(base)
    except (subprocess.CalledProcessError, FileNotFoundError):
        if base != "HEAD":
            print(f"git does not know the revision {base}.", file=sys.stderr)
            return 2
        schemas, edited = on_disk(), []  # not a git work tree: an unpacked archive
    found = refusals(schemas)
    found += [f"contracts/examples/{name} was edited: frozen examples are only added to." for name in edited]
    for sentence in found:
        print(sentence, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
