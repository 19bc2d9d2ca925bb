"""Builds the next generation of this service's projections: ``python -m infra.rebuild``, with the service's settings.

For ``mission replay``, which starts it where the service runs. It tells of its progress on standard output, one JSON
object a line: ``{"read": 500, "all": 20000}``, and as the last one ``{"report": {...}}`` or ``{"problem": "..."}``.
"""

import argparse
import asyncio
import json
import sys
from contextlib import redirect_stdout
from dataclasses import asdict
from importlib import import_module
from typing import Any

from aiokafka.errors import KafkaError
from pymongo.errors import PyMongoError

from shared import telemetry
from shared.broker import connection
from shared.builds import Busy
from shared.clock import Clock
from shared.rebuilding import CannotBuild, Rebuilding
from shared.settings import Settings, secrets_dir
from shared.store import Store


async def rebuild(settings: Settings, *, anew: bool, switch: bool, accept: bool) -> dict[str, Any]:
    """Builds, compares and switches as :meth:`Rebuilding.run` does; returns the report or the problem."""
    package = f"services.{settings.service.replace('-', '_')}"
    inbox, collections = import_module(f"{package}.handlers").inbox, import_module(f"{package}.store").COLLECTIONS
    clock = Clock(settings.clock_file if settings.environment != "production" else None)
    store = Store(settings.mongo_url.get_secret_value(), settings.database, settings.service, clock)
    work = Rebuilding(inbox, store, collections, connection(settings, "rebuild"), lambda done: tell(asdict(done)))
    try:
        report = await work.run(anew=anew, switch=switch, accept=accept)
    except (CannotBuild, Busy) as problem:
        return {"problem": str(problem)}
    except (KafkaError, PyMongoError) as error:
        return {"problem": f"Broker or database is away ({error!r}); the same command goes on where this one was."}
    finally:
        store.close()
    first = report.comparison.first
    return {"report": asdict(report) | {"first": str(first) if first else None}}


def tell(what: dict[str, Any]) -> None:
    """Writes one line."""
    print(json.dumps(what), flush=True)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Builds the next generation of a service's projections.")
    for option in ("--anew", "--dry-run", "--accept"):
        parser.add_argument(option, action="store_true")
    options = parser.parse_args()
    settings = Settings(_secrets_dir=secrets_dir())
    # Standard output is for what is told.
    with redirect_stdout(sys.stderr):
        telemetry.configure_logs(settings)
    try:
        tell(asyncio.run(rebuild(settings, anew=options.anew, switch=not options.dry_run, accept=options.accept)))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
