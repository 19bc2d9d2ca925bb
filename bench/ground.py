"""The stack that the benchmarks run on: a broker and a database of their own, and processes that serve HTTP."""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

import aiohttp
from confluent_kafka.admin import NewTopic
from pymongo import ReadPreference
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from contracts.registry import MAX_MESSAGE_BYTES
from infra.broker import ADMIN
from infra.local import HOST
from infra.local.ports import Ports
from infra.local.stack import ROOT, LocalStack

HOME: Final = ROOT / ".local" / "bench"
PARTITIONS: Final = 6
PATIENCE_SECONDS: Final = 90.0
AS_DEPLOYED: Final = ("--http", "shared.connections:Connection", "--no-proxy-headers")
"""How uvicorn is told to serve the platform's processes."""

CONCERNS: Final[dict[str, Any]] = {
    "read_concern": ReadConcern("majority"),
    "write_concern": WriteConcern(w="majority", j=True),
}
"""What the platform asks of the database, so what the baselines ask of it too."""
TRANSACTION: Final = (ReadConcern("snapshot"), CONCERNS["write_concern"], ReadPreference.PRIMARY)


class Ground:
    """A running stack, the administrator's connections for the baselines, and a place for processes."""

    def __init__(self, name: str = "stack") -> None:
        self.ports = Ports.free()
        self.stack = LocalStack(HOME / name, self.ports)
        self.pids: dict[str, int] = {}
        """The process behind each address."""
        self._next_port = self.ports.service("catalogue", 0)

    @contextmanager
    def running(self) -> Iterator["Ground"]:
        """Starts clean, and leaves nothing behind but the report."""
        self.stack.clean()
        self.stack.start()
        try:
            yield self
        finally:
            self.stack.clean()

    def topic(self, name: str, partitions: int = PARTITIONS) -> str:
        """Makes a topic for a baseline, with the same settings as the platform's domain topics."""
        config = {"retention.ms": "-1", "max.message.bytes": str(MAX_MESSAGE_BYTES)}
        new = NewTopic(name, num_partitions=partitions, replication_factor=1, config=config)
        admin = self.stack.kafka.admin()
        for future in admin.create_topics([new]).values():
            future.result()
        return name

    def bare_environment(self) -> dict[str, str]:
        """What a baseline's process is told."""
        username, password = self.stack.secrets.kafka(ADMIN)
        return {
            "BENCH_MONGO": self.stack.mongo.admin_url,
            "BENCH_KAFKA": self.stack.kafka_bootstrap,
            "BENCH_USER": username,
            "BENCH_PASSWORD": password,
        }

    def service_environment(self, service: str, instance: int = 0) -> dict[str, str]:
        """What a process of the platform's is told; spans go nowhere, as the baselines make none."""
        settings = self.stack.settings_for(service, instance)
        del settings["MISSION_TRACES_FILE"]
        return settings | {"MISSION_LOG_LEVEL": "WARNING"}

    def ours(
        self, app: str, service: str, probe: str, instance: int = 0, **settings: str
    ) -> AbstractAsyncContextManager[str]:
        """Serves an app of the platform's as its processes are run; gives its address.

        ``settings`` are variables of its environment without their prefix, in lower case.
        """
        environment = self.service_environment(service, instance)
        environment |= {f"MISSION_{name.upper()}": value for name, value in settings.items()}
        return self._serving(app, environment, probe, *AS_DEPLOYED)

    def bare(self, app: str, **settings: str) -> AbstractAsyncContextManager[str]:
        """Serves a baseline's app; gives its address. ``settings`` as for :meth:`ours`, with the prefix ``BENCH_``."""
        environment = self.bare_environment()
        environment |= {f"BENCH_{name.upper()}": value for name, value in settings.items()}
        return self._serving(f"bench.bare.{app}", environment, "/ready")

    @asynccontextmanager
    async def _serving(self, app: str, environment: Mapping[str, str], probe: str, *options: str) -> AsyncIterator[str]:
        port, self._next_port = self._next_port, self._next_port + 1
        command = [
            *(sys.executable, "-m", "uvicorn", app, "--factory", "--host", HOST, "--port", str(port)),
            *("--no-access-log", "--log-level", "warning", "--timeout-graceful-shutdown", "5"),
            *options,
        ]
        log = HOME / "logs" / f"{port}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *command, cwd=ROOT, env={**os.environ, **environment}, stdout=output, stderr=output
            )
        url = f"http://{HOST}:{port}"
        self.pids[url] = process.pid
        try:
            await _answering(f"{url}{probe}", process, log)
            yield url
        finally:
            process.terminate()
            await process.wait()

    async def script(self, module: str, *arguments: str, environment: Mapping[str, str] | None = None) -> Any:
        """Runs a module to its end, a baseline's unless it has an environment; gives what it printed, read as JSON."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", module, *arguments),
            cwd=ROOT,
            env={**os.environ, **(environment or self.bare_environment())},
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await process.communicate()
        if process.returncode:
            raise RuntimeError(f"{module} failed")
        return json.loads(output)


async def _answering(url: str, process: asyncio.subprocess.Process, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    async with aiohttp.ClientSession() as session:
        while True:
            try:
                async with session.get(url) as answer:
                    if answer.status < 400:
                        return
            except aiohttp.ClientError:
                pass
            if process.returncode is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{url} does not answer; its log is {log}")
            await asyncio.sleep(0.1)
