"""``python -m tests.faults.prove``: plants known bugs in copies of the code, one each, and sees the suite find them.

Each copy is under ``.local/prove`` with a platform of its own; what was found is in its ``.local/faults/report.json``.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from infra.local.stack import ROOT
from tests import releases
from tests.faults.plants import PLANTS, Plant

HOME: Final = ROOT / ".local" / "prove"
SEED: Final = 7
SECONDS: Final = 900
ATTEMPTS: Final = 3
"""A bug can also keep a round from its beginning: one office is refused what it was granted a moment before."""
PATIENCE_SECONDS: Final = 30
"""With some bugs the consumers never come to rest; what they leave wrong is there by then."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What the suite found of a planted bug. ``right`` are the checks that were to fail and did, ``other`` the rest."""

    plant: Plant
    right: list[str]
    other: list[str]
    sentence: str
    seconds: float

    @property
    def caught(self) -> bool:
        """Whether it failed for the right reason."""
        return bool(self.right)


def prove(plant: Plant) -> Proof:
    """Plants a bug, plays the round that aims at it, and reads what was found."""
    begun = time.monotonic()
    root = HOME / plant.name
    releases.copy_to(root)
    plant.put(root)
    options = [f"--seed={SEED}", f"--plan={plant.plan}", f"--rate={plant.rate}", f"--offices={plant.offices}"]
    options.append(f"--patience={PATIENCE_SECONDS}")
    report = root / ".local" / "faults" / "report.json"
    for _ in range(ATTEMPTS):
        _play(root, options)
        if report.exists():
            break
    found = json.loads(report.read_text())["violations"] if report.exists() else []
    checks = {each["check"] for each in found}
    fitting = [each for each in found if each["check"] in plant.checks and plant.says in each["sentence"]]
    sentence = f"{fitting[0]['key']}: {fitting[0]['sentence']}" if fitting else ""
    if not report.exists():
        sentence = (root / "round.log").read_text().strip().splitlines()[-1]
    right = sorted({each["check"] for each in fitting})
    other = sorted(checks - set(right))
    return Proof(plant, right, other, sentence, time.monotonic() - begun)


def _play(root: Path, options: list[str]) -> None:
    with (root / "round.log").open("w") as log:
        command = [sys.executable, "-m", "tests.faults", *options]
        try:
            subprocess.run(command, cwd=root, stdout=log, stderr=subprocess.STDOUT, timeout=SECONDS)
        finally:
            # A bug can be such that the round does not come to its end.
            home = {**os.environ, "MISSION_HOME": str(root / ".local" / "faults" / "platform")}
            down = [sys.executable, "-m", "mission", "down"]
            subprocess.run(down, cwd=root, env=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def main() -> None:
    """Proves all bugs, or those whose names hold the words given; ends with 1 when one is not caught."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.prove", description=__doc__)
    parser.add_argument("words", nargs="*", help="only bugs whose names hold one of these words")
    words = parser.parse_args().words
    console = Console(width=None if sys.stdout.isatty() else 160)
    chosen = [plant for plant in PLANTS if not words or any(word in plant.name for word in words)]
    proofs = []
    for number, plant in enumerate(chosen, 1):
        proof = prove(plant)
        proofs.append(proof)
        verdict = f"caught by {', '.join(proof.right)}" if proof.caught else "NOT CAUGHT"
        console.print(f"{number}/{len(chosen)} {plant.name}: {verdict} after {proof.seconds:.0f} s")
        console.print(f"    {proof.sentence}", markup=False, highlight=False)
    table = Table(title="Planted bugs", title_justify="left")
    for column in ("bug", "caught by", "also failed", "seconds"):
        table.add_column(column, justify="right" if column == "seconds" else "left")
    for proof in proofs:
        caught = ", ".join(proof.right) or "[red]not caught[/]"
        table.add_row(proof.plant.name, caught, ", ".join(proof.other), f"{proof.seconds:.0f}")
    console.print(table)
    HOME.mkdir(parents=True, exist_ok=True)
    shown = [{"bug": p.plant.name, "caught_by": p.right, "also": p.other, "seconds": round(p.seconds)} for p in proofs]
    (HOME / "report.json").write_text(json.dumps(shown, indent=1))
    sys.exit(not all(proof.caught for proof in proofs))


if __name__ == "__main__":
    main()
