"""``python -m tests.faults``: a round of faults on a platform of its own; ends with 1 when something does not hold."""

import argparse
import logging
import secrets
import signal
import sys
from threading import Event

from rich.console import Console

from infra.local.errors import LocalError
from tests.faults import plan, recovery
from tests.faults.round import Result, Round, path, play


def main() -> None:
    """Reads the command line, plays and reports."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--faults", type=int, default=25, help="how many faults; from 100 on they last up to 60 s")
    parser.add_argument("--seed", type=int, help="drawn when it is not given; the same seed makes the same plan")
    parser.add_argument("--plan", help="these faults instead of drawn ones, as in 'kill-broker cut@mongo/catalogue@8'")
    parser.add_argument(
        "--rate", type=float, default=Round.rate, help="writes per second in all; 50 need four processors"
    )
    parser.add_argument("--offices", type=int, default=Round.offices, help="clients that write at the same time")
    parser.add_argument(
        "--patience", type=float, default=Round.patience, help="seconds that recovery may take after a fault"
    )
    arguments = parser.parse_args()
    # That the broker is away again and again is what is tried here.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    seed = secrets.randbelow(1_000_000) if arguments.seed is None else arguments.seed
    lasts = plan.LONG if arguments.faults >= 100 else plan.SHORT
    console = Console(width=None if sys.stdout.isatty() else 140)
    enough = Event()

    def interrupted(*_: object) -> None:
        if enough.is_set():
            sys.exit(1)
        enough.set()
        console.print("No further fault; what was done is checked. Once more ends at once.")

    signal.signal(signal.SIGINT, interrupted)
    # So that the platform is stopped before this ends.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        faults = plan.named(arguments.plan) if arguments.plan else plan.drawn(seed, arguments.faults, lasts)
        console.print(f"Seed {seed}, {len(faults)} faults.")
        round = Round(seed, faults, arguments.rate, arguments.offices, arguments.patience)
        result = play(round, lambda line: console.print(line), enough.is_set)
    except LocalError as error:
        sys.exit(f"faults: {error}")
    show(console, result)
    sys.exit(bool(result.violations))


def show(console: Console, result: Result) -> None:
    """Prints what came of a round."""
    report = result.report
    console.print(recovery.table(report["recovery"]))
    asked = {kind: ", ".join(f"{n} {what}" for what, n in each.items()) for kind, each in report["requests"].items()}
    for kind, counts in asked.items():
        console.print(f"{kind}: {counts}")
    mails = report["mails"]
    console.print(
        f"{report['writes_per_second']} writes/s; {report['records']} records, repeats by kind of fault"
        f" {report['repeats'] or 'none'}; {mails['delivered']} mails, {mails['extra']} of them once more"
        f" (at most {mails['extra_allowed']}); {report['seconds']} s in all. Report: {path()}"
    )
    if result.violations:
        console.print(result.text, markup=False, highlight=False, soft_wrap=True)
    else:
        console.print("Everything holds.")


if __name__ == "__main__":
    main()
