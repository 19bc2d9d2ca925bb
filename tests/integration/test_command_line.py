"""The command line as somebody types it: start, look, crash, stop, and one clear sentence for what goes wrong."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infra.local.errors import LocalError
from infra.local.ports import Ports
from infra.local.process import Daemon, running
from infra.local.stack import ROOT
from mission.clock import duration
from mission.place import Health
from mission.supervised import HOPELESS_CRASHES, Supervised
from mission.supervisor import scale_of

MISSION = (sys.executable, "-m", "mission")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a checkout of its own: its directory has a space in its name, its ports are free."""
    return {
        **os.environ,
        "MISSION_HOME": str(tmp_path_factory.mktemp("a platform")),
        "MISSION_PORT_BASE": str(Ports.free().base),
    }


@pytest.fixture(scope="module")
def platform(place: dict[str, str]) -> Iterator[dict[str, str]]:
    """A running platform without services."""
    result = run(place, "up", "--no-services", "--detach")
    assert result.returncode == 0, result.stderr
    yield place
    assert run(place, "down").returncode == 0
    assert pids(place) == {}


def run(place: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Types a command."""
    return subprocess.run([*MISSION, *arguments], env=place, cwd=ROOT, capture_output=True, text=True, timeout=180)


def pids(place: dict[str, str]) -> dict[str, int]:
    """What runs of this platform."""
    found = {file.stem: running(file) for file in Path(place["MISSION_HOME"]).glob("run/*.pid")}
    return {name: process.pid for name, process in found.items() if process}


def eventually(condition: Callable[[], object], what: str, seconds: float = 60) -> None:
    """Waits until the condition is true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.1)


def test_status_shows_what_runs(platform: dict[str, str]) -> None:
    result = run(platform, "status")
    assert result.returncode == 0, result.stderr
    for name in ("kafka", "mongodb", "mail"):
        line = next(line for line in result.stdout.splitlines() if f" {name} " in line)
        assert "ready" in line
        assert "MB" in line


def test_a_second_start_is_refused_with_one_sentence(platform: dict[str, str]) -> None:
    before = pids(platform)
    result = run(platform, "up", "--detach")
    assert result.returncode == 1
    assert result.stderr == (
        "mission: The platform is already running; `make status` shows it and `make down` stops it.\n"
    )
    assert pids(platform) == before


def test_another_checkout_on_the_same_ports_is_refused(platform: dict[str, str], tmp_path: Path) -> None:
    result = run({**platform, "MISSION_HOME": str(tmp_path)}, "up", "--no-services", "--detach")
    assert result.returncode == 1
    assert "MISSION_PORT_BASE" in result.stderr
    assert result.stderr.count("\n") == 1
    assert pids({"MISSION_HOME": str(tmp_path)}) == {}


def test_what_crashes_is_started_again(platform: dict[str, str]) -> None:
    crashed = pids(platform)["mongo"]
    os.kill(crashed, signal.SIGKILL)
    eventually(lambda: pids(platform).get("mongo", crashed) != crashed, "mongod runs again")

    def shown() -> bool:
        lines = run(platform, "status").stdout.splitlines()
        return any(" mongodb " in line and "ready" in line and "│        1 │" in line for line in lines)

    eventually(shown, "status shows mongodb as ready, with one restart")


def test_the_broker_is_as_the_registry_says(platform: dict[str, str]) -> None:
    result = run(platform, "topics")
    assert result.returncode == 0, result.stderr
    assert "0 missing, 0 too many" in result.stdout


def test_a_platform_is_added_while_everything_runs(platform: dict[str, str]) -> None:
    arguments = "platform", "add", "pt-example", "--name", "Example", "--source", "https://example.org/events"
    for _ in range(2):
        result = run(platform, *arguments)
        assert result.returncode == 0, result.stderr
    properties = Path(result.stdout.split("password: ")[1].strip())
    assert "sasl.username=platform-pt-example" in properties.read_text()
    assert run(platform, "topics").returncode == 0


def test_a_platform_with_an_impossible_id_is_refused(platform: dict[str, str]) -> None:
    result = run(platform, "platform", "add", "Example", "--name", "Example", "--source", "https://example.org")
    assert result.returncode == 1
    assert result.stderr.startswith("mission: platform 'Example'")


def test_the_clock_moves_forward_and_back(place: dict[str, str]) -> None:
    run(place, "clock", "reset")
    assert "30 days" in run(place, "clock", "forward", "30d").stdout
    assert "31 days, 2:00:00" in run(place, "clock", "forward", "1d2h").stdout
    assert "0:00:00 ahead" in run(place, "clock", "reset").stdout
    refused = run(place, "clock", "forward", "soon")
    assert refused.returncode == 1
    assert "write it as 30d" in refused.stderr


@pytest.mark.parametrize("text", ["", "30", "-1d", "1y", "d", "1d 2h"])
def test_a_length_of_time_is_read_strictly(text: str) -> None:
    with pytest.raises(LocalError, match="not a length of time"):
        duration(text)


@pytest.mark.parametrize("text", ["catalogue", "catalogue=0", "catalogue=x", "catalog=2", "gateway=2", "catalogue=99"])
def test_an_impossible_scale_is_refused(text: str) -> None:
    with pytest.raises(LocalError):
        scale_of([text])


def test_an_interrupted_start_leaves_nothing_behind(place: dict[str, str], tmp_path: Path) -> None:
    elsewhere = {**place, "MISSION_HOME": str(tmp_path), "MISSION_PORT_BASE": str(Ports.free().base)}
    command = [*MISSION, "up", "--no-services"]
    with subprocess.Popen(
        command,
        env=elsewhere,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # A run in a shell's background has inherited that Ctrl-C is ignored; somebody at a terminal has not.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as starting:
        eventually(lambda: {"supervisor", "kafka"} <= pids(elsewhere).keys(), "Kafka is starting")
        starting.send_signal(signal.SIGINT)
        assert starting.wait(120) == 130
    assert pids(elsewhere) == {}


def test_a_killed_supervisor_leaves_nothing_that_down_does_not_end(place: dict[str, str], tmp_path: Path) -> None:
    elsewhere = {**place, "MISSION_HOME": str(tmp_path), "MISSION_PORT_BASE": str(Ports.free().base)}
    assert run(elsewhere, "up", "--no-services", "--detach").returncode == 0
    os.kill(pids(elsewhere)["supervisor"], signal.SIGKILL)
    assert run(elsewhere, "status").returncode == 1
    assert {"kafka", "mongo", "mail"} <= pids(elsewhere).keys()
    assert run(elsewhere, "down").stdout == "Stopped.\n"
    assert pids(elsewhere) == {}


def test_what_never_starts_is_given_up_with_its_last_lines(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "raise SystemExit('the setting is missing')"]
    daemon = Daemon("broken", command, tmp_path / "broken.log", tmp_path / "broken.pid")
    process = Supervised("broken", daemon, 0, daemon.spawn, lambda: "an answer", http=True)
    process.start()

    def given_up() -> bool:
        process.look()
        return process.hopeless

    eventually(given_up, "the start is given up")
    assert process.health is Health.CRASHED
    assert process.restarts == HOPELESS_CRASHES - 1
    assert "ended with code 1" in process.problem
    assert "the setting is missing" in process.problem
