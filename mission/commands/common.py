"""What the groups of commands share: the terminal, and that there is a platform."""

import os
import sys

from infra.local.errors import LocalError
from mission import containers, place
from mission.place import State
from mission.terminal import SafeConsole

console = SafeConsole(width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else 140)


def running() -> State:
    """The state of the running platform. Raises :class:`LocalError` when there is none."""
    state = place.read_state()
    if state is None or place.supervisor().process is None:
        raise LocalError("The platform is not running; `make up` starts it.")
    return state


def ensure_running() -> None:
    """Raises :class:`LocalError` when the platform meant does not run."""
    if place.in_containers():
        containers.running()
    else:
        running()
