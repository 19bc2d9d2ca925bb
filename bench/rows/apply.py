"""Events applied once each, durably, by a service: beside the driver's bulk writes, and a transaction per event.

All decode the same records, and commit to Kafka after the transaction. The baselines keep the events' ids and the
effects; the platform's side keeps how far each aggregate is. Each round brings every city's next event, so that a batch
never has two of the same, which is the most that there can be to do.
"""

from typing import Any, Final

from pymongo import MongoClient

from bench import payload, thin
from bench.bare import consume
from bench.figures import Figure
from bench.ground import Ground
from bench.topics import pace, paces, records
from infra.databases import database

EVENTS: Final = 200_000
ROUNDS: Final = 4
SINGLE: Final = 500


async def measure(ground: Ground, share: float) -> list[Figure]:
    """Both sides take each round's events; a transaction per event takes fewer of them."""
    cities = payload.cities(int(EVENTS * share / ROUNDS))
    rounds = [records((city, version) for city in cities) for version in range(1, ROUNDS + 1)]
    ours, batches = (payload.TOPIC, thin.GROUP), (ground.topic(consume.TOPIC), "bench.batches")
    async with (
        ground.ours("bench.thin:reader", thin.READER, "/cities/none"),
        ground.bare("consume:in_batches"),
    ):
        found = await paces(ground, ours, batches, rounds)
    _check(ground, len(cities))
    ground.topic(consume.SINGLE)
    some = int(SINGLE * share)
    async with ground.bare("consume:one_by_one"):
        single = [await pace(ground, consume.SINGLE, "bench.single", each[:some]) for each in rounds]
    size = f"{ROUNDS * len(cities):,} events"
    return [
        Figure("events applied, beside bulk writes", size, "/s", *found, 0.7, "at least"),
        Figure("events applied, beside a transaction each", size, "/s", found[0], single, 40, "at least"),
    ]


def _check(ground: Ground, cities: int) -> None:
    """Every city is where its last event left it, on both sides."""
    client: MongoClient[dict[str, Any]]
    with MongoClient(ground.stack.mongo.admin_url) as client:
        ours: Any = client[database(thin.READER)]
        bare: Any = client[consume.DATABASE]
        for collection, last in (
            (ours[thin.SEEN.name], {"number": ROUNDS}),
            (ours["inbox"], {"version": ROUNDS}),
            (bare["seen"], {"number": ROUNDS}),
        ):
            found = collection.count_documents(last)
            assert found == cities, f"{found} of {cities} are up to date in {collection.full_name}"
        assert bare["inbox"].count_documents({}) == ROUNDS * cities
