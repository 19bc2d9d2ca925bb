"""The report of a demonstration, and how it is shown. Every figure in it was measured in this run."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.table import Table

from contracts.registry import SERVICES
from mission.demo.story import SEED, Story

TARGETS: Final = {
    "ready_seconds": 30,
    "story_seconds": 120,
    "memory_mb": 120,
    "p50_ms": 15,
    "p99_ms": 60,
}
"""Figures to reach (shown, not asserted)."""


def report(story: Story, seconds: Mapping[str, float]) -> dict[str, Any]:
    """Everything that was counted and measured, ready for JSON."""
    return {
        "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": SEED,
        "seconds": dict(seconds),
        "requests": {str(status): count for status, count in sorted(story.door.answers.items())},
        **story.figures,
        "claims": [{"sentence": claim.sentence, "holds": claim.holds, "found": claim.found} for claim in story.claims],
    }


def shown(report: Mapping[str, Any]) -> RenderableType:
    """The report as a person reads it at the terminal."""
    return Group(*_parts(report))


def _parts(report: Mapping[str, Any]) -> Iterator[RenderableType]:
    facts = Table("what", "how many", title="What happened", title_justify="left")
    for service, counted in report.get("services", {}).items():
        facts.add_row(service, ", ".join(f"{count} {name}" for name, count in counted.items()))
    for title, key in (
        ("platforms' messages", "platform_messages"),
        ("rejected because", "rejected"),
        ("mails", "mails"),
        ("seats of the training", "seats"),
        ("cohort", "cohort"),
        ("dead letters", "dead_letters"),
    ):
        if key in report:
            facts.add_row(title, ", ".join(f"{name} {count}" for name, count in report[key].items()) or "none")
    answers = report["requests"]
    facts.add_row("requests through the gateway", ", ".join(f"{count} x {status}" for status, count in answers.items()))
    yield facts

    topics = Table("topic", "events", title="Events per topic", title_justify="left")
    topics.columns[1].justify = "right"
    for name, count in report.get("topics", {}).items():
        topics.add_row(name, str(count))
    yield topics

    figures = Table("figure", "measured", "to reach", title="Figures", title_justify="left")
    for column in figures.columns[1:]:
        column.justify = "right"
    latency = report.get("latency")
    if latency:
        about = f"accepted write to visible elsewhere, {latency['per_second']:.0f} writes/s"
        figures.add_row(f"{about}, median", f"{latency['p50_ms']:.1f} ms", f"{TARGETS['p50_ms']} ms")
        figures.add_row(f"{about}, 99th percentile", f"{latency['p99_ms']:.1f} ms", f"{TARGETS['p99_ms']} ms")
    services = report.get("memory_mb", {})
    for name, size in services.items():
        ours = name.rpartition("-")[0] in SERVICES
        figures.add_row(f"memory of {name}", f"{size:.0f} MB", f"{TARGETS['memory_mb']} MB" if ours else "")
    target = {"Platform ready": TARGETS["ready_seconds"], "Whole story": TARGETS["story_seconds"]}
    for name, seconds in report["seconds"].items():
        figures.add_row(name, f"{seconds:.1f} s", f"{target[name]} s" if name in target else "")
    yield figures

    claims = Table("checked from the outside", "found", "", title="Claims", title_justify="left")
    for claim in report["claims"]:
        mark = "[green]true[/]" if claim["holds"] else "[bold red]FALSE[/]"
        claims.add_row(claim["sentence"], claim["found"], mark)
    yield claims
