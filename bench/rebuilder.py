"""Builds the next generation of the reader's projection, in a process of its own so that its memory can be seen.

``python -m bench.rebuilder``, with the reader's settings; prints one JSON object: after how many records, when
(seconds) and how large (bytes) the process was, batch by batch, and whether the generation took over.
"""

import json
import time
from dataclasses import asdict

import psutil
import uvloop

from bench import thin
from shared.broker import connection
from shared.clock import Clock
from shared.rebuilding import Progress, Rebuilding
from shared.settings import Settings, secrets_dir
from shared.store import Store


async def build() -> None:
    """The whole of it."""
    settings = Settings(_secrets_dir=secrets_dir(), service=thin.READER)
    store = Store(settings.mongo_url.get_secret_value(), settings.database, settings.service, Clock())
    process = psutil.Process()
    steps: list[tuple[int, float, int]] = []

    def tell(progress: Progress) -> None:
        steps.append((progress.read, time.perf_counter(), process.memory_info().rss))

    work = Rebuilding(thin.inbox(thin.READER), store, [thin.SEEN], connection(settings, "rebuild"), tell)
    report = await work.run()
    store.close()
    print(json.dumps({"steps": steps, "report": asdict(report)}, default=str))


if __name__ == "__main__":
    uvloop.run(build())
