"""Where this platform is on the machine: its directory, its ports, and the state that the supervisor writes down."""

import json
import os
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ValidationError

from contracts.registry import SERVICES
from infra.compose.stack import ComposeStack
from infra.local import HOST
from infra.local.errors import LocalError
from infra.local.ports import Ports
from infra.local.process import Daemon
from infra.local.stack import ROOT, LocalStack
from infra.stack import Stack


class Phase(StrEnum):
    """Where the platform is between start and end."""

    STARTING = "starting"
    READY = "ready"
    FAILED = "failed"
    STOPPING = "stopping"
    STOPPED = "stopped"


class Health(StrEnum):
    """Where one process is."""

    STARTING = "starting"
    READY = "ready"
    CRASHED = "crashed"
    STOPPED = "stopped"


class ProcessState(BaseModel):
    """One process as ``mission status`` shows it. ``problem`` is the reason of the last crash with its last lines."""

    name: str
    health: Health
    port: int
    pid: int | None = None
    restarts: int = 0
    problem: str = ""
    waits_for: str = ""


class State(BaseModel):
    """The whole platform, as the supervisor wrote it down last."""

    phase: Phase
    since: datetime
    port_base: int
    platforms_tls: bool
    scale: dict[str, int]
    processes: list[ProcessState]
    problem: str = ""


def in_containers() -> bool:
    """Whether the platform meant is the one that docker-compose.yml describes: ``MISSION_STACK=compose``.

    Raises :class:`LocalError` for a stack that there is none of.
    """
    chosen = os.environ.get("MISSION_STACK") or "local"
    if chosen not in ("local", "compose"):
        raise LocalError(f"There is no stack {chosen!r} to run the platform on; there are local and compose.")
    return chosen == "compose"


def typed(target: str) -> str:
    """What to type for the platform meant, such as ``make status STACK=compose``."""
    return f"make {target}{' STACK=compose' if in_containers() else ''}"


def operated() -> Stack:
    """The platform meant, as an operator sees it: its broker, its stores, its secrets."""
    return ComposeStack() if in_containers() else stack()


def clock_file() -> Path:
    """The file that shifts the clock of the platform meant."""
    return ComposeStack().clock_file if in_containers() else home() / "clock.json"


def home() -> Path:
    """The platform's data: ``.local`` in the project's directory, or where ``MISSION_HOME`` says."""
    return Path(os.environ.get("MISSION_HOME") or ROOT / ".local").absolute()


def stack(ports: Ports | None = None) -> LocalStack:
    """The local stack of this platform as it is running, else as it is set.

    ``MISSION_PLATFORMS_TLS=true`` encrypts the national platforms' listener.
    """
    tls = os.environ.get("MISSION_PLATFORMS_TLS", "").lower() in ("1", "true", "yes")
    if ports is None:
        state = read_state()
        if state is not None and supervisor().process is not None:
            return LocalStack(home(), Ports(state.port_base), tls=state.platforms_tls)
        ports = Ports.from_environment()
    return LocalStack(home(), ports, tls=tls)


def supervisor() -> Daemon:
    """The process that keeps everything running."""
    return Daemon("Supervisor", [], home() / "logs" / "supervisor.log", home() / "run" / "supervisor.pid")


def services() -> list[str]:
    """The services of the registry that this checkout has a ``main.py`` for."""
    return [name for name in SERVICES if (ROOT / "services" / package(name) / "main.py").exists()]


def package(service: str) -> str:
    """The Python package of a service."""
    return service.replace("-", "_")


STATE_FILE: Final = "run/state.json"
TARGETS_FILE: Final = "run/targets.json"


def read_state() -> State | None:
    """The state as written down last, or None before the first start of this release."""
    try:
        return State.model_validate_json((home() / STATE_FILE).read_text())
    except (FileNotFoundError, ValidationError):
        return None


def write_state(state: State) -> None:
    """Writes the state down, whole or not at all."""
    _write(home() / STATE_FILE, state.model_dump_json(indent=1))


def write_targets(ports: Mapping[str, int]) -> None:
    """Tells Prometheus where the instances (``catalogue-0``) are, each with the name of its service."""
    groups = [
        {"targets": [f"{HOST}:{port}"], "labels": {"service": name.rpartition("-")[0]}} for name, port in ports.items()
    ]
    _write(home() / TARGETS_FILE, json.dumps(groups, indent=1))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    draft.write_text(text)
    draft.replace(path)
