"""What runs, how much memory it takes, and how far its consumers are behind."""

from collections.abc import Iterable, Mapping

import psutil
from rich.table import Table

from infra.topics import TopicState
from mission.place import Health, ProcessState, State

STYLES = {Health.STARTING: "yellow", Health.READY: "green", Health.CRASHED: "red", Health.STOPPED: "dim"}


def memory(process: ProcessState) -> int | None:
    """Resident memory in bytes, or None when the process is gone."""
    try:
        return int(psutil.Process(process.pid).memory_info().rss) if process.pid else None
    except psutil.NoSuchProcess:
        return None


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
