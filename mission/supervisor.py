"""The one background process that starts everything, keeps it running and ends it in an orderly way.

``python -m mission.supervisor --port-base 8080 --scale cohort-selection=3``
"""

import argparse
import http.client
import json
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from contracts.registry import SERVICES
from infra.local import HOST
from infra.local.errors import LocalError
from infra.local.ports import Ports
from infra.local.process import Daemon, end, tail
from infra.local.stack import ROOT, LocalStack
from mission import place
from mission.place import Health, Phase, ProcessState, State

GRACE_SECONDS: Final = 10
"""What a service has to finish what it has in hand."""

BACKOFF_SECONDS: Final = (0.5, 1, 2, 4, 8, 15, 30)
STABLE_SECONDS: Final = 60
"""After running this long a process counts as well again, and its backoff begins anew."""

HOPELESS_CRASHES: Final = 4
"""A process that has crashed this often and was never ready ends the start."""

LIVENESS_SECONDS: Final = 5
SICK_CHECKS: Final = 3
"""A process that is not live in this many checks in a row is restarted."""


class Supervised:
    """One process under supervision: ``start`` begins it, ``ready`` tells whether it can be used."""

    def __init__(
        self, name: str, daemon: Daemon, port: int, start: Callable[[], None], ready: Callable[[], bool], *, http: bool
    ) -> None:
        self.name = name
        self.daemon = daemon
        self.port = port
        self.http = http
        self.health = Health.STOPPED
        self.restarts = 0
        self.problem = ""
        self._start = start
        self._ready = ready
        self._crashes = 0
        self._was_ready = False
        self._started = 0.0
        self._next = 0.0
        self._checked = 0.0
        self._sick = 0

    @property
    def hopeless(self) -> bool:
        """Whether it has never been ready and keeps crashing."""
        return not self._was_ready and self._crashes >= HOPELESS_CRASHES

    def start(self) -> None:
        """Begins the process; a failure to start counts as a crash."""
        self._started = self._checked = time.monotonic()
        self._sick = 0
        try:
            self._start()
        except LocalError as error:
            self._crashed(str(error))
        else:
            self.health = Health.STARTING

    def found_ready(self) -> None:
        """Takes note that something else has started it and waited until it was ready."""
        self.health, self._was_ready = Health.READY, True

    def look(self) -> None:
        """Takes note of what has become of the process, and restarts it when its time has come."""
        now = time.monotonic()
        if self.health is Health.CRASHED:
            if now >= self._next:
                self.restarts += 1
                self.start()
        elif self.daemon.process is None:
            self._crashed(f"ended with code {self.daemon.exit_code}; its last lines:\n{tail(self.daemon.log)}")
        elif self.health is Health.STARTING:
            if self._ready():
                self.health, self._was_ready = Health.READY, True
        else:
            if now - self._started > STABLE_SECONDS:
                self._crashes = 0
            if self.http and now - self._checked > LIVENESS_SECONDS:
                self._check_liveness(now)

    def _check_liveness(self, now: float) -> None:
        self._checked = now
        self._sick = 0 if answers(self.port, "/health/live") else self._sick + 1
        if self._sick >= SICK_CHECKS:
            self.daemon.kill()
            self._crashed(f"was not live {SICK_CHECKS} times in a row; its last lines:\n{tail(self.daemon.log)}")

    def _crashed(self, problem: str) -> None:
        self.health = Health.CRASHED
        self.problem = problem
        self._next = time.monotonic() + BACKOFF_SECONDS[min(self._crashes, len(BACKOFF_SECONDS) - 1)]
        self._crashes += 1
        print(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {self.name} {problem}", flush=True)

    def state(self) -> ProcessState:
        """What ``mission status`` shows."""
        return ProcessState(
            name=self.name,
            health=self.health,
            port=self.port,
            pid=self.daemon.pid,
            restarts=self.restarts,
            problem=self.problem,
        )


def answers(port: int, path: str) -> bool:
    """Whether a service on this port answers 200 within two seconds."""
    connection = http.client.HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def command(service: str, port: int) -> list[str]:
    """How one process of a service is run."""
    return [
        *(sys.executable, "-m", "uvicorn", f"services.{place.package(service)}.main:create_app", "--factory"),
        *("--host", HOST, "--port", str(port), "--no-access-log", "--log-level", "warning"),
        *("--timeout-graceful-shutdown", str(GRACE_SECONDS)),
    ]


def environment(stack: LocalStack, service: str, instance: int, scale: dict[str, int]) -> dict[str, str]:
    """The settings of one process; the gateway's name where the instances of the others are."""
    settings = stack.settings_for(service, instance)
    if service == "gateway":
        upstreams = {
            name: [f"http://{HOST}:{stack.ports.service(name, number)}" for number in range(scale.get(name, 1))]
            for name in SERVICES
            if name != "gateway"
        }
        settings["MISSION_UPSTREAMS"] = json.dumps(upstreams)
    return settings


def service_daemon(home: Path, service: str, instance: int, port: int) -> Daemon:
    """The process of one instance of a service."""
    name = f"{service}-{instance}"
    return Daemon(name, command(service, port), home / "logs" / f"{name}.log", home / "run" / f"{name}.pid")


class Supervisor:
    """Everything that runs on this machine for one platform."""

    def __init__(self, stack: LocalStack, scale: dict[str, int]) -> None:
        self.stack = stack
        self.scale = scale
        self.since = datetime.now(UTC)
        self.phase = Phase.STARTING
        self.problem = ""
        self.stopping = False
        self.infrastructure = [
            Supervised("kafka", stack.kafka.daemon, stack.ports.kafka, stack.kafka.start, _yes, http=False),
            Supervised("mongodb", stack.mongo.daemon, stack.ports.mongo, stack.mongo.start, _yes, http=False),
            Supervised("mail", stack.mail, stack.ports.smtp, stack.start_mail, _yes, http=False),
        ]
        self.services = [
            self._service(name, instance) for name in place.services() for instance in range(scale.get(name, 1))
        ]
        self._written: State | None = None

    def _service(self, name: str, instance: int) -> Supervised:
        port = self.stack.ports.service(name, instance)
        daemon = service_daemon(self.stack.home, name, instance, port)
        settings = environment(self.stack, name, instance, self.scale)
        return Supervised(
            daemon.name,
            daemon,
            port,
            lambda: daemon.spawn(settings, cwd=ROOT),
            lambda: answers(port, "/health/ready"),
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
            self.stack.start()
            for part in self.infrastructure:
                part.found_ready()
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
            scale=self.scale,
            processes=[part.state() for part in (*self.infrastructure, *self.services)],
            problem=self.problem,
        )
        if state != self._written:
            place.write_state(state)
            self._written = state


def _yes() -> bool:
    return True


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


def main() -> None:
    """Reads the command line and supervises."""
    parser = argparse.ArgumentParser(description="Starts everything and keeps it running.")
    parser.add_argument("--port-base", type=int, required=True)
    parser.add_argument("--scale", action="append", default=[])
    arguments = parser.parse_args()
    stack = place.stack(Ports(arguments.port_base))
    sys.exit(Supervisor(stack, scale_of(arguments.scale)).run())


if __name__ == "__main__":
    main()
