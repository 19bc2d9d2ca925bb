"""Every service's user and every database, read and written: its own, and nothing else."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import OperationFailure

from contracts.registry import SERVICES
from infra.databases import database
from infra.local.stack import LocalStack

DATABASES = (*map(database, SERVICES), "admin", "config", "local", "somebody_elses")
UNAUTHORIZED = 13
Db = Database[dict[str, Any]]


@pytest.fixture(scope="module")
def seeded(backbone: LocalStack) -> Iterator[LocalStack]:
    """A document in every database, so that reading finds something."""
    with MongoClient[dict[str, Any]](backbone.mongo.admin_url) as admin:
        for name in map(database, SERVICES):
            admin[name].things.insert_one({"of": name})
        yield backbone


def refused(work: Callable[[Db], Any], where: Db) -> bool:
    """Whether the server says that the user may not."""
    try:
        work(where)
    except OperationFailure as failure:
        if failure.code == UNAUTHORIZED:
            return True
        raise
    return False


READING: dict[str, Callable[[Db], Any]] = {
    "find": lambda db: db.things.find_one(),
    "aggregate": lambda db: list(db.things.aggregate([{"$match": {}}])),
    "count": lambda db: db.command({"count": "things"}),
    "watch": lambda db: db.things.watch(max_await_time_ms=1).close(),
    "list collections": lambda db: db.list_collection_names(),
    "statistics": lambda db: db.command("dbStats"),
}
WRITING: dict[str, Callable[[Db], Any]] = {
    "insert": lambda db: db.things.insert_one({}),
    "update": lambda db: db.things.update_one({}, {"$set": {"seen": True}}),
    "delete": lambda db: db.things.delete_one({"none": True}),
    "create an index": lambda db: db.things.create_index("of"),
    "create a collection": lambda db: db.command({"create": f"more_{len(db.list_collection_names())}"}),
    "drop a collection": lambda db: db.drop_collection("none"),
}
NEVER: dict[str, Callable[[Db], Any]] = {
    "make a user": lambda db: db.command("createUser", "other", pwd="other", roles=[]),
    "take a role": lambda db: db.command("grantRolesToUser", db.name, roles=[{"role": "root", "db": "admin"}]),
    "see the users": lambda db: db.command("usersInfo", {"forAllDBs": True}),
    "stop the server": lambda db: db.client.admin.command("shutdown"),
    "read the server's log": lambda db: db.client.admin.command("getLog", "global"),
    "read the oplog": lambda db: db.client.local["oplog.rs"].find_one(),
    "watch everything": lambda db: db.client.watch(max_await_time_ms=1).close(),
    "change the replica set": lambda db: db.client.admin.command("replSetStepDown", 1),
    "write elsewhere by an aggregation": lambda db: list(
        db.things.aggregate([{"$out": {"db": "somebody_elses", "coll": "things"}}])
    ),
}


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_reads_and_writes_its_own_database_and_no_other(seeded: LocalStack, service: str) -> None:
    with MongoClient[dict[str, Any]](seeded.mongo.url(service)) as client:
        own = database(service)
        for name in DATABASES:
            for what, work in (READING | WRITING).items():
                assert refused(work, client[name]) == (name != own), f"{service}: {what} in {name}"
        for what, work in NEVER.items():
            assert refused(work, client[own]), f"{service}: {what}"
        assert client.list_database_names() == [own]


def test_who_does_not_sign_in_reads_and_writes_nothing(seeded: LocalStack) -> None:
    address = f"mongodb://{seeded.mongo.address}/"
    with MongoClient[dict[str, Any]](address, directConnection=True) as client:
        for name in DATABASES:
            for what, work in (READING | WRITING).items():
                assert refused(work, client[name]), f"{what} in {name}"


@pytest.mark.parametrize("service", SERVICES)
def test_a_password_opens_one_user_alone(seeded: LocalStack, service: str) -> None:
    url, own = seeded.mongo.url(service), database(service)
    other = next(name for name in map(database, SERVICES) if name != own)
    for wrong in (url.replace(f"//{own}:", f"//{other}:"), url.replace(f"authSource={own}", "authSource=admin")):
        with (
            MongoClient[dict[str, Any]](wrong) as client,
            pytest.raises(OperationFailure, match="Authentication failed"),
        ):
            client[own].things.find_one()
