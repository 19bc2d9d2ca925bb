"""Restarts the instances of a service one after the other while one more helps out, so that no request fails.

Of the gateway there is one, for there is one door: whoever comes while it is restarted waits there a moment.
"""

import time
from collections.abc import Callable
from typing import Final

from infra.local.errors import LocalError
from infra.local.process import Daemon, tail
from infra.local.stack import ROOT, LocalStack
from mission import place
from mission.place import Health, ProcessState, State
from mission.supervised import missing
from mission.supervisor import environment, helper, service_daemon

READY_SECONDS: Final = 60
POLL_SECONDS: Final = 0.1


def restart(state: State, service: str, told: Callable[[str], None]) -> None:
    """Restarts every instance of a service; ``told`` gets a line for each step.

    Raises :class:`LocalError` when the platform has no such service, when it has no room for one instance more, or when
    an instance does not come back; the helper is ended in any case.
    """
    if service not in place.services():
        raise LocalError(f"There is no {service!r} to restart; there are {', '.join(place.services())}.")
    stack = place.stack()
    if service == "gateway":
        _renew_all(stack, state, service, told)
        return
    number = helper(state.scale, service)
    if number < state.scale.get(service, 1):
        raise LocalError(f"There is no room for one more {service} beside {number + 1}; start the platform with fewer.")
    port = stack.ports.service(service, number)
    extra = service_daemon(stack.home, service, number, port)
    settings = environment(stack, service, number, state.scale)
    try:
        extra.spawn(settings, cwd=ROOT)
        extra.wait_until(lambda: not missing(port, "/health/ready"), READY_SECONDS)
        told(f"{extra.name} helps out")
        _renew_all(stack, state, service, told)
    finally:
        extra.stop()


def _renew_all(stack: LocalStack, state: State, service: str, told: Callable[[str], None]) -> None:
    for instance in [each for each in state.processes if each.name.rpartition("-")[0] == service]:
        daemon = service_daemon(stack.home, service, int(instance.name.rpartition("-")[2]), instance.port)
        _renew(daemon, instance)
        told(f"{instance.name} is new")


def _renew(daemon: Daemon, instance: ProcessState) -> None:
    """Ends an instance, which the supervisor then starts again, and waits until it can be used."""
    if process := daemon.process:
        process.terminate()
    deadline = time.monotonic() + READY_SECONDS
    while True:
        state = place.read_state()
        found = next((each for each in state.processes if each.name == instance.name), None) if state else None
        if found is not None and found.pid not in (None, instance.pid) and found.health is Health.READY:
            return
        if time.monotonic() > deadline:
            raise LocalError(f"{instance.name} did not come back; its log ends with:\n{tail(daemon.log)}")
        time.sleep(POLL_SECONDS)
