"""This machine: what is installed, what runs, its disk, the platform's clock, and who can read the secrets."""

import http.client
import importlib.metadata
import json
import os
import re
import shutil
import stat
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from infra.compose.stack import ComposeStack
from infra.local import HOST
from infra.local.kafka_jars import KAFKA
from infra.local.stack import MINIMUM_FREE_BYTES, ROOT, LocalStack
from infra.stack import Stack
from mission import clock, place
from mission.doctor import Finding, some
from mission.place import Health

OLDEST_PYTHON: Final = (3, 11)
LOCKED: Final = re.compile(r"^(?P<name>[a-z0-9-]+)==(?P<version>\S+)(?P<marker> ; .+?)?(?: \\)?$", re.MULTILINE)
JAR: Final = re.compile(r"kafka_2\.13-(?P<version>[0-9.]+)\.jar")


def libraries(_: Stack) -> Iterator[Finding]:
    """Python and its packages beside the lock."""
    if sys.version_info < OLDEST_PYTHON:
        yield Finding(f"Python is {sys.version.split()[0]}.", "Install 3.11 or newer, and `make setup` again.")
    locked: dict[str, set[str]] = defaultdict(set)
    everywhere: set[str] = set()
    for match in LOCKED.finditer((ROOT / "requirements.lock").read_text()):
        locked[match["name"]].add(match["version"])
        if match["marker"] is None:
            everywhere.add(match["name"])
    wrong, missing = [], []
    for name, versions in locked.items():
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            missing += [name] if name in everywhere else []
        else:
            wrong += [] if version in versions else [f"{name} {version} instead of {' or '.join(sorted(versions))}"]
    if wrong:
        yield Finding(f"Packages are not of the locked versions: {some(wrong)}.", "`make setup`")
    if missing:
        yield Finding(f"Locked packages are not installed: {some(missing)}.", "`make setup`")


def broker_version(stack: Stack) -> Iterator[Finding]:
    """The release of the broker that runs on this machine beside the locked one."""
    process = stack.kafka.daemon.process if isinstance(stack, LocalStack) else None
    if process is not None and (match := JAR.search(" ".join(process.cmdline()))):
        locked = KAFKA.rpartition(":")[2]
        if match["version"] != locked:
            yield Finding(
                f"The broker runs Kafka {match['version']}, the lock says {locked}.", "Restart it: `make down up`."
            )


def secrets(stack: Stack) -> Iterator[Finding]:
    """Secrets that others than their owner can read."""
    files = [stack.secrets.root, *stack.secrets.root.rglob("*")]
    if isinstance(stack, LocalStack):
        files += [stack.home / "kafka" / "server.properties", stack.home / "mongo" / "keyfile", stack.home / "tls"]
    there = [path for path in files if path.exists()]
    if open_ := [path for path in there if stat.S_IMODE(path.stat().st_mode) & 0o077]:
        yield Finding(
            f"Others can read secrets: {some(map(_short, open_))}.",
            f"chmod -R go= {_short(stack.secrets.root)}, and make new ones if others were on this machine.",
        )
    if foreign := [path for path in there if path.stat().st_uid not in (os.getuid(), 0)]:
        yield Finding(f"Secrets belong to somebody else: {some(map(_short, foreign))}.", "chown them to yourself.")


def _short(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def disk(_: Stack) -> Iterator[Finding]:
    """Room for data."""
    free = shutil.disk_usage(place.home() if place.home().exists() else ROOT).free
    if free < MINIMUM_FREE_BYTES:
        yield Finding(
            f"Only {free / 1024**3:.1f} GB are free on the disk of {_short(place.home())}.",
            "Free some: the broker ends itself when its disk is full, MongoDB refuses to write.",
        )


def processes(stack: Stack) -> Iterator[Finding]:
    """Processes that are not ready, that crashed, or that have something to say."""
    if isinstance(stack, ComposeStack):
        yield from _told("the platform", stack.ports.gateway)
        return
    state = place.read_state()
    for process in state.processes if state else ():
        if process.health is not Health.READY:
            why = process.problem.partition("; its last lines")[0] or process.waits_for
            yield Finding(f"{process.name} is {process.health}: {why or 'it gives no reason'}.", _look(process.name))
            continue
        if process.restarts:
            yield Finding(f"{process.name} was restarted {process.restarts} times.", _look(process.name), wrong=False)
        if process.name.rpartition("-")[0] in place.services():
            yield from _told(process.name, process.port)


def _told(name: str, port: int) -> Iterator[Finding]:
    answer = _health(port)
    if missing := answer.get("missing"):
        yield Finding(f"{name} waits for {some(missing)}.", "docs/operations/alerts/not-ready.md")
    for alert in answer.get("alerts", ()):
        yield Finding(f"{name}: {alert}.", "docs/operations/alerts/partition-stopped.md")


def _look(name: str) -> str:
    return f"`bin/mission logs {name}`; docs/operations/alerts/service-down.md"


def _health(port: int) -> dict[str, Any]:
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", "/health/ready")
        answer: dict[str, Any] = json.loads(connection.getresponse().read())
        return answer
    except (OSError, http.client.HTTPException, ValueError):
        return {"missing": ["an answer"]}
    finally:
        connection.close()


def platform_clock(_: Stack) -> Iterator[Finding]:
    """A clock that was moved."""
    if ahead := clock.shift():
        yield Finding(
            f"The platform's clock is {ahead} ahead of this machine's.",
            "Intended on a platform that is played with; `bin/mission clock reset` takes it back.",
            wrong=False,
        )
