"""The services' databases: clock, version, rights, indexes, disk, and what waits in them for too long."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any, Final

from pymongo import ASCENDING, IndexModel

from contracts.registry import STORING
from infra.databases import database
from infra.stack import Stack
from mission import clock, place
from mission.doctor import Finding, drift, some
from shared import consumer, deadlines, outbox
from shared.store import GENERATIONS, PRESENT, Collection

OLDEST_SERVER: Final = (6, 0)
OLD_SECONDS: Final = 30
LONG_PARKED: Final = timedelta(minutes=15)
FULL: Final = 0.9
IDEMPOTENCY: Final = IndexModel([("at", ASCENDING)], expireAfterSeconds=0)

Row = Mapping[str, Any]


def stores(stack: Stack) -> Iterator[Finding]:
    """Every database, one after the other."""
    versions: dict[str, str] = {}
    for service in STORING:
        before = datetime.now(UTC)
        hello, build, status, statistics, names = stack.ask(
            service,
            {"hello": 1},
            {"buildInfo": 1},
            {"connectionStatus": 1},
            {"dbStats": 1},
            {"listCollections": 1, "nameOnly": True},
        )
        after = datetime.now(UTC)
        yield from drift(f"the database of {service}", before, hello["localTime"], after)
        yield from _rights(service, status)
        yield from _disk(service, statistics)
        versions[service] = build["version"]
        present = {row["name"] for row in names["cursor"]["firstBatch"]}
        yield from _indexes(stack, service, present)
        yield from _waiting(stack, service)
    yield from _versions(versions)


def _versions(versions: Mapping[str, str]) -> Iterator[Finding]:
    for service, version in versions.items():
        if tuple(map(int, version.split(".")[:2])) < OLDEST_SERVER:
            yield Finding(f"The database of {service} is MongoDB {version}.", "Bring it to MongoDB 6.0 or newer.")
    if len({version.partition(".")[0] for version in versions.values()}) > 1:
        told = (f"{service} {version}" for service, version in versions.items())
        yield Finding(f"Databases are of different releases: {some(told, 10)}.", "Bring them to one.", wrong=False)


def _rights(service: str, status: Row) -> Iterator[Finding]:
    roles = {(role["role"], role["db"]) for role in status["authInfo"]["authenticatedUserRoles"]}
    wanted = {(role, database(service)) for role in ("readWrite", "dbAdmin")}
    if roles != wanted:
        yield Finding(
            f"The database user of {service} has the roles {some(f'{role} on {db}' for role, db in roles)}.",
            "Start the platform again: it gives each user its own database and nothing else.",
        )


def _disk(service: str, statistics: Row) -> Iterator[Finding]:
    used, whole = statistics.get("fsUsedSize"), statistics.get("fsTotalSize")
    if used and whole and used / whole > FULL:
        yield Finding(
            f"The disk of {service}'s database is {used / whole:.0%} full.",
            "Give it more room; MongoDB stops writing when there is none.",
        )


def collections(service: str) -> list[Collection[Any]]:
    """What a service keeps."""
    store = import_module(f"services.{place.package(service)}.store")
    return [*store.COLLECTIONS, *consumer.COLLECTIONS, deadlines.DEADLINES]


def declared(service: str, generation: int) -> dict[str, dict[str, Row]]:
    """The indexes that a service declares, by collection and name, with this generation of its projections."""
    models = {each.stored_as(generation): each.indexes for each in collections(service) if each.indexes}
    models |= {outbox.COLLECTION: outbox.INDEXES, "idempotency": (IDEMPOTENCY,)}
    return {name: {model.document["name"]: model.document for model in each} for name, each in models.items()}


def _indexes(stack: Stack, service: str, present: set[str]) -> Iterator[Finding]:
    (pointer,) = stack.ask(service, {"find": GENERATIONS, "filter": {"_id": PRESENT}})
    generation = next((row["generation"] for row in pointer["cursor"]["firstBatch"]), 1)
    wanted = declared(service, generation)
    there = sorted(wanted.keys() & present)
    answers = stack.ask(service, *({"listIndexes": name} for name in there))
    has = {
        name: {row["name"]: row for row in answer["cursor"]["firstBatch"] if row["name"] != "_id_"}
        for name, answer in zip(there, answers, strict=True)
    }
    for collection, indexes in wanted.items():
        for name, index in indexes.items():
            found = has.get(collection, {}).get(name)
            if found is None:
                yield Finding(f"{service}: {collection} lacks the index {name}.", _restart(service))
            elif differing := _differing(index, found):
                yield Finding(
                    f"{service}: the index {name} of {collection} differs in {some(differing)}.",
                    _restart(service),
                )
        if strange := has.get(collection, {}).keys() - indexes.keys():
            yield Finding(
                f"{service}: {collection} has indexes that are not declared: {some(strange)}.",
                "Somebody made them by hand, or an older release did; drop what nothing needs.",
                wrong=False,
            )


def _restart(service: str) -> str:
    return f"Restart {service}: it makes its indexes when it starts."


def _differing(wanted: Row, found: Row) -> list[str]:
    """In which properties an index is not as declared. How long answers are kept is a setting of its own."""
    names = ("key", "unique", "sparse", "partialFilterExpression", "collation")
    return [name for name in names if _plain(wanted.get(name)) != _plain(found.get(name))]


def _plain(value: Any) -> Any:
    """A value with what it leaves open left out, and the order of keys kept."""
    return list(value.items()) if isinstance(value, Mapping) else value or None


def _waiting(stack: Stack, service: str) -> Iterator[Finding]:
    unpublished = {"published": False, "created": {"$exists": True}}
    one = {"limit": 1, "singleBatch": True}
    oldest, stuck, parked, letters = stack.ask(
        service,
        {"find": "outbox", "filter": unpublished, "sort": {"created": 1}, "projection": {"created": 1}, **one},
        {"find": "outbox", "filter": {"published": False, "parked": True}, "projection": {"topic": 1, "reason": 1}},
        {
            "find": "parked",
            "filter": {},
            "sort": {"timestamp_ms": 1},
            "projection": {"timestamp_ms": 1, "state": 1, "waiting_for": 1},
        },
        {"count": "dead_letters", "query": {"open": True}},
    )
    for row in oldest["cursor"]["firstBatch"]:
        age = (clock.now() - row["created"]).total_seconds()
        if age > OLD_SECONDS:
            yield Finding(
                f"{service}: the oldest event in the outbox has waited for {age:.0f} s.",
                "docs/operations/alerts/outbox-old.md",
            )
    for row in stuck["cursor"]["firstBatch"]:
        yield Finding(
            f"{service}: the broker will never take {row['_id']} for {row['topic']}: {row['reason'][:150]}",
            "docs/operations/alerts/outbox-row-refused.md",
        )
    rows = parked["cursor"]["firstBatch"]
    if rows:
        since = datetime.fromtimestamp(rows[0]["timestamp_ms"] / 1000, UTC)
        yield Finding(
            f"{service}: {'at least ' * (len(rows) > 100)}{len(rows)} events wait for others, since"
            f" {since:%Y-%m-%d %H:%M} UTC, for {some({row['waiting_for'] or 'those before' for row in rows}, 2)}"
            f" (on {some({row['state'] for row in rows}, 2)}).",
            "docs/operations/alerts/events-parked.md",
            wrong=datetime.now(UTC) - since > LONG_PARKED,
        )
    if letters["n"]:
        yield Finding(
            f"{service}: {letters['n']} dead letters wait for a decision.",
            f"`bin/mission dead-letters list --service {service}`; docs/operations/alerts/dead-letters.md",
        )
