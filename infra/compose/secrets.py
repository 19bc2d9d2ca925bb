"""The secrets of a platform in containers: made once in a folder of this machine, and handed to each container alone.

``python -m infra.compose.secrets /secrets --hand-out /handed-out`` makes what is missing (mode 0600) and copies every
container's own part into its volume, readable by that container's user and nobody else. Files of this machine could
not be mounted for that: whoever owns them here is somebody else inside.
"""

import argparse
import os
import shutil
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from contracts.registry import OPERATOR, SERVICES, STORING
from infra.broker import first_sign_in, listener_settings, properties
from infra.compose import KAFKA, KAFKA_USER, MONGO_PORT, MONGO_USER, SERVICE_USER, mongo
from infra.databases import service_url
from infra.local.secrets import Secrets
from infra.stack import service_secrets

DEFAULT_PLATFORMS: Final = "127.0.0.1:8082"


@dataclass(frozen=True, slots=True)
class Part:
    """What one container gets: the files of ``principal`` (of all, when that is None), for the user ``uid``."""

    container: str
    principal: str | None
    uid: int


PARTS: Final = (
    Part("kafka", "kafka", KAFKA_USER),
    *(Part(mongo(service), mongo(service), MONGO_USER) for service in STORING),
    *(Part(service, service, SERVICE_USER) for service in SERVICES),
    Part("bootstrap", None, SERVICE_USER),
)


def make(secrets: Secrets, platforms_address: str = DEFAULT_PLATFORMS) -> None:
    """Makes every secret that is missing; what is derived from others follows them.

    ``platforms_address`` is where national platforms reach the broker, ``host:port``.
    """
    settings = listener_settings(
        secrets,
        internal=KAFKA,
        platforms=platforms_address,
        controller="127.0.0.1:9093",
        log_dirs="/var/lib/kafka/data",
        listening_on=("0.0.0.0:9092", "0.0.0.0:9094"),  # inside its container; published on loopback
    )
    secrets.put("kafka", "server.properties", properties({**settings, **first_sign_in(secrets)}))
    secrets.kafka(OPERATOR)
    for service in STORING:
        secrets.get(mongo(service), "password")
        secrets.get(mongo(service), "keyfile", lambda: b64encode(os.urandom(96)).decode())
    for service in SERVICES:
        stores = service in STORING
        url = service_url(service, secrets, f"{mongo(service)}:{MONGO_PORT}") if stores else None
        service_secrets(secrets, service, url)


def hand_out(secrets: Secrets, volumes: Path) -> None:
    """Brings every container's volume to what the secrets are now."""
    for part in PARTS:
        source = secrets.directory(part.principal) if part.principal else secrets.root
        target = volumes / part.container
        wanted = {file.relative_to(source) for file in _files(source)}
        for file in {file.relative_to(target) for file in _files(target)} - wanted:
            (target / file).unlink()
        for file in wanted:
            (target / file).parent.mkdir(exist_ok=True)
            shutil.copyfile(source / file, target / file)
        for path in (target, *target.rglob("*")):
            path.chmod(0o500 if path.is_dir() else 0o600)
            os.chown(path, part.uid, part.uid)


def _files(directory: Path) -> Iterator[Path]:
    return (path for path in directory.rglob("*") if path.is_file())


def give_to_owner(root: Path) -> None:
    """Gives files that were made by a container to whoever owns the folder on this machine."""
    owner = root.stat()
    for path in root.rglob("*"):
        os.chown(path, owner.st_uid, owner.st_gid)


def main() -> None:
    """The command line; runs as root in a container of its own, without a network."""
    parser = argparse.ArgumentParser(description="Makes the platform's secrets and hands them to its containers.")
    parser.add_argument("root", type=Path)
    parser.add_argument("--platforms-address", default=DEFAULT_PLATFORMS)
    parser.add_argument("--hand-out", type=Path)
    arguments = parser.parse_args()
    secrets = Secrets(arguments.root)
    make(secrets, arguments.platforms_address)
    if arguments.hand_out:
        give_to_owner(arguments.root)
        hand_out(secrets, arguments.hand_out)


if __name__ == "__main__":
    main()
