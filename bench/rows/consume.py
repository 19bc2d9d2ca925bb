"""Reading, decoding, taking note in the inbox and committing, without any effect: beside aiokafka and the decoder.

The platform's side writes down how far each aggregate is, which the baseline does not; what that costs depends on how
many aggregates a batch of 500 touches.
"""

from typing import Final

from bench import payload, thin
from bench.bare import consume
from bench.figures import Figure
from bench.ground import Ground
from bench.topics import paces, records

EVENTS: Final = 60_000
CITIES: Final = (6, 10_000)
ROUNDS: Final = 3


async def measure(ground: Ground, share: float) -> list[Figure]:
    """Events of few and of many cities."""
    ours, bare = (payload.TOPIC, thin.GROUP), (ground.topic(consume.TOPIC), "bench.decoding")
    found = []
    async with (
        ground.ours("bench.thin:idle_reader", thin.READER, "/cities/none"),
        ground.bare("consume:decoding"),
    ):
        for count in CITIES:
            versions = int(EVENTS * share / count)
            rounds = []
            for _ in range(ROUNDS):
                cities = payload.cities(count)
                rounds.append(records((city, version + 1) for version in range(versions) for city in cities))
            size = f"{versions * count:,} events of {count:,} cities"
            found.append(
                Figure(
                    "events taken without effect",
                    size,
                    "/s",
                    *await paces(ground, ours, bare, rounds),
                    0.75,
                    "at least",
                )
            )
    return found
