"""Checks beside the code: the locks are fresh, nothing in them has a known weakness, the alerts do what they say.

``python -m infra.checks``; what needs a network or a program that is not there is said, and is no failure.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

LOCK: Final = Path("requirements.lock")
LOCKS: Final = {
    LOCK: ("--group", "dev"),
    # What the container image is made of: of the same versions, so this comes second.
    Path("requirements-image.lock"): ("--group", "image", "--constraint", str(LOCK)),
}
"""Every lock file, and of what beside the services it is made."""

COMPILE: Final = (
    *("pip", "compile", "pyproject.toml", "--universal", "--generate-hashes"),
    *("--python-version", "3.11", "--quiet", "--no-emit-index-url", "--no-header"),
)
ACCEPTED: Final = Path("infra/accepted-weaknesses.toml")
UNREACHABLE: Final = re.compile(r"(?i)error sending request|failed to fetch|connect|timed? ?out|dns|offline")


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """Runs a program of the virtual environment's and keeps what it says."""
    program = Path(sys.executable).with_name(command[0])
    name = str(program) if program.exists() else command[0]
    return subprocess.run([name, *command[1:]], capture_output=True, text=True, stdin=subprocess.DEVNULL)


def locks() -> str | None:
    """Why a lock does not fit ``pyproject.toml``, or None."""
    for path, options in LOCKS.items():
        with tempfile.TemporaryDirectory() as directory:
            fresh = Path(directory) / path.name
            shutil.copyfile(path, fresh)  # versions that are locked stay, unless they no longer fit
            result = run("uv", *COMPILE, *options, "--output-file", str(fresh))
            if result.returncode and UNREACHABLE.search(result.stderr):
                print("locks: not checked, the package index cannot be reached")
                return None
            if result.returncode:
                return result.stderr.strip()
            if fresh.read_text() != path.read_text():
                return f"{path} does not fit pyproject.toml; `make lock` renews it."
        if "://" in path.read_text():
            return f"{path} names a registry host; `make lock` writes it without."
    print("locks: fresh")
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
    print(f"audit: {len(audited)} of {len(dependencies)} packages looked up")
    return "\n".join(weaknesses(audited, tomllib.loads(ACCEPTED.read_text()), datetime.now(UTC).date())) or None


def weaknesses(audited: Sequence[Mapping[str, Any]], accepted: Mapping[str, Any], today: date) -> list[str]:
    """The known weaknesses of these packages, but for those that were accepted with a reason, until a day."""
    return [
        f"{dependency['name']} {dependency['version']}: {weakness['id']}, mended in"
        f" {', '.join(weakness['fix_versions']) or 'no version yet'}"
        for dependency in audited
        for weakness in dependency["vulns"]
        if not any(
            known["package"] == dependency["name"] and known["why"] and today <= known["until"]
            for id, known in accepted.items()
            if id in (weakness["id"], *weakness.get("aliases", ()))
        )
    ]


def alerts() -> str | None:
    """What Prometheus's own tool finds wrong with the alerts, or None."""
    if shutil.which("promtool") is None:
        print("alerts: promtool is not installed, so that only tests/unit/infra/test_alerts.py has looked at them")
        return None
    folder = Path("infra/alerts")
    for command in (
        ("check", "config", "--syntax-only", str(folder / "prometheus.yml")),
        ("check", "rules", "--lint=all", "--lint-fatal", str(folder / "alerts.yml")),
        ("test", "rules", str(folder / "alerts_test.yml")),
    ):
        result = run("promtool", *command)
        if result.returncode:
            return f"promtool {' '.join(command)}: {result.stdout}{result.stderr}".strip()
    print("alerts: checked and tried out by promtool")
    return None


def renew() -> None:
    """Writes the locks anew from ``pyproject.toml``; versions that are locked stay where they fit."""
    for path, options in LOCKS.items():
        result = run("uv", *COMPILE, *options, "--output-file", str(path))
        if result.returncode:
            sys.exit(result.stderr.strip())


def main() -> None:
    """Runs all checks; ends with 1 when one fails. With ``--renew`` writes the locks anew instead."""
    if sys.argv[1:] == ["--renew"]:
        return renew()
    problems = [f"{check.__name__}: {problem}" for check in (locks, audit, alerts) if (problem := check())]
    print("\n".join(problems), file=sys.stderr, end="\n" if problems else "")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
