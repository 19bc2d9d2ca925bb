"""``python -m bench``: measures, prints the table and writes ``.local/bench/report.json``."""

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final

import uvloop
from rich.console import Console

from bench.figures import Figure, Run, show, write
from bench.ground import HOME, Ground
from bench.rows import apply, consume, gateway, instances, latency, reads, rebuild, relay, size

ROWS: Final[dict[str, Callable[[Ground, float], Coroutine[Any, Any, list[Figure]]]]] = {
    "latency": latency.measure,
    "relay": relay.measure,
    "apply": apply.measure,
    "consume": consume.measure,
    "gateway": gateway.measure,
    "reads": reads.measure,
    "rebuild": rebuild.measure,
    "instances": instances.measure,
    "size": size.measure,
}
QUICK: Final = 0.5


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measures against bare baselines.")
    parser.add_argument("--only", choices=ROWS, action="append", help="measure this alone; may be given several times")
    parser.add_argument("--quick", action="store_true", help="half of the work, to see that all of it runs")
    options = parser.parse_args()
    # However it is ended, what it has started ends with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    console = Console(width=max(Console().width, 120))
    figures: list[Figure] = []
    runs: dict[str, Run] = {}
    try:
        for name in options.only or ROWS:
            began, error = time.monotonic(), None
            console.print(f"{name} ...", highlight=False)
            try:
                ground = Ground()
                with ground.running():
                    figures += uvloop.run(ROWS[name](ground, QUICK if options.quick else 1.0))
            except Exception as failure:
                # The other rows are worth knowing all the same.
                error = repr(failure)
                console.print_exception()
            runs[name] = Run(time.monotonic() - began, os.getloadavg()[0], error)
            write(figures, runs, HOME / "report.json")
            console.print(f"  {runs[name]}", highlight=False)
    finally:
        show(figures, console)
    console.print(f"The whole report: {HOME / 'report.json'}", highlight=False)
    return int(any(run.error for run in runs.values()))


if __name__ == "__main__":
    sys.exit(main())
