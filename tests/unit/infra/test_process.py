"""What is known of a child process when it has ended."""

import sys
import time
from pathlib import Path

import pytest

from infra.local.process import Daemon

LINGERING = """
import ctypes, os, threading, time

def last():
    time.sleep(0.5)
    os._exit(7)

threading.Thread(target=last).start()
ctypes.CDLL(None).pthread_exit(None)
"""
"""A program whose main thread ends before another one: the kernel shows it as dead, and has no exit code yet."""


@pytest.mark.parametrize(("program", "code"), [("raise SystemExit(3)", 3), (LINGERING, 7)], ids=["plain", "lingering"])
def test_its_exit_code_is_known(tmp_path: Path, program: str, code: int) -> None:
    daemon = Daemon("child", [sys.executable, "-c", program], tmp_path / "child.log", tmp_path / "child.pid")
    daemon.spawn()
    deadline = time.monotonic() + 30
    while daemon.process is not None:
        assert time.monotonic() < deadline, "the child goes on"
        time.sleep(0.01)
    assert daemon.exit_code == code
