"""What runs, how much memory it takes, and how far its consumers are behind."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

import psutil
from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec
from rich.table import Table

from contracts.registry import SERVICES
from infra.stack import Stack
from infra.topics import TopicState
from mission.place import Health, ProcessState, State

STYLES = {Health.STARTING: "yellow", Health.READY: "green", Health.CRASHED: "red", Health.STOPPED: "dim"}
TIMEOUT = 5


def memory(process: ProcessState) -> int | None:
    """Resident memory in bytes, or None when the process is gone."""
    try:
        return int(psutil.Process(process.pid).memory_info().rss) if process.pid else None
    except psutil.NoSuchProcess:
        return None


def lag(stack: Stack) -> dict[str, int]:
    """How many records each service has not taken yet, over all its consumer groups.

    Raises ``KafkaException`` when the broker does not answer.
    """
    admin = AdminClient(stack.kafka.client("operator"))
    listed = admin.list_consumer_groups(request_timeout=TIMEOUT).result().valid
    groups = [group.group_id for group in listed if group.group_id.partition(".")[0] in SERVICES]
    committed: list[tuple[str, TopicPartition]] = []
    for name in groups:
        # One group per request: that is all the broker's library takes.
        request = [ConsumerGroupTopicPartitions(name)]
        for future in admin.list_consumer_group_offsets(request, request_timeout=TIMEOUT).values():
            committed += [(name, position) for position in future.result().topic_partitions or ()]
    ends = _ends(admin, {(position.topic, position.partition) for _, position in committed})
    behind: dict[str, int] = defaultdict(int, {name.partition(".")[0]: 0 for name in groups})
    for name, position in committed:
        end = ends[position.topic, position.partition]
        behind[name.partition(".")[0]] += max(0, end - max(0, position.offset))
    return dict(behind)


def _ends(admin: AdminClient, partitions: Iterable[tuple[str, int]]) -> dict[tuple[str, int], int]:
    wanted = {TopicPartition(topic, partition): OffsetSpec.latest() for topic, partition in partitions}
    if not wanted:
        return {}
    answers = admin.list_offsets(wanted, request_timeout=TIMEOUT)
    return {(position.topic, position.partition): future.result().offset for position, future in answers.items()}


def process_table(state: State, behind: Mapping[str, int] | None = None) -> Table:
    """The platform's processes, one line each; a crash with the reason below it."""
    table = Table(title=f"{state.phase} since {state.since:%Y-%m-%d %H:%M:%S} UTC", title_justify="left")
    for name in ("process", "state", "pid", "port", "memory", "restarts", "lag"):
        table.add_column(name, justify="left" if name in ("process", "state") else "right")
    for process in state.processes:
        size = memory(process)
        service = process.name.rpartition("-")[0]
        table.add_row(
            process.name,
            f"[{STYLES[process.health]}]{process.health}[/]",
            str(process.pid or ""),
            str(process.port),
            f"{size / 2**20:.0f} MB" if size else "",
            str(process.restarts or ""),
            str(behind[service]) if behind and service in behind else "",
        )
    return table


def crashes(state: State) -> list[str]:
    """Why processes crashed, with their last lines; of those that are not ready now."""
    return [
        f"{process.name} {process.problem}"
        for process in state.processes
        if process.problem and process.health is not Health.READY
    ]


def topic_table(found: Iterable[TopicState]) -> Table:
    """The registry's topics, and how the broker differs from it."""
    table = Table()
    for name in ("topic", "owner", "partitions", "kept", "broker"):
        table.add_column(name)
    for state in found:
        topic = state.topic
        kept = "compacted" if "compact" in topic.cleanup else "always" if topic.retention is None else ""
        kept = kept or f"{topic.retention.days if topic.retention else 0} days"
        difference = f"[red]{state.difference}[/]" if state.difference else "[green]as in the registry[/]"
        table.add_row(topic.name, topic.owner, str(topic.partitions), kept, difference)
    return table
