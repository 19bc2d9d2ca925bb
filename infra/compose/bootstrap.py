"""Brings a new broker and new databases to what the registry says: ``python -m infra.compose.bootstrap``.

Runs in a container that ends with its work, before the services start; running it again puts right what differs.
"""

import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from pymongo import MongoClient
from pymongo.errors import OperationFailure

from contracts.registry import STORING
from infra.broker import Broker
from infra.compose import KAFKA, MONGO_PORT, mongo
from infra.databases import ADMIN, ensure_user, hello, initiate
from infra.local.errors import LocalError
from infra.local.secrets import Secrets
from infra.stack import Stack
from shared.settings import secrets_dir

PATIENCE_SECONDS: Final = 120
WRONG_PASSWORD: Final = 18


def until(ready: Callable[[], bool], what: str) -> None:
    """Waits for something. Raises :class:`LocalError` with ``what`` after two minutes."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not ready():
        if time.monotonic() > deadline:
            raise LocalError(f"{what} was not ready after {PATIENCE_SECONDS} s; its own log says more.")
        time.sleep(0.2)


def prepare_broker(secrets: Secrets) -> None:
    """Makes the super user, then topics, users, access rules and quotas."""
    broker = Broker(KAFKA, KAFKA, secrets)
    until(lambda: broker.answers("PLAIN"), "Kafka")
    broker.make_super_user()
    until(broker.answers, "Kafka's sign-in")
    Stack(broker, secrets).apply_registry()


def prepare_database(service: str, secrets: Secrets) -> None:
    """Makes a service's server a replica set of one, with the service's user."""
    host = mongo(service)
    client: MongoClient[dict[str, Any]]
    with MongoClient(
        host,
        MONGO_PORT,
        directConnection=True,
        username=ADMIN,
        password=secrets.get(host, "password"),
        serverSelectionTimeoutMS=PATIENCE_SECONDS * 1000,
    ) as client:
        try:
            initiate(client, f"{host}:{MONGO_PORT}")
        except OperationFailure as error:
            if error.code != WRONG_PASSWORD:
                raise
            raise LocalError(
                f"{host} has other passwords than .local/compose/secrets: its data is of a platform whose secrets"
                " are gone; `make clean STACK=compose` removes it."
            ) from error
        until(lambda: bool(hello(client).get("isWritablePrimary")), host)
        ensure_user(client, service, secrets)


def main() -> None:
    """Prepares everything at the same time; what can be mended by a person is one sentence, and the exit code is 1."""
    secrets = Secrets(Path(secrets_dir() or "secrets"))
    try:
        with ThreadPoolExecutor() as pool:
            work = [pool.submit(prepare_broker, secrets)]
            work += [pool.submit(prepare_database, service, secrets) for service in STORING]
            for each in work:
                each.result()
    except LocalError as error:
        sys.exit(str(error))
    print("Broker and databases are as the registry says.")


if __name__ == "__main__":
    main()
