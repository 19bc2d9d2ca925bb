"""Alerts and dashboard speak of metrics that the services really have, and every alert says what to do about it."""

import importlib
import json
import re
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY, Counter, Histogram
from prometheus_client.metrics import MetricWrapperBase

from contracts.registry import SERVICES
from infra.dashboards.generate import dashboard
from infra.local.stack import ROOT

ALERTS = ROOT / "infra" / "alerts" / "alerts.yml"
PAGES = ROOT / "docs" / "operations" / "alerts"
SECTIONS = ["What it means", "What to look at", "What to do", "When to call for help"]
OF_PROMETHEUS = {"up": set[str]()}
OF_TARGETS = {"job", "service", "instance"}
"""What the scrape configuration adds to every metric."""

NAME = re.compile(r"\b(?:mission|process)_[a-z_]+|\bup\b")
GROUPED = re.compile(r"by \(([a-z_, ]+)\)")
MATCHED = re.compile(r"[{,]\s*([a-z_]+)\s*(?:=~|!=|=)")
TOLD = re.compile(r"\$labels\.([a-z_]+)")


@pytest.fixture(scope="module")
def exposed() -> dict[str, set[str]]:
    """The labels of every metric that the services show, by the name it has in a query."""
    for service in SERVICES:
        importlib.import_module(f"services.{service.replace('-', '_')}.main")
    found = dict(OF_PROMETHEUS)
    for collector, names in REGISTRY._collector_to_names.items():
        labels = set(collector._labelnames) if isinstance(collector, MetricWrapperBase) else set()
        found |= {name: labels | ({"le"} if name.endswith("_bucket") else set()) for name in names}
    return found


def rules() -> list[dict[str, Any]]:
    """Every alert."""
    found: list[dict[str, Any]] = [
        rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]
    ]
    return found


def queries() -> list[tuple[str, str]]:
    """Every query with where it stands."""
    found = [(rule["alert"], rule["expr"]) for rule in rules()]
    for panel in dashboard()["panels"]:
        found += [(panel["title"], target["expr"]) for target in panel.get("targets", ())]
    return found


@pytest.mark.parametrize(("where", "query"), queries())
def test_a_query_asks_for_what_there_is(where: str, query: str, exposed: dict[str, set[str]]) -> None:
    names = set(NAME.findall(query))
    assert names, where
    assert names <= exposed.keys(), f"{where}: no service shows {sorted(names - exposed.keys())}"
    known = OF_TARGETS.union(*(exposed[name] for name in names))
    asked = {label.strip() for group in GROUPED.findall(query) for label in group.split(",")}
    asked |= set(MATCHED.findall(query))
    assert asked <= known, f"{where}: {sorted(names)} have no {sorted(asked - known)}"


def test_every_metric_of_ours_is_on_the_dashboard(exposed: dict[str, set[str]]) -> None:
    shown = {name for _, query in queries() for name in NAME.findall(query)}
    ours = {
        collector._name + {Counter: "_total", Histogram: "_bucket"}.get(type(collector), "")
        for collector in REGISTRY._collector_to_names
        if isinstance(collector, MetricWrapperBase) and collector._name.startswith("mission_")
    }
    assert ours <= exposed.keys()
    assert ours - shown == set()


def test_the_documentation_lists_every_metric_with_its_labels(exposed: dict[str, set[str]]) -> None:
    text = (PAGES.parent / "monitoring.md").read_text()
    listed = {
        name: {label for label in labels.split(", ") if label}
        for name, labels in re.findall(r"^\| `(mission_[a-z_]+)` \| ([a-z, ]*?) ?\|", text, re.MULTILINE)
    }
    assert listed == {
        name: set(collector._labelnames)
        for collector in REGISTRY._collector_to_names
        if isinstance(collector, MetricWrapperBase) and collector._name.startswith("mission_")
        for name in [collector._name + ("_total" if isinstance(collector, Counter) else "")]
    }


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: str(rule["alert"]))
def test_an_alert_has_a_page_that_says_what_to_do(rule: dict[str, Any], exposed: dict[str, set[str]]) -> None:
    kebab = re.sub(r"(?<!^)(?=[A-Z])", "-", rule["alert"]).lower()
    page = PAGES / f"{kebab}.md"
    assert rule["annotations"]["runbook"] == str(page.relative_to(ROOT))
    text = page.read_text()
    assert text.startswith(f"# {rule['alert']}\n")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == SECTIONS
    assert "bin/mission" in text, "a page says what to type"
    grouped = GROUPED.findall(rule["expr"])
    kept = {label.strip() for label in grouped[0].split(",")} if grouped else OF_TARGETS
    assert set(TOLD.findall(rule["annotations"]["summary"])) <= kept
    assert rule["labels"]["severity"] in ("page", "ticket")


def test_every_page_belongs_to_an_alert_and_is_in_the_index() -> None:
    pages = {rule["annotations"]["runbook"].removeprefix("docs/operations/") for rule in rules()}
    assert {str(page.relative_to(PAGES.parent)) for page in PAGES.glob("*.md")} == pages
    index = (PAGES.parent / "README.md").read_text()
    assert set(re.findall(r"\]\((alerts/[a-z-]+\.md)\)", index)) == pages


def test_every_alert_is_tried_out_by_promtool() -> None:
    tried = {
        case["alertname"]
        for test in yaml.safe_load(ALERTS.with_name("alerts_test.yml").read_text())["tests"]
        for case in test["alert_rule_test"]
        if case.get("exp_alerts")
    }
    assert tried == {rule["alert"] for rule in rules()}


def test_the_dashboard_is_fresh() -> None:
    assert json.loads((ROOT / "infra" / "dashboards" / "platform.json").read_text()) == dashboard()
