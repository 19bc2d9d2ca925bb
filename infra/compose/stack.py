"""An operator's hands on the platform in containers: start, stop, sign in, add national platforms, move the clock."""

import http.client
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bson import json_util

from infra.broker import Broker
from infra.compose import secrets as compose_secrets
from infra.databases import EXTENDED_JSON
from infra.local import HOST
from infra.local.errors import LocalError
from infra.local.ports import Ports, bindable
from infra.local.secrets import Secrets
from infra.local.stack import ROOT, in_use
from infra.stack import Stack

HOME: Final = ROOT / ".local" / "compose"
"""What the containers share with this machine; docker-compose.yml names it too."""

START_SECONDS: Final = 300


@dataclass(frozen=True, slots=True)
class Container:
    """One container, such as ``catalogue-1``.

    ``state`` is the verdict of its health check (``starting``, ``healthy``, ``unhealthy``), else what the engine says;
    ``memory`` is resident, in bytes.
    """

    name: str
    state: str
    memory: int


class ComposeStack(Stack):
    """The platform that ``docker-compose.yml`` describes, on the engine of this machine.

    An operator's programs sign in at the platforms' listener, the only one that is published.
    """

    def __init__(self, ports: Ports | None = None) -> None:
        self.ports = ports or Ports.from_environment()
        platforms = f"{HOST}:{self.ports.kafka_platforms}"
        secrets = Secrets(HOME / "secrets")
        super().__init__(Broker(platforms, platforms, secrets), secrets)

    @property
    def public_url(self) -> str:
        """Where browsers find the platform."""
        return f"http://{HOST}:{self.ports.gateway}"

    @property
    def mail_url(self) -> str:
        """The mail catcher: a page, and ``/api/v1/messages``."""
        return f"http://{HOST}:{self.ports.smtp}"

    @property
    def clock_file(self) -> Path:
        """The file that shifts the clock of all containers."""
        return HOME / "clock" / "clock.json"

    def start(
        self, scale: Mapping[str, int] | None = None, waiting: Callable[[str], None] = lambda missing: None
    ) -> None:
        """Builds the image, starts what is not running and waits until the platform can be used.

        ``waiting`` is told what is still missing, whenever that changes. Raises :class:`LocalError`; the containers
        are left as they are then, so that their logs can be read. An interrupt removes them again, unless some were
        there before.
        """
        there = self.running()
        if not there:
            ports = self.ports.gateway, self.ports.kafka_platforms, self.ports.smtp
            if taken := [port for port in ports if not bindable(port)]:
                raise LocalError(in_use(taken))
        self.clock_file.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        compose_secrets.make(self.secrets, self.kafka.platforms_bootstrap)
        numbers = [f"--scale={name}={number}" for name, number in (scale or {}).items()]
        try:
            self.compose("build", "--quiet", "secrets")  # the image of all services
            self.compose("up", "--detach", "--no-build", *numbers)
            self._wait_until_ready(waiting)
        except KeyboardInterrupt:
            if not there:
                self.stop()
            raise

    def stop(self) -> None:
        """Ends and removes the containers; the data stays in its volumes."""
        self.compose("down")

    def clean(self) -> None:
        """Stops everything and removes its data, secrets included. Raises :class:`LocalError` without an engine."""
        self.running()
        self.compose("down", "--volumes")
        shutil.rmtree(HOME, ignore_errors=True)

    def running(self) -> bool:
        """Whether containers of this platform are there. Raises :class:`LocalError` without an engine."""
        return bool(self.output("ps", "--quiet").strip())

    def compose(self, *arguments: str) -> None:
        """Runs Docker Compose on this platform, showing what it says. Raises :class:`LocalError` when it fails."""
        result = subprocess.run(self.command(*arguments), cwd=ROOT, env=self.environment())
        if result.returncode:
            raise LocalError(f"Docker Compose could not do `{arguments[0]}` (see above).")

    def output(self, *arguments: str) -> str:
        """Runs Docker Compose and returns what it writes. Raises :class:`LocalError` when it fails."""
        command = self.command(*arguments)
        result = subprocess.run(command, cwd=ROOT, env=self.environment(), capture_output=True, text=True)
        if result.returncode:
            said = (result.stderr.strip().splitlines() or ["it says nothing"])[-1]
            raise LocalError(f"Docker does not answer; start it, or say where it is with DOCKER_HOST. It says: {said}")
        return result.stdout

    def command(self, *arguments: str) -> list[str]:
        """The command line of Docker Compose, the plugin or the program. Raises :class:`LocalError` without either."""
        if docker := shutil.which("docker"):
            if not subprocess.run([docker, "compose", "version"], capture_output=True).returncode:
                return [docker, "compose", *arguments]
            if program := shutil.which("docker-compose"):
                return [program, *arguments]
        raise LocalError(
            "Docker and Docker Compose are needed for this and are not installed; `make up` works without them."
        )

    def environment(self) -> dict[str, str]:
        """The variables that docker-compose.yml asks for, beside those of this program."""
        return os.environ | {
            "MISSION_GATEWAY_PORT": str(self.ports.gateway),
            "MISSION_KAFKA_PLATFORMS_PORT": str(self.ports.kafka_platforms),
            "MISSION_MAIL_PORT": str(self.ports.smtp),
        }

    def inside(self, service: str, *command: str) -> list[str]:
        """The command line that runs a program in a running container of this service."""
        return self.command("exec", "-T", service, *command)

    def ask(self, service: str, *commands: Mapping[str, Any]) -> list[dict[str, Any]]:
        """As :meth:`Stack.ask`, by a program in a container of the service."""
        result = subprocess.run(
            self.inside(service, "python", "-m", "infra.compose.ask"),
            input=json_util.dumps(commands, json_options=EXTENDED_JSON),
            cwd=ROOT,
            env=self.environment(),
            capture_output=True,
            text=True,
        )
        if result.returncode:
            said = (result.stderr.strip().splitlines() or ["it says nothing"])[-1]
            raise LocalError(f"{service} cannot ask its database; `make status STACK=compose` shows more: {said}")
        answers: list[dict[str, Any]] = json_util.loads(result.stdout, json_options=EXTENDED_JSON)
        return answers

    def containers(self) -> list[Container]:
        """Every container, also those that have ended, by name."""
        ids = self.output("ps", "--all", "--quiet").split()
        stats = _said("docker", "stats", "--no-stream", "--no-trunc", "--format", "{{.ID}} {{.MemUsage}}", *ids)
        memory = {id: _bytes(size) for id, size, *_ in map(str.split, stats.splitlines())}
        found = [_container(each, memory.get(each["Id"], 0)) for each in json.loads(_said("docker", "inspect", *ids))]
        return sorted(found, key=lambda container: container.name)

    def _wait_until_ready(self, waiting: Callable[[str], None]) -> None:
        deadline, told = time.monotonic() + START_SECONDS, ""
        while missing := _missing(self.ports.gateway):
            if missing != told:
                told = missing
                waiting(missing)
            if time.monotonic() > deadline:
                raise LocalError(
                    f"Not ready after {START_SECONDS} s: it waits for {missing}; `make logs STACK=compose` shows more."
                )
            time.sleep(0.5)


def _missing(port: int) -> str:
    """What the platform says that it waits for, empty when it can be used."""
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", "/health/ready")
        missing: dict[str, list[str]] = json.loads(connection.getresponse().read())["missing"]
        return "; ".join(f"{service}: {', '.join(parts)}" for service, parts in missing.items())
    except (OSError, http.client.HTTPException, ValueError, KeyError):
        return "the gateway"
    finally:
        connection.close()


def _said(*command: str) -> str:
    """What a program writes."""
    return subprocess.run(command, capture_output=True, text=True).stdout


def _container(inspected: Mapping[str, Any], memory: int) -> Container:
    """What ``docker inspect`` says of one."""
    labels, state = inspected["Config"]["Labels"], inspected["State"]
    name = f"{labels['com.docker.compose.service']}-{labels['com.docker.compose.container-number']}"
    if state["Status"] == "exited":
        return Container(name, f"ended with {state['ExitCode']}", memory)
    return Container(name, (state.get("Health") or {}).get("Status") or state["Status"], memory)


UNITS: Final = ("B", "KiB", "MiB", "GiB")


def _bytes(text: str) -> int:
    """Reads ``226.1MiB`` as Docker writes it."""
    number = text.rstrip("BKMGi")
    return int(float(number) * 1024 ** UNITS.index(text[len(number) :]))
