"""Kafka's jars: fetched from Maven's central repository in pure Python, held against committed checksums.

``python -m infra.local.kafka_jars`` resolves the pinned versions anew and rewrites the lock.
"""

import fcntl
import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import requests
from jgo.config import GlobalSettings
from jgo.constants import MAVEN_CENTRAL_URL
from jgo.maven import MavenContext

from infra.local.errors import LocalError

KAFKA: Final = "org.apache.kafka:kafka_2.13:4.3.1"
LOGGING: Final = "org.apache.logging.log4j:log4j-slf4j-impl"
"""Without this binding the broker logs nothing; it takes the version of the log4j that Kafka itself brings."""

LOCK: Final = Path(__file__).with_name("kafka-jars.lock")


def context(cache: Path) -> MavenContext:
    """Where jars come from, mirrors of jgo's own settings included, and where they are kept."""
    repositories = {"central": MAVEN_CENTRAL_URL, **GlobalSettings.load().repositories}
    return MavenContext(repo_cache=cache, remote_repos=repositories, timeout=60)


def locked() -> Iterator[tuple[str, str]]:
    """The lock's entries: SHA-256 in hexadecimal and ``group:artifact:version``."""
    for line in LOCK.read_text().splitlines():
        checksum, coordinates = line.split()
        yield checksum, coordinates


def sha256(path: Path) -> str:
    """A file's SHA-256 in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def jar(maven: MavenContext, coordinates: str) -> Path:
    """The local path of a jar, downloaded when it is not in the cache yet."""
    group, artifact, version = coordinates.split(":")
    try:
        return Path(maven.project(group, artifact).at_version(version).artifact().resolve())
    except (requests.RequestException, RuntimeError) as error:
        raise LocalError(
            f"Kafka's jar {coordinates} could not be downloaded; connect to the network for this first start"
            f" and try again ({type(error).__name__})."
        ) from error


def checked(maven: MavenContext, checksum: str, coordinates: str) -> Path:
    """The local path of a jar that has this checksum.

    A damaged file, such as one of an interrupted download, is fetched once more. Raises :class:`LocalError` when the
    jar is not the one that was locked.
    """
    for _ in range(2):
        path = jar(maven, coordinates)
        if sha256(path) == checksum:
            return path
        path.unlink()
    raise LocalError(
        f"Kafka's jar {coordinates} is not the one in {LOCK.name}; do not run it, and report where it came from."
    )


def classpath(cache: Path, progress: Callable[[int, int], None] | None = None) -> list[Path]:
    """The paths of all locked jars; works offline once the cache is filled.

    ``progress`` is told how many of how many jars are there.

    Raises :class:`LocalError` when a jar cannot be had or is not the one that was locked.
    """
    cache.mkdir(parents=True, exist_ok=True)
    maven = context(cache)
    with (cache / ".lock").open("w") as lock, ThreadPoolExecutor(8) as pool:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = [pool.submit(checked, maven, *entry) for entry in locked()]
        try:
            for number, path in enumerate(found):
                path.result()
                if progress:
                    progress(number + 1, len(found))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
        return [path.result() for path in found]


def resolve(cache: Path) -> Iterator[str]:
    """Resolves the pinned versions with all that they need at run time; yields lines of the lock."""
    maven = context(cache)
    roots, needed = maven.resolver.resolve([maven.create_dependency(KAFKA)])
    found = {str(d.artifactId): f"{d.groupId}:{d.artifactId}:{d.version}" for d in (*roots, *needed)}
    # Resolved together, log4j's own list of managed versions would replace the version of Kafka's client.
    found["log4j-slf4j-impl"] = f"{LOGGING}:{found['log4j-core'].rpartition(':')[2]}"
    for coordinates in sorted(found.values()):
        yield f"{sha256(jar(maven, coordinates))}  {coordinates}\n"


if __name__ == "__main__":
    LOCK.write_text("".join(resolve(Path(".local/cache/kafka"))))
