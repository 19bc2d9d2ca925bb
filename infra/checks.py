"""Checks of the dependencies: the lock is fresh, and nothing in it has a known weakness.

``python -m infra.checks``; what needs a network that is not there is said, and is no failure.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

LOCK: Final = Path("requirements.lock")
COMPILE: Final = (
    *("pip", "compile", "pyproject.toml", "--group", "dev", "--universal", "--generate-hashes"),
    *("--python-version", "3.11", "--quiet", "--no-emit-index-url", "--no-header"),
)
UNREACHABLE: Final = re.compile(r"(?i)error sending request|failed to fetch|connect|timed? ?out|dns|offline")


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """Runs a program of the virtual environment's and keeps what it says."""
    program = Path(sys.executable).with_name(command[0])
    name = str(program) if program.exists() else command[0]
    return subprocess.run([name, *command[1:]], capture_output=True, text=True, stdin=subprocess.DEVNULL)


def lock() -> str | None:
    """Why the lock does not fit ``pyproject.toml``, or None."""
    with tempfile.TemporaryDirectory() as directory:
        fresh = Path(directory) / LOCK.name
        shutil.copyfile(LOCK, fresh)  # versions that are locked stay, unless they no longer fit
        result = run("uv", *COMPILE, "--output-file", str(fresh))
        if result.returncode and UNREACHABLE.search(result.stderr):
            print("lock: not checked, the package index cannot be reached")
            return None
        if result.returncode:
            return result.stderr.strip()
        if fresh.read_text() != LOCK.read_text():
            return "requirements.lock does not fit pyproject.toml; `make lock` renews it."
    if "://" in LOCK.read_text():
        return "requirements.lock names a registry host; `make lock` writes it without."
    print("lock: fresh")
    return None


def audit() -> str | None:
    """The known weaknesses of what is locked, or None."""
    options = "--requirement", str(LOCK), "--require-hashes", "--disable-pip", "--progress-spinner=off"
    result = run("pip-audit", *options, "--format=json", "--timeout=10")
    try:
        dependencies: list[dict[str, Any]] = json.loads(result.stdout)["dependencies"]
    except ValueError:
        dependencies = []
    audited = [dependency for dependency in dependencies if "skip_reason" not in dependency]
    if not audited:
        print("audit: not done, the advisory database cannot be reached")
        return None
    weak = [
        f"{dependency['name']} {dependency['version']}: {weakness['id']}, mended in"
        f" {', '.join(weakness['fix_versions']) or 'no version yet'}"
        for dependency in audited
        for weakness in dependency["vulns"]
    ]
    print(f"audit: {len(audited)} of {len(dependencies)} packages looked up")
    return "\n".join(weak) or None


def main() -> None:
    """Runs both checks; ends with 1 when one fails."""
    problems = [f"{check.__name__}: {problem}" for check in (lock, audit) if (problem := check())]
    print("\n".join(problems), file=sys.stderr, end="\n" if problems else "")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
