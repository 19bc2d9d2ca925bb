"""A projection built anew from a long log: beside the rate at which a service applies the same events as they come.

The beginning of the log is applied by a service, whose pace is measured. The rest is what such a service would leave
behind, written straight to topic and store; then a generation is built from all of it, compared, and takes over. The
build's rate is that of each quarter of the log.
"""

from itertools import pairwise
from typing import Any, Final

from pymongo import MongoClient

from bench import payload, thin
from bench.figures import Figure
from bench.ground import Ground
from bench.topics import pace, publish, records
from infra.databases import database

EVENTS: Final = 1_000_000
CITIES: Final = 10_000
ROUNDS: Final = 4
QUARTERS: Final = 4


async def measure(ground: Ground, share: float) -> list[Figure]:
    """Applies, goes on writing, and builds."""
    cities = payload.cities(CITIES)
    rounds = [records((city, version) for city in cities) for version in range(1, ROUNDS + 1)]
    async with ground.ours("bench.thin:reader", thin.READER, "/cities/none"):
        applied = [await pace(ground, payload.TOPIC, thin.GROUP, each) for each in rounds]
    last = int(EVENTS * share) // CITIES
    for version in range(ROUNDS + 1, last + 1):
        publish(ground, payload.TOPIC, records((city, version) for city in cities))
    _leave(ground, last)
    built = await ground.script("bench.rebuilder", environment=ground.service_environment(thin.READER))
    report, steps = built["report"], built["steps"]
    assert report["switched"], f"the new generation is not like the present one: {report}"
    count = last * CITIES
    assert steps[-1][0] == count, f"{steps[-1][0]} of {count} records were read"
    marks = [next(step for step in steps if step[0] >= count * part / QUARTERS) for part in range(QUARTERS + 1)]
    rates = [(end[0] - begin[0]) / (end[1] - begin[1]) for begin, end in pairwise(marks)]
    early = next(step for step in steps if step[0] >= count / 10)
    size = f"{count:,} events"
    return [
        Figure("a projection built anew, beside applying", size, "/s", rates, applied, 0.6, "at least"),
        Figure("memory of a build, beside a tenth of it", size, "MB", [steps[-1][2] / 1e6], [early[2] / 1e6], 1.1),
    ]


def _leave(ground: Ground, last: int) -> None:
    """What a service leaves behind that has applied everything up to this version."""
    client: MongoClient[dict[str, Any]]
    with MongoClient(ground.stack.mongo.admin_url) as client:
        reader: Any = client[database(thin.READER)]
        done = reader["inbox"].update_many({"version": ROUNDS}, {"$set": {"version": last}}).modified_count
        shown = reader[thin.SEEN.name].update_many({"number": ROUNDS}, {"$set": {"number": last}}).modified_count
    assert done == shown == CITIES, f"{done} and {shown} of {CITIES} cities were where their last event left them"
