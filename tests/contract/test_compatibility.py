"""A committed event changes only by new optional fields; every other change is refused and names the consumers."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field, create_model

from contracts import compatibility
from contracts.compatibility import breaking_changes
from contracts.registration import CityMerged


class Inner(BaseModel):
    """A nested value."""

    code: str
    count: int | None = None


def shape(**fields: Any) -> dict[str, Any]:
    base: dict[str, Any] = {"city": (str, ...), "kind": (Literal["a", "b"], "a"), "inner": (Inner | None, None)}
    base |= {"items": (list[Inner], []), "texts": (dict[str, Inner], {}), "size": (int, Field(ge=0, le=10))}
    merged = {name: field for name, field in (base | fields).items() if field is not None}
    thing: type[BaseModel] = create_model("Thing", **merged)
    return thing.model_json_schema()


class Narrow(BaseModel):
    """``Inner`` without a field."""

    code: str


class Wide(Inner):
    """``Inner`` with another optional field and another name."""

    more: tuple[int, ...] = ()


@pytest.mark.parametrize(
    "after",
    [
        shape(),
        shape(added=(str | None, None)),
        shape(added=(Inner, Inner(code="x"))),
        shape(inner=(Wide | None, None), items=(list[Wide], []), texts=(dict[str, Wide], {})),
        shape(city=(str, Field(description="Told in other words."))),
    ],
)
def test_new_optional_fields_and_words_are_allowed(after: dict[str, Any]) -> None:
    assert breaking_changes(shape(), after) == []


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (shape(city=None), "`city` was removed"),
        (shape(added=(str, ...)), "`added` was added as a required field"),
        (shape(city=(str, "x")), "`city` became optional"),
        (shape(kind=(Literal["a", "b"], ...)), "`kind` became required"),
        (shape(city=(int, ...)), "`city` changed its type"),
        (shape(kind=(Literal["a"], "a")), "`kind`"),
        (shape(kind=(Literal["a", "b", "c"], "a")), "`kind` changed its enum"),
        (shape(kind=(Literal["a", "b"], "b")), "`kind` changed its default"),
        (shape(size=(int, Field(ge=0, le=9))), "`size` changed its maximum"),
        (shape(city=(str, Field(max_length=5))), "`city` changed its maxLength"),
        (shape(inner=(Inner, ...)), "`inner`"),
        (shape(inner=(Narrow | None, None)), "`inner.count` was removed"),
        (shape(items=(list[Narrow], [])), "`items[].count` was removed"),
        (shape(texts=(dict[str, Narrow], {})), "`texts.*.count` was removed"),
        (shape(items=(dict[str, Inner], {})), "`items` changed its type"),
        (shape(city=(str | None, ...)), "`city`"),
    ],
)
def test_everything_else_is_breaking_and_named(after: dict[str, Any], said: str) -> None:
    assert any(said in clause for clause in breaking_changes(shape(), after)), breaking_changes(shape(), after)


def test_refusal_names_the_consumers_to_deploy_first() -> None:
    before = compatibility.schema_of(CityMerged)
    before["properties"]["ground"] = {"type": "string"}
    (sentence,) = compatibility.refusals({CityMerged.type: before})
    assert "`ground` was removed" in sentence
    assert "declare eu.mission.registration.city.merged.v2" in sentence
    assert "deploy its readers first: catalogue, cohort-selection, events-calendar, notification." in sentence


def test_a_type_that_is_no_longer_declared_is_refused() -> None:
    (sentence,) = compatibility.refusals({"eu.mission.registration.city.sunk.v1": {}})
    assert "no longer declared" in sentence


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A git work tree with the contracts alone, as committed."""
    shutil.copytree(compatibility.ROOT, tmp_path / "contracts", ignore=shutil.ignore_patterns("__pycache__"))
    for command in (
        ("init", "-q"),
        ("add", "-A"),
        ("-c", "user.name=test", "-c", "user.email=test@example.org", "commit", "-qm", "contracts"),
    ):
        subprocess.run(("git", *command), cwd=tmp_path, check=True)
    return tmp_path


@pytest.fixture
def run(checkout: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            (sys.executable, "-m", *arguments),
            cwd=checkout,
            env={**os.environ, "PYTHONPATH": str(checkout), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


Run = Callable[..., subprocess.CompletedProcess[str]]


def edit(path: Path, before: str, after: str) -> None:
    text = path.read_text("utf-8")
    assert before in text
    path.write_text(text.replace(before, after, 1), "utf-8")


def test_the_committed_contracts_are_fresh(run: Run) -> None:
    fresh = run("contracts.generate", "--check")
    assert (fresh.returncode, fresh.stderr) == (0, "")


def test_a_new_optional_field_only_needs_generating(checkout: Path, run: Run) -> None:
    cities = checkout / "contracts" / "registration" / "cities.py"
    edit(cities, "    into_city_id: CityId\n", "    into_city_id: CityId\n    ground: Slug | None = None\n")
    assert run("contracts.compatibility").returncode == 0
    stale = run("contracts.generate", "--check")
    assert stale.returncode == 1
    assert "eu.mission.registration.city.merged.v1.json" in stale.stderr
    assert stale.stderr.rstrip().endswith("run `make contracts`.")
    assert run("contracts.generate").returncode == 0
    assert run("contracts.generate", "--check").returncode == 0


def test_a_breaking_change_is_refused_even_by_generating(checkout: Path, run: Run) -> None:
    cities = checkout / "contracts" / "registration" / "cities.py"
    edit(cities, "    into_city_id: CityId\n", "    survivor: CityId\n")
    for module in ("contracts.generate", "contracts.compatibility"):
        refused = run(module)
        assert refused.returncode == 1
        assert "`into_city_id` was removed; `survivor` was added as a required field" in refused.stderr
        assert "deploy its readers first: catalogue" in refused.stderr
    schema = checkout / "contracts" / "generated" / "schemas" / f"{CityMerged.type}.json"
    schema.unlink()
    assert run("contracts.generate").returncode == 0
    assert run("contracts.compatibility").returncode == 1, "removing the schema does not help: git remembers it"


def test_an_edited_example_is_refused(checkout: Path, run: Run) -> None:
    example = checkout / "contracts" / "examples" / f"{CityMerged.type}.json"
    edit(example, "00000003", "00000004")
    refused = run("contracts.compatibility")
    assert refused.returncode == 1
    assert "frozen examples are only added to" in refused.stderr


def test_an_unknown_base_is_said(run: Run) -> None:
    answer = run("contracts.compatibility", "--base", "no-such-branch")
    assert answer.returncode == 2
    assert "no-such-branch" in answer.stderr
