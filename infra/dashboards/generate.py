"""Writes the Grafana dashboard: ``python -m infra.dashboards.generate``; ``--check`` says whether it is fresh.

Rows go from what people notice to what causes it.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Final

FILE: Final = Path(__file__).with_name("platform.json")
OURS: Final = 'job="mission",service=~"$service"'
WIDTH, HEIGHT, COLUMNS = 8, 8, 24


@dataclass(frozen=True, slots=True)
class Panel:
    """One diagram. ``queries`` are PromQL with the legend of their lines; ``@`` in them stands for our label filter.

    ``limit`` is where an alert begins, drawn as a red line.
    """

    title: str
    about: str
    queries: Sequence[tuple[str, str]]
    unit: str = "short"
    limit: float | None = None

    def json(self, number: int, x: int, y: int) -> dict[str, Any]:
        """The panel as Grafana has it, at its place in the grid."""
        steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
        if self.limit is not None:
            steps.append({"color": "red", "value": self.limit})
        return {
            "id": number,
            "type": "timeseries",
            "title": self.title,
            "description": self.about,
            "datasource": {"type": "prometheus", "uid": "$source"},
            "gridPos": {"x": x, "y": y, "w": WIDTH, "h": HEIGHT},
            "targets": [
                {"refId": chr(ord("A") + index), "expr": expression.replace("@", OURS), "legendFormat": legend}
                for index, (expression, legend) in enumerate(self.queries)
            ],
            "fieldConfig": {
                "defaults": {
                    "unit": self.unit,
                    "min": 0,
                    "custom": {
                        "lineWidth": 1,
                        "fillOpacity": 10,
                        "showPoints": "never",
                        "thresholdsStyle": {"mode": "off" if self.limit is None else "line"},
                    },
                    "thresholds": {"mode": "absolute", "steps": steps},
                },
                "overrides": [],
            },
            "options": {
                "legend": {"displayMode": "list", "placement": "bottom"},
                "tooltip": {"mode": "multi", "sort": "desc"},
            },
        }


ROWS: Final[Sequence[tuple[str, Sequence[Panel]]]] = (
    (
        "What needs a person",
        (
            Panel(
                "Instances that answer",
                "How many processes of each service Prometheus reaches.",
                [("sum by (service) (up{@})", "{{service}}")],
            ),
            Panel(
                "Dead letters that wait for a decision",
                "bin/mission dead-letters list",
                [("max by (service) (mission_dead_letters_open{@})", "{{service}}")],
                limit=1,
            ),
            Panel(
                "What processes wait for",
                "As /health/ready tells it: mongodb, kafka, signing-keys, start-up, or a consumer's outage.",
                [("max by (service, dependency) (mission_missing{@})", "{{service}}: {{dependency}}")],
                limit=1,
            ),
            Panel(
                "Events that wait for another one",
                "Normal for moments; for a quarter of an hour it is not.",
                [("max by (service) (mission_events_parked{@})", "{{service}}")],
            ),
            Panel(
                "Partitions stopped, outbox rows refused",
                "A newer release of a service is needed; an event is larger than the broker takes.",
                [
                    ("sum by (group) (mission_partitions_stopped{@})", "{{group}}: stopped"),
                    ("max by (service) (mission_outbox_parked{@})", "{{service}}: refused"),
                ],
                limit=1,
            ),
            Panel(
                "New dead letters, by reason",
                "Per minute.",
                [
                    (
                        "60 * sum by (service, reason) (rate(mission_dead_letters_total{@}[5m]))",
                        "{{service}}: {{reason}}",
                    )
                ],
            ),
        ),
    ),
    (
        "Requests",
        (
            Panel(
                "Requests",
                "Per second.",
                [("sum by (service) (rate(mission_http_requests_total{@}[5m]))", "{{service}}")],
                "reqps",
            ),
            Panel(
                "Requests that fail",
                "Answers of 500 and above among all.",
                [
                    (
                        'sum by (service) (rate(mission_http_requests_total{@,status=~"5.."}[5m]))'
                        " / sum by (service) (rate(mission_http_requests_total{@}[5m]))",
                        "{{service}}",
                    )
                ],
                "percentunit",
                limit=0.01,
            ),
            Panel(
                "Time to the first byte",
                "Of half of the requests, and of all but one in a hundred.",
                [
                    (
                        f"histogram_quantile({share}, sum by (service, le)"
                        " (rate(mission_http_request_seconds_bucket{@}[5m])))",
                        f"{{{{service}}}} {name}",
                    )
                    for share, name in (("0.5", "p50"), ("0.99", "p99"))
                ],
                "s",
            ),
            Panel(
                "Services that the gateway could not reach",
                "Requests per minute that a service did not answer, and why.",
                [
                    (
                        "60 * sum by (upstream, why) (rate(mission_gateway_upstream_failures_total{@}[5m]))",
                        "{{upstream}}: {{why}}",
                    )
                ],
            ),
        ),
    ),
    (
        "Events",
        (
            Panel(
                "Published",
                "Events per second that the broker has acknowledged.",
                [("sum by (topic) (rate(mission_outbox_published_total{@}[5m]))", "{{topic}}")],
                "cps",
            ),
            Panel(
                "Applied",
                "Events per second whose effect was committed.",
                [("sum by (service) (rate(mission_events_applied_total{@}[5m]))", "{{service}}")],
                "cps",
            ),
            Panel(
                "Repeated",
                "Events per second that were known already: after crashes and rebalances, and harmless.",
                [("sum by (service) (rate(mission_events_repeated_total{@}[5m]))", "{{service}}")],
                "cps",
            ),
            Panel(
                "Lag",
                "Records that are not applied yet.",
                [("sum by (service, topic) (mission_consumer_lag{@}) > 0", "{{service}}: {{topic}}")],
                limit=1000,
            ),
            Panel(
                "Time without progress",
                "Since when there is lag and no batch was finished.",
                [("max by (group) (mission_consumer_stalled_seconds{@})", "{{group}}")],
                "s",
                limit=20,
            ),
            Panel(
                "Time since broker and database were reached",
                "By each consumer's own watch, every five seconds.",
                [("time() - max by (group, instance) (mission_consumer_measured_timestamp_seconds{@})", "{{group}}")],
                "s",
                limit=60,
            ),
            Panel(
                "Oldest event in the outbox",
                "Written by a use case and not yet on its topic.",
                [("max by (service) (mission_outbox_oldest_seconds{@})", "{{service}}")],
                "s",
                limit=30,
            ),
        ),
    ),
    (
        "Deadlines and mail",
        (
            Panel(
                "Deadlines",
                "Per minute, by what became of them.",
                [("60 * sum by (kind, outcome) (rate(mission_deadlines_total{@}[5m]))", "{{kind}}: {{outcome}}")],
            ),
            Panel(
                "Oldest deadline that is due",
                "How late it is.",
                [("max by (service) (mission_deadlines_late_seconds{@})", "{{service}}")],
                "s",
                limit=60,
            ),
            Panel(
                "Mails",
                "Per minute, by what became of them.",
                [("60 * sum by (outcome) (rate(mission_mails_total{@}[5m]))", "{{outcome}}")],
            ),
            Panel(
                "Mails that wait, and whether the server is away",
                "Those for later included.",
                [
                    ("max by (service) (mission_mails_waiting{@})", "waiting"),
                    ("max by (service) (mission_mail_server_away{@})", "server away"),
                ],
            ),
        ),
    ),
    (
        "Processes",
        (
            Panel(
                "Memory",
                "Resident, per process.",
                [("process_resident_memory_bytes{@}", "{{service}} {{instance}}")],
                "bytes",
            ),
            Panel(
                "Processor",
                "Cores that a process keeps busy.",
                [("rate(process_cpu_seconds_total{@}[5m])", "{{service}} {{instance}}")],
            ),
            Panel("Open files", "And connections.", [("process_open_fds{@}", "{{service}} {{instance}}")]),
        ),
    ),
)


def dashboard() -> dict[str, Any]:
    """The dashboard as Grafana imports it."""
    return {
        "uid": "cities-mission-platform",
        "title": "Cities Mission Platform",
        "tags": ["mission"],
        "timezone": "utc",
        "schemaVersion": 39,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "editable": False,
        "templating": {
            "list": [
                {"name": "source", "label": "Source", "type": "datasource", "query": "prometheus"},
                {
                    "name": "service",
                    "label": "Service",
                    "type": "query",
                    "datasource": {"type": "prometheus", "uid": "$source"},
                    "query": 'label_values(up{job="mission"}, service)',
                    "refresh": 2,
                    "multi": True,
                    "includeAll": True,
                    "allValue": ".*",
                    "current": {"text": "All", "value": "$__all"},
                },
            ]
        },
        "panels": list(_panels()),
    }


def _panels() -> Iterator[dict[str, Any]]:
    numbers, y = count(1), 0
    for title, panels in ROWS:
        yield {
            "id": next(numbers),
            "type": "row",
            "title": title,
            "collapsed": False,
            "gridPos": {"x": 0, "y": y, "w": COLUMNS, "h": 1},
        }
        y += 1
        for index, panel in enumerate(panels):
            column, row = index % (COLUMNS // WIDTH), index // (COLUMNS // WIDTH)
            yield panel.json(next(numbers), column * WIDTH, y + row * HEIGHT)
        y += HEIGHT * -(-len(panels) // (COLUMNS // WIDTH))


def main() -> None:
    """Writes the file, or with ``--check`` ends with 1 when it is not fresh."""
    text = json.dumps(dashboard(), indent=1) + "\n"
    if sys.argv[1:] == ["--check"]:
        if FILE.read_text() != text:
            sys.exit("infra/dashboards/platform.json is not fresh; `python -m infra.dashboards.generate` writes it.")
        return
    FILE.write_text(text)


if __name__ == "__main__":
    main()
