"""Starting and stopping a platform from a program: the command line and the demo use these."""

import signal
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

import psutil

from infra.local.errors import LocalError
from infra.local.kafka_jars import classpath
from infra.local.ports import Ports, bindable
from infra.local.process import Daemon, tail
from infra.local.stack import ROOT, in_use
from mission import place
from mission.place import Health, Phase, State
from mission.supervisor import stop_all

START_SECONDS: Final = 120
STOP_SECONDS: Final = 120


def start(
    scale: Mapping[str, int],
    *,
    services: bool = True,
    supervisor: str = "mission.supervisor",
    preparing: Callable[[int, int], None] = lambda done, total: None,
    watching: Callable[[State], None] = lambda state: None,
) -> State:
    """Starts the platform and waits until every service is ready; it then goes on in the background.

    Without ``services`` only Kafka, MongoDB and mail. ``supervisor`` is the module to supervise with, ``preparing`` is
    told how many of Kafka's jars are there, ``watching`` gets the state whenever it is looked at.

    Raises :class:`LocalError`, with nothing left running, when something does not start; so does an interrupt.
    """
    daemon = place.supervisor()
    if daemon.process is not None:
        raise LocalError("The platform is already running; `make status` shows it and `make down` stops it.")
    ports = Ports.from_environment()
    _end_leftovers()
    _check_ports(ports, scale)
    classpath(place.stack(ports).kafka.cache, preparing)
    daemon.command = [sys.executable, "-m", supervisor, f"--port-base={ports.base}"]
    daemon.command += [f"--scale={name}={number}" for name, number in scale.items()]
    if not services:
        daemon.command.append("--no-services")
    (place.home() / place.STATE_FILE).unlink(missing_ok=True)
    try:
        daemon.spawn(cwd=ROOT)
        return _wait_until_ready(daemon, watching)
    except BaseException:
        stop()
        raise


def _wait_until_ready(daemon: Daemon, watching: Callable[[State], None]) -> State:
    deadline = time.monotonic() + START_SECONDS
    while True:
        alive = daemon.process is not None
        state = place.read_state()
        if state is not None:
            watching(state)
            if state.phase is Phase.READY:
                return state
        if not alive:
            reason = state.problem if state and state.phase is Phase.FAILED else ""
            raise LocalError(reason or f"The supervisor ended; {daemon.log} ends with:\n{tail(daemon.log)}")
        if time.monotonic() > deadline:
            waiting = [
                f"{process.name} waits for {process.waits_for or process.problem or 'its start'}"
                for process in (state.processes if state else ())
                if process.health is not Health.READY
            ]
            reason = "; ".join(waiting) or "nothing has begun"
            raise LocalError(f"Not ready after {START_SECONDS} s: {reason}; the logs are in {place.home() / 'logs'}.")
        time.sleep(0.2)


def stop() -> bool:
    """Stops everything of this platform in an orderly way; tells whether anything was running."""
    daemon = place.supervisor()
    found = daemon.process is not None
    if process := daemon.process:
        process.send_signal(signal.SIGTERM)
        with suppress(psutil.TimeoutExpired):
            process.wait(STOP_SECONDS)
    daemon.stop()
    return _end_leftovers() or found


def clean() -> None:
    """Stops everything and removes the platform's data, secrets included."""
    stop()
    place.stack(Ports()).clean()


def _end_leftovers() -> bool:
    """Ends what a supervisor that was killed left behind."""
    stack = place.stack(Ports())
    known = {daemon.pid_file for daemon in stack.daemons}
    others = [
        Daemon(pid_file.stem, [], place.home() / "logs" / f"{pid_file.stem}.log", pid_file)
        for pid_file in (place.home() / "run").glob("*.pid")
        if pid_file not in known and pid_file != place.supervisor().pid_file
    ]
    running = [daemon for daemon in (*others, *stack.daemons) if daemon.process is not None]
    stop_all(others)
    stack.stop()
    return bool(running)


def _check_ports(ports: Ports, scale: Mapping[str, int]) -> None:
    taken = [port for _, port in ports.table() if not bindable(port)]
    for name, number in scale.items():
        needed = [ports.service(name, instance) for instance in range(1, number)]
        taken += [port for port in needed if not bindable(port)]
    if taken:
        raise LocalError(in_use(taken))
