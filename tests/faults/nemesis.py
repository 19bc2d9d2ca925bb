"""Does to the running platform what the plan says, and knows when that is over."""

import asyncio
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from random import Random
from typing import Final

import psutil
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from infra.local.errors import LocalError
from infra.local.ports import Ports
from infra.local.process import Daemon
from infra.local.stack import ROOT
from mission import lifecycle, place
from mission.supervised import missing
from mission.supervisor import environment, service_daemon
from tests.faults.plan import SCALE, Planned
from tests.faults.proxy import Mode, Proxy
from tests.faults.stack import ProxiedStack

SUPERVISOR: Final = "tests.faults.stack"
BACK_SECONDS: Final = 150.0
JOINED_SECONDS: Final = 2.0
"""How long a further instance works before it is taken away."""

EXTRA: Final = 3
"""So many instances more than the supervisor's come and go in a storm."""


class Nemesis:
    """What can be done to one platform. ``rng`` decides what the plan leaves open."""

    def __init__(self, ports: Ports, proxy: Proxy, rng: Random) -> None:
        self._stack = ProxiedStack(ports)
        self._proxy = proxy
        self._rng = rng

    async def strike(self, fault: Planned) -> tuple[float, float]:
        """Carries a fault out from its begin to its end; returns both, in Unix time.

        The end is when nothing is done to the platform any more and what was ended runs again; of an instance that is
        killed and stays away it is the kill. Raises :class:`LocalError` when something does not come back.
        """
        match fault.kind:
            case "two":
                spans = await asyncio.gather(*map(self.strike, fault.parts))
                return min(begin for begin, _ in spans), max(end for _, end in spans)
            case "kill-service" | "kill-broker" | "kill-database":
                return await self._kill(fault.target, fault.seconds)
            case "kill-away":
                return await self._kill_away(fault.target)
            case "stop-service" | "stop-store":
                return await self._stop(fault.target, fault.seconds)
            case "storm":
                return await self._storm(fault.target)
            case "cut" | "slow" | "blackhole":
                return await self._disturb(fault.target, Mode(fault.kind), fault.seconds)
            case "restart-all":
                return await self._restart(orderly=fault.target == "in order")
        raise AssertionError(fault.kind)

    def process(self, name: str) -> Daemon:
        """A process of the platform by its name."""
        if name == "kafka":
            return self._stack.kafka.daemon
        if name == "mongodb":
            return self._stack.mongo.daemon
        service, _, number = name.rpartition("-")
        return service_daemon(self._stack.home, service, int(number), self._port(name))

    def _port(self, name: str) -> int:
        service, _, number = name.rpartition("-")
        return self._stack.ports.service(service, int(number))

    def usable(self, name: str) -> bool:
        """Whether a process can be used now."""
        if name == "kafka":
            return self._stack.kafka.answers()
        if name == "mongodb":
            client: MongoClient[dict[str, object]]
            try:
                with MongoClient(self._stack.mongo.admin_url, serverSelectionTimeoutMS=500) as client:
                    return bool(client.admin.command("hello")["isWritablePrimary"])
            except PyMongoError:
                return False
        # Ready for its own part: that others are away too is another fault's matter.
        return missing(self._port(name), "/health/live") != "an answer" and not self._starting(name)

    def _starting(self, name: str) -> bool:
        lacks = missing(self._port(name), "/health/ready")
        return "start-up" in lacks or "signing-keys" in lacks or lacks == "an answer"

    async def _kill(self, name: str, seconds: float) -> tuple[float, float]:
        await asyncio.sleep(seconds)
        daemon, begin = self.process(name), time.time()
        before = daemon.pid
        await asyncio.to_thread(daemon.kill)
        await self._until(lambda: daemon.pid not in (None, before) and self.usable(name), f"{name} is back")
        return begin, time.time()

    async def _stop(self, name: str, seconds: float) -> tuple[float, float]:
        daemon, begin = self.process(name), time.time()
        daemon.suspend()
        try:
            await asyncio.sleep(seconds)
        finally:
            daemon.resume()
        end = time.time()
        # The supervisor may have taken it for sick meanwhile.
        if daemon.pid is None or not await asyncio.to_thread(self.usable, name):
            await self._until(lambda: self.usable(name), f"{name} is back")
            end = time.time()
        return begin, end

    async def _further(self, service: str, number: int) -> Daemon:
        """Starts an instance that the supervisor does not know of, and waits until it works."""
        name = f"{service}-{SCALE.get(service, 1) + number}"
        daemon = self.process(name)
        daemon.spawn(environment(self._stack, service, SCALE.get(service, 1) + number, SCALE), cwd=ROOT)
        await self._until(lambda: self.usable(name), f"{name} works")
        return daemon

    async def _kill_away(self, service: str) -> tuple[float, float]:
        daemon = await self._further(service, 0)
        await asyncio.sleep(JOINED_SECONDS)
        begin = time.time()
        await asyncio.to_thread(daemon.kill)
        return begin, begin

    async def _storm(self, service: str) -> tuple[float, float]:
        begin = time.time()
        daemons = await asyncio.gather(*(self._further(service, number) for number in range(EXTRA)))
        for daemon in self._rng.sample(daemons, len(daemons)):
            await asyncio.sleep(self._rng.uniform(0.5, JOINED_SECONDS))
            await asyncio.to_thread(self._rng.choice((daemon.kill, daemon.stop)))
        return begin, time.time()

    async def _disturb(self, link: str, mode: Mode, seconds: float) -> tuple[float, float]:
        begin = time.time()
        await self._proxy.change(link, mode)
        try:
            await asyncio.sleep(seconds)
        finally:
            await self._proxy.change(link, Mode.OPEN)
        return begin, time.time()

    async def _restart(self, *, orderly: bool) -> tuple[float, float]:
        begin = time.time()
        if orderly:
            await asyncio.to_thread(lifecycle.stop)
        else:
            pid_files = sorted((place.home() / "run").glob("*.pid"), key=lambda file: file.stem != "supervisor")
            killed = []
            for pid_file in pid_files:
                if process := Daemon(pid_file.stem, [], pid_file, pid_file).process:
                    process.send_signal(signal.SIGKILL)
                    killed.append(process)
            # A large process takes a moment to die, and holds its port as long.
            await asyncio.to_thread(psutil.wait_procs, killed, timeout=BACK_SECONDS)
        await asyncio.to_thread(lifecycle.start, SCALE, supervisor=SUPERVISOR)
        return begin, time.time()

    async def heal(self) -> None:
        """Lets everything go on, whatever is left over."""
        for pid_file in (place.home() / "run").glob("*.pid"):
            with suppress(ProcessLookupError):
                Daemon(pid_file.stem, [], pid_file, pid_file).resume()

    async def _until(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + BACK_SECONDS
        while not await asyncio.to_thread(condition):
            if time.monotonic() > deadline:
                raise LocalError(f"not within {BACK_SECONDS:.0f} s: {what}")
            await asyncio.sleep(0.1)
