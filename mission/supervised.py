"""One process under supervision: started, watched, restarted with growing pauses."""

import http.client
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from infra.local import HOST
from infra.local.errors import LocalError
from infra.local.process import Daemon, tail
from mission.place import Health, ProcessState

BACKOFF_SECONDS: Final = (0.5, 1, 2, 4, 8, 15, 30)
STABLE_SECONDS: Final = 60
"""After running this long a process counts as well again, and its backoff begins anew."""

HOPELESS_CRASHES: Final = 4
"""A process that has crashed this often and was never ready ends the start."""

LIVENESS_SECONDS: Final = 5
SICK_CHECKS: Final = 3
"""A process that is not live in this many checks in a row is restarted."""


class Supervised:
    """One process under supervision.

    ``start`` begins it, ``missing`` says what it still waits for and is empty when it can be used.
    """

    def __init__(
        self, name: str, daemon: Daemon, port: int, start: Callable[[], None], missing: Callable[[], str], *, http: bool
    ) -> None:
        self.name = name
        self.daemon = daemon
        self.port = port
        self.http = http
        self.health = Health.STOPPED
        self.restarts = 0
        self.problem = ""
        self.waits_for = ""
        self._start = start
        self._missing = missing
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
            self.waits_for = self._missing()
            if not self.waits_for:
                self.health, self._was_ready = Health.READY, True
        else:
            if now - self._started > STABLE_SECONDS:
                self._crashes = 0
            if self.http and now - self._checked > LIVENESS_SECONDS:
                self._check_liveness(now)

    def _check_liveness(self, now: float) -> None:
        self._checked = now
        self._sick = self._sick + 1 if missing(self.port, "/health/live") else 0
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
            waits_for=self.waits_for,
        )


def missing(port: int, path: str) -> str:
    """What a service says that it lacks, empty when it answers 200 within two seconds."""
    connection = http.client.HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = json.loads(answer.read())
        return "" if answer.status == http.HTTPStatus.OK else ", ".join(body.get("missing") or body.get("problems"))
    except (OSError, http.client.HTTPException):
        return "an answer"
    except (ValueError, TypeError, AttributeError):
        return f"a sensible answer to {path}"
    finally:
        connection.close()
