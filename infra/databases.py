"""MongoDB as its administrators see it: one user and one database per service."""

from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Any, Final
from urllib.parse import quote

from bson.json_util import JSONOptions
from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from infra.local.secrets import Secrets

ADMIN: Final = "admin"
REPLICA_SET: Final = "rs0"

CACHE_GB: Final = 0.25
"""WiredTiger's cache, in gigabytes: the smallest that the server accepts."""

OPLOG_MB: Final = 990
"""The smallest oplog that the server accepts: change streams resume from it."""

EXTENDED_JSON: Final = JSONOptions(tz_aware=True, tzinfo=UTC)
"""How commands and answers are written down where a database is asked through a program."""

ALREADY_INITIALIZED: Final = 23


def database(service: str) -> str:
    """The name of a service's database and database user."""
    return service.replace("-", "_")


def service_url(service: str, secrets: Secrets, address: str) -> str:
    """The connection string of a service's own user for its own database, at ``host:port``."""
    name = database(service)
    password = quote(secrets.get(service, "mission_mongo_password"))
    return f"mongodb://{name}:{password}@{address}/{name}?replicaSet={REPLICA_SET}&authSource={name}"


def ensure_user(client: MongoClient[dict[str, Any]], service: str, secrets: Secrets) -> None:
    """Makes a service's user, or gives it back exactly its rights: its own database and nothing else."""
    name = database(service)
    user: dict[str, Any] = {
        "pwd": secrets.get(service, "mission_mongo_password"),
        "roles": [{"role": role, "db": name} for role in ("readWrite", "dbAdmin")],
    }
    exists = client[name].command("usersInfo", name)["users"]
    client[name].command("updateUser" if exists else "createUser", name, **user)


def initiate(client: MongoClient[dict[str, Any]], member: str) -> None:
    """Makes a new server a replica set of one, whose clients find it at ``member`` (``host:port``); again is no harm.

    ``client`` is an administrator's direct connection.
    """
    try:
        client.admin.command("replSetInitiate", {"_id": REPLICA_SET, "members": [{"_id": 0, "host": member}]})
    except OperationFailure as error:
        if error.code != ALREADY_INITIALIZED:
            raise


def ask(url: str, name: str, commands: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The answers of the database ``name`` to these commands, with instants in UTC.

    Raises ``PyMongoError`` when it does not answer within five seconds.
    """
    client: MongoClient[dict[str, Any]]
    with MongoClient(url, tz_aware=True, serverSelectionTimeoutMS=5000) as client:
        return [client[name].command(dict(command), codec_options=client.codec_options) for command in commands]


def hello(client: MongoClient[dict[str, Any]]) -> dict[str, Any]:
    """How the server introduces itself; empty while it does not answer."""
    try:
        return client.admin.command("hello")
    except PyMongoError:
        return {}
