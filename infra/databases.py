"""MongoDB as its administrators see it: one user and one database per service."""

from typing import Any, Final
from urllib.parse import quote

from pymongo import MongoClient

from infra.local.secrets import Secrets

ADMIN: Final = "admin"
REPLICA_SET: Final = "rs0"

CACHE_GB: Final = 0.25
"""WiredTiger's cache, in gigabytes: the smallest that the server accepts."""

OPLOG_MB: Final = 990
"""The smallest oplog that the server accepts: change streams resume from it."""


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
