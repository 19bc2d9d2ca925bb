"""The one background process that starts everything, keeps it running and ends it in an orderly way.

``python -m mission.supervisor --port-base 8080 --scale cohort-selection=3``
"""

import argparse
import json
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from contracts.registry import SERVICES
from infra.local import HOST
from infra.local.errors import LocalError
from infra.local.ports import INSTANCES, Ports
from infra.local.process import Daemon, end
from infra.local.stack import ROOT, LocalStack, in_use
from mission import place
from mission.place import Health, Phase, State
from mission.supervised import Supervised, missing

BACKLOG: Final = 2048
"""How many may wait at the door, as many as uvicorn lets wait."""

GRACE_SECONDS: Final = 10
"""What a service has to finish what it has in hand."""


def command(service: str, port: int, door: int | None = None) -> list[str]:
    """How one process of a service is run. ``door`` is the number of an open socket that it listens on instead."""
    return [
        *(sys.executable, "-m", "uvicorn", f"services.{place.package(service)}.main:create_app", "--factory"),
        *(("--host", HOST, "--port", str(port)) if door is None else ("--fd", str(door))),
        *("--no-access-log", "--log-level", "warning"),
        *("--timeout-graceful-shutdown", str(GRACE_SECONDS), "--http", "shared.connections:Connection"),
        # The gateway says itself whose X-Forwarded-For it believes; the others believe the gateway's.
        *(["--no-proxy-headers"] if service == "gateway" else []),
    ]


def environment(stack: LocalStack, service: str, instance: int, scale: dict[str, int]) -> dict[str, str]:
    """The settings of one process; the gateway's name where the instances of the others are."""
    settings = stack.settings_for(service, instance)
    if service == "gateway":
        upstreams = {
            # One more than there are: where an instance helps out during a rolling restart.
            name: [f"http://{HOST}:{stack.ports.service(name, number)}" for number in range(helper(scale, name) + 1)]
            for name in SERVICES
            if name != "gateway"
        }
        settings["MISSION_UPSTREAMS"] = json.dumps(upstreams)
    return settings


def helper(scale: Mapping[str, int], service: str) -> int:
    """The number of the instance that helps out while the others are restarted."""
    return min(scale.get(service, 1), INSTANCES - 1)


def service_daemon(home: Path, service: str, instance: int, port: int, door: int | None = None) -> Daemon:
    """The process of one instance of a service; ``door`` as in :func:`command`."""
    name = f"{service}-{instance}"
    inherits = () if door is None else (door,)
    run = command(service, port, door)
    return Daemon(name, run, home / "logs" / f"{name}.log", home / "run" / f"{name}.pid", inherits)


class Supervisor:
    """Everything that runs on this machine for one platform."""

    def __init__(self, stack: LocalStack, scale: dict[str, int], names: Iterable[str]) -> None:
        self.stack = stack
        self.scale = scale
        self.since = datetime.now(UTC)
        self.phase = Phase.STARTING
        self.problem = ""
        self.stopping = False
        self.infrastructure = [
            Supervised("kafka", stack.kafka.daemon, stack.ports.kafka, stack.kafka.start, _nothing, http=False),
            Supervised("mongodb", stack.mongo.daemon, stack.ports.mongo, stack.mongo.start, _nothing, http=False),
            Supervised("mail", stack.mail, stack.ports.smtp, stack.start_mail, _nothing, http=False),
        ]
        # Held open here, so that whoever comes while the gateway is restarted waits and is not turned away.
        self._door = socket.socket()
        self._door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.services = [self._service(name, instance) for name in names for instance in range(scale.get(name, 1))]
        self._written: State | None = None

    def _service(self, name: str, instance: int) -> Supervised:
        port = self.stack.ports.service(name, instance)
        door = self._door.fileno() if name == "gateway" else None
        daemon = service_daemon(self.stack.home, name, instance, port, door)
        settings = environment(self.stack, name, instance, self.scale)
        return Supervised(
            daemon.name,
            daemon,
            port,
            lambda: daemon.spawn(settings, cwd=ROOT),
            lambda: missing(port, "/health/ready"),
            http=True,
        )

    def run(self) -> int:
        """Starts everything and keeps it running until a signal asks to end; returns the exit code."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # so that it wakes the loop below
        self._wake, waker = socket.socketpair()
        for end_point in (self._wake, waker):
            end_point.setblocking(False)
        signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
        try:
            self._write()
            place.write_targets({service.name: service.port for service in self.services})
            self.stack.start()
            for part in self.infrastructure:
                part.found_ready()
            if self.services:
                self._open_door()
            for service in self.services:
                if not self.stopping:
                    service.start()
            while not self.stopping:
                self._look()
                self._write()
                select.select([self._wake], [], [], 0.2 if self.phase is Phase.STARTING else 1.0)
                with suppress(BlockingIOError):
                    self._wake.recv(4096)
        except LocalError as error:
            self.phase, self.problem = Phase.FAILED, str(error)
        finally:
            self._end()
        return 1 if self.phase is Phase.FAILED else 0

    def _open_door(self) -> None:
        port = self.stack.ports.gateway
        try:
            self._door.bind((HOST, port))
        except OSError as error:
            raise LocalError(in_use([port])) from error
        self._door.listen(BACKLOG)

    def _stop(self, *_: object) -> None:
        self.stopping = True

    def _look(self) -> None:
        for part in (*self.infrastructure, *self.services):
            if self.stopping:
                return
            part.look()
        if self.phase is Phase.STARTING:
            for part in self.services:
                if part.hopeless:
                    raise LocalError(f"{part.name} does not start: it {part.problem}")
            if all(part.health is Health.READY for part in self.services):
                self.phase = Phase.READY

    def _end(self) -> None:
        """Ends services first, all at once, so that they can still finish with store and broker."""
        failed = self.phase is Phase.FAILED
        if not failed:
            self.phase = Phase.STOPPING
        self._write()
        stop_all(service.daemon for service in self.services)
        self.stack.stop()
        for part in (*self.infrastructure, *self.services):
            part.health = Health.STOPPED
        if not failed:
            self.phase = Phase.STOPPED
        self._write()

    def _write(self) -> None:
        state = State(
            phase=self.phase,
            since=self.since,
            port_base=self.stack.ports.base,
            platforms_tls=self.stack.kafka.tls,
            scale=self.scale,
            processes=[part.state() for part in (*self.infrastructure, *self.services)],
            problem=self.problem,
        )
        if state != self._written:
            place.write_state(state)
            self._written = state


def _nothing() -> str:
    return ""


def stop_all(daemons: Iterable[Daemon]) -> None:
    """Asks all processes to end at once, and kills those that have not ended after their time of grace."""
    running = [(daemon, process) for daemon in daemons if (process := daemon.process)]
    for _, process in running:
        with suppress(ProcessLookupError):
            process.terminate()
    deadline = time.monotonic() + GRACE_SECONDS + 5
    for daemon, process in running:
        end(process, max(0.1, deadline - time.monotonic()))
        daemon.stop()


def scale_of(arguments: Iterable[str]) -> dict[str, int]:
    """Reads ``service=n`` pairs. Raises :class:`LocalError` for an unknown service or a number that cannot be."""
    scale: dict[str, int] = {}
    for argument in arguments:
        name, _, number = argument.partition("=")
        if name not in SERVICES or not number.isdecimal() or int(number) < 1:
            raise LocalError(f"--scale {argument!r}: write a service and a number, as --scale cohort-selection=3.")
        if name == "gateway" and int(number) > 1:
            raise LocalError("--scale gateway: there is one door on one machine; scale the services behind it.")
        Ports().service(name, int(number) - 1)
        scale[name] = int(number)
    return scale


def main(stack_at: Callable[[Ports], LocalStack] = place.stack) -> None:
    """Reads the command line and supervises what runs on the stack at these ports."""
    parser = argparse.ArgumentParser(description="Starts everything and keeps it running.")
    parser.add_argument("--port-base", type=int, required=True)
    parser.add_argument("--scale", action="append", default=[])
    parser.add_argument("--no-services", action="store_true")
    arguments = parser.parse_args()
    stack = stack_at(Ports(arguments.port_base))
    names = [] if arguments.no_services else place.services()
    sys.exit(Supervisor(stack, scale_of(arguments.scale), names).run())


if __name__ == "__main__":
    main()
