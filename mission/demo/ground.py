"""What the story needs beside the public door: an operator's hands on the platform that it is played on."""

import asyncio
import os
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final, Protocol

from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from contracts.national_platforms import PlatformListed
from contracts.registry import OPERATOR
from infra.compose.stack import ComposeStack
from infra.local.stack import ROOT, LocalStack
from mission import clock, groups, letters, place, platforms, status
from mission.demo.errors import Untrue
from mission.demo.mails import Catcher, Maildir, Source
from mission.letters import Kept
from mission.supervisor import environment

TIMEOUT: Final = 15.0


class Ground(Protocol):
    """A platform that the story can be played on."""

    url: str

    def mails(self) -> Source:
        """Where delivered mails are found."""

    def add_platforms(self, entries: Sequence[PlatformListed]) -> dict[str, Path]:
        """Opens the door for national platforms; returns each one's client configuration."""

    def forward(self, by: timedelta) -> None:
        """Moves the platform's clock forward."""

    async def bootstrap(self, arguments: Sequence[str]) -> str:
        """Runs the command that makes the first administrator."""

    def memory(self) -> dict[str, int]:
        """Resident memory in bytes by process."""

    def topics(self) -> dict[str, int]:
        """How many records lie on each topic."""

    def lag(self) -> dict[str, int]:
        """How many records each service has not taken yet."""

    def letters(self) -> list[Kept]:
        """Every dead letter."""


class Operated:
    """What is the same wherever the platform runs."""

    def __init__(self, stack: LocalStack | ComposeStack) -> None:
        self._stack = stack
        self.url = stack.public_url

    def add_platforms(self, entries: Sequence[PlatformListed]) -> dict[str, Path]:
        """As ``mission platform add``, for all at once."""
        paths = platforms.add(self._stack, *entries)
        return {entry.platform: path for entry, path in zip(entries, paths, strict=True)}

    def forward(self, by: timedelta) -> None:
        """As ``mission clock forward``."""
        clock.forward(by)

    def topics(self) -> dict[str, int]:
        """How many records lie on each topic, those of the broker itself left out."""
        return counted(AdminClient(self._stack.kafka.client(OPERATOR)))

    def lag(self) -> dict[str, int]:
        """As ``mission status`` shows it."""
        return groups.lag(self._stack)

    def letters(self) -> list[Kept]:
        """As ``mission dead-letters list --all``."""
        return letters.letters(self._stack, all=True)


class Local(Operated):
    """The platform that runs on this machine without containers."""

    _stack: LocalStack

    def __init__(self) -> None:
        super().__init__(place.stack())

    def mails(self) -> Source:
        """The Maildir of the development mail server."""
        return Maildir(self._stack.maildir)

    async def bootstrap(self, arguments: Sequence[str]) -> str:
        """Runs registration's command with registration's own settings."""
        settings = environment(self._stack, "registration", 0, {})
        return await run([sys.executable, "-m", "services.registration.bootstrap", *arguments], settings)

    def memory(self) -> dict[str, int]:
        """Resident memory in bytes by process, of those that the supervisor knows."""
        state = place.read_state()
        return {process.name: status.memory(process) or 0 for process in (state.processes if state else ())}


class Containers(Operated):
    """The platform that docker-compose.yml describes."""

    _stack: ComposeStack

    def __init__(self) -> None:
        super().__init__(ComposeStack())

    def mails(self) -> Source:
        """The mail catcher."""
        return Catcher(self._stack.mail_url)

    async def bootstrap(self, arguments: Sequence[str]) -> str:
        """Runs registration's command in registration's container."""
        command = self._stack.inside("registration", "python", "-m", "services.registration.bootstrap", *arguments)
        return await run(command, self._stack.environment())

    def memory(self) -> dict[str, int]:
        """Memory in bytes by container."""
        return {each.name: each.memory for each in self._stack.containers() if each.memory}


async def run(command: Sequence[str], settings: Mapping[str, str] | None = None, *, cwd: Path = ROOT) -> str:
    """Runs a program to its end and returns what it wrote. Raises :class:`Untrue` when it fails."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=cwd,
        env={**os.environ, **(settings or {})},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, errors = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        raise
    if process.returncode:
        last = (errors.decode(errors="replace").strip().splitlines() or ["it says nothing"])[-1]
        raise Untrue(f"{' '.join(command[1:3])} ended with code {process.returncode}: {last}")
    return out.decode()


def counted(admin: AdminClient) -> dict[str, int]:
    """How many records lie on each topic, those of the broker itself left out."""
    partitions = [
        TopicPartition(name, partition)
        for name, topic in admin.list_topics(timeout=TIMEOUT).topics.items()
        if not name.startswith("__")
        for partition in topic.partitions
    ]
    found = Counter(dict.fromkeys((each.topic for each in partitions), 0))
    for sign, spec in ((1, OffsetSpec.latest()), (-1, OffsetSpec.earliest())):
        for where, future in admin.list_offsets(dict.fromkeys(partitions, spec), request_timeout=TIMEOUT).items():
            found[where.topic] += sign * future.result().offset
    return dict(sorted(found.items()))
