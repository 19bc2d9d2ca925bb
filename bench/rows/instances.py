"""One service in one, two and four processes on the same topic: how fast together, and whether they share the work.

All take events with an effect. No event may be applied twice, and each process gets its share of the partitions; what
more processes bring depends on the cores that are left beside the broker and the database.
"""

import asyncio
import time
from collections import Counter
from contextlib import AsyncExitStack
from typing import Final

import aiohttp
from confluent_kafka import ConsumerGroupState, KafkaException
from confluent_kafka.admin import AdminClient
from prometheus_client.parser import text_string_to_metric_families

from bench import payload, thin
from bench.figures import Figure
from bench.ground import PARTITIONS, Ground
from bench.topics import PATIENCE_SECONDS, Record, pace, records

INSTANCES: Final = (1, 2, 4)
EVENTS: Final = 40_000
ROUNDS: Final = 3
REST_SECONDS: Final = 3.0
COUNTED: Final = ("mission_events_applied_total", "mission_events_repeated_total")


async def shares(admin: AdminClient, instances: int) -> list[int]:
    """How many partitions of the topic each process has, once the group has been at rest for a while."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    before: list[int] = []
    while time.monotonic() < deadline:
        found: list[int] = []
        try:
            group = await asyncio.wrap_future(admin.describe_consumer_groups([thin.GROUP])[thin.GROUP])
        except KafkaException:
            pass  # its coordinator is not there yet
        else:
            if group.state is ConsumerGroupState.STABLE:
                assigned = [member.assignment.topic_partitions for member in group.members if member.assignment]
                found = [sum(partition.topic == payload.TOPIC for partition in each) for each in assigned]
        if len(found) == instances and sum(found) == PARTITIONS and found == before:
            return found
        before = found
        # Longer than a heartbeat: only then does every process know that the group is shared anew.
        await asyncio.sleep(REST_SECONDS)
    raise RuntimeError(f"{thin.GROUP} has not come to rest: {before}")


async def effects(addresses: list[str]) -> Counter[str]:
    """How many events of the topic the processes have applied and recognised as repeats, all together."""
    found: Counter[str] = Counter()
    async with aiohttp.ClientSession() as session:
        for address in addresses:
            async with session.get(f"{address}/metrics") as answer:
                for family in text_string_to_metric_families(await answer.text()):
                    for sample in family.samples:
                        if sample.labels.get("topic") == payload.TOPIC and sample.name in COUNTED:
                            found[sample.name] += int(sample.value)
    return found


async def measure(ground: Ground, share: float) -> list[Figure]:
    """Each number of processes takes a backlog of its own, several times."""
    admin = ground.stack.kafka.admin()
    rounds: dict[int, list[list[Record]]] = {
        count: [records((city, 1) for city in payload.cities(int(EVENTS * share))) for _ in range(ROUNDS)]
        for count in INSTANCES
    }
    speed: dict[int, list[float]] = {}
    repeats, spread = [], []
    async with AsyncExitStack() as stack:
        addresses: list[str] = []
        for count in INSTANCES:
            for number in range(len(addresses), count):
                running = ground.ours("bench.thin:reader", thin.READER, "/cities/none", number)
                addresses.append(await stack.enter_async_context(running))
            partitions = await shares(admin, count)
            spread.append(float(max(partitions) - min(partitions)))
            before = await effects(addresses)
            speed[count] = [await pace(ground, payload.TOPIC, thin.GROUP, each) for each in rounds[count]]
            done = await effects(addresses) - before
            repeats.append(float(done.total() - sum(map(len, rounds[count]))))
    size = f"{ROUNDS * int(EVENTS * share):,} events"
    more = [
        Figure(f"events applied, {count} processes beside 1", size, "/s", speed[count], speed[1])
        for count in INSTANCES[1:]
    ]
    return [
        *more,
        Figure("events taken twice, 1 to 4 processes", size, "", [sum(repeats)], reach=0),
        Figure("most less fewest partitions of a process", "1, 2, 4 processes", "", [max(spread)], reach=1),
    ]
