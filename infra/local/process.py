"""A child process that outlives the program that started it: pid file, log file, and an orderly end."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil

from infra.local.errors import LocalError

TAIL_LINES = 12
THREADS_SECONDS = 5.0


def tail(path: Path, lines: int = TAIL_LINES) -> str:
    """The last lines of a log file; empty when there is none."""
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - 64 * 1024))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return ""


def running(pid_file: Path) -> psutil.Process | None:
    """The live process that a pid file names, or None. A reused pid is told apart by its time of creation."""
    try:
        pid, created = pid_file.read_text().split()
        process = psutil.Process(int(pid))
        alive = process.create_time() == float(created) and process.status() != psutil.STATUS_ZOMBIE
    except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
        return None
    return process if alive else None


def end(process: psutil.Process, timeout: float) -> None:
    """Asks a process to end, and kills it when it has not ended after ``timeout`` seconds."""
    try:
        process.terminate()
        process.send_signal(signal.SIGCONT)
        process.wait(timeout)
    except psutil.TimeoutExpired:
        process.kill()
        process.wait(timeout)
    except psutil.NoSuchProcess:
        pass


class Daemon:
    """One supervised child process.

    Its output goes to ``log``, its pid to ``pid_file``. It runs in a session of its own, so that Ctrl-C in a terminal
    reaches only the program that supervises it. It inherits the open files whose numbers are in ``inherits``.
    """

    def __init__(
        self, name: str, command: Sequence[str], log: Path, pid_file: Path, inherits: Sequence[int] = ()
    ) -> None:
        self.name = name
        self.command = list(command)
        self.inherits = list(inherits)
        self.log = log
        self.pid_file = pid_file
        self._child: psutil.Popen | None = None

    @property
    def process(self) -> psutil.Process | None:
        """The live process, also when another program started it."""
        return running(self.pid_file)

    @property
    def pid(self) -> int | None:
        """The live process's id."""
        process = self.process
        return process.pid if process else None

    @property
    def exit_code(self) -> int | None:
        """The code with which the last child of this program ended; minus the number of the signal that ended it.

        None for a process that was not started here, and for one that goes on.
        """
        if self._child is None:
            return None
        try:
            # One that has just ended may still have threads, and has no code before they have ended too.
            return int(self._child.wait(timeout=THREADS_SECONDS))
        except psutil.TimeoutExpired:
            return None

    def spawn(self, environment: Mapping[str, str] | None = None, cwd: Path | None = None) -> None:
        """Starts the process with ``environment`` added to this program's own; does not wait until it is ready."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.pid_file.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            child = psutil.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
                cwd=cwd,
                start_new_session=True,
                pass_fds=self.inherits,
            )
        try:
            self.pid_file.write_text(f"{child.pid} {child.create_time()}")
        except BaseException:
            child.kill()
            raise
        self._child = child

    def stop(self, timeout: float = 20) -> None:
        """Ends the process in an orderly way, and by force after ``timeout`` seconds."""
        if process := self.process:
            end(process, timeout)
        self.pid_file.unlink(missing_ok=True)

    def kill(self) -> None:
        """Ends the process at once, as a crash would (SIGKILL)."""
        if process := self.process:
            process.kill()
            process.wait(20)

    def suspend(self) -> None:
        """Freezes the process (SIGSTOP): its connections stay open and nothing answers."""
        if process := self.process:
            process.suspend()

    def resume(self) -> None:
        """Lets a frozen process go on (SIGCONT)."""
        if process := self.process:
            process.resume()

    def wait_until(self, ready: Callable[[], bool], timeout: float = 60) -> None:
        """Waits until ``ready`` returns true.

        Raises :class:`LocalError`, with the last log lines, when the process ends before or ``timeout`` seconds pass.
        """
        deadline = time.monotonic() + timeout
        while not ready():
            if self.pid is None:
                raise LocalError(f"{self.name} ended while starting; its log {self.log} ends with:\n{tail(self.log)}")
            if time.monotonic() > deadline:
                raise LocalError(
                    f"{self.name} was not ready after {timeout:.0f} s; its log {self.log} ends with:\n{tail(self.log)}"
                )
            time.sleep(0.05)
