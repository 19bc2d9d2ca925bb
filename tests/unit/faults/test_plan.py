"""Faults are drawn from the seed, every kind comes often enough, and every planted bug fits the code as it is."""

import re
import shutil
from pathlib import Path

import pytest

from infra.local.errors import LocalError
from infra.local.stack import ROOT
from tests.faults import plan
from tests.faults.history import Answer, Operation, Outcome
from tests.faults.plants import PATCHES, PLANTS, Plant


@pytest.mark.parametrize("seed", range(20))
def test_a_short_round_has_every_kind_of_fault_at_least_twice(seed: int) -> None:
    faults = plan.drawn(seed, 25, plan.SHORT)
    kinds = [fault.kind for fault in faults]
    assert min(kinds.count(kind) for kind in plan.TARGETS) >= 2
    assert faults == plan.drawn(seed, 25, plan.SHORT)
    assert faults != plan.drawn(seed + 1, 25, plan.SHORT)
    stops = [part.seconds for fault in faults for part in (fault, *fault.parts) if part.kind in plan.LASTING]
    assert all(plan.SHORT[0] <= seconds <= plan.SHORT[1] for seconds in stops)


def test_faults_can_be_named() -> None:
    kill, both, calm = plan.named("kill-broker cut@mongo/catalogue@3+kill-service@catalogue-0@2 calm@5")
    assert (kill.kind, kill.name) == ("kill-broker", "kafka")
    assert both.name == "cut mongo/catalogue for 3 s + kill-service catalogue-0 after 2 s"
    assert (calm.kind, calm.seconds) == (plan.CALM, 5)
    with pytest.raises(LocalError, match="kinds are kill-service"):
        plan.named("kill-everything")


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.name)
def test_a_planted_bug_fits_the_code_as_it_is(plant: Plant, tmp_path: Path) -> None:
    files = re.findall(r"^\+\+\+ b/(.+)$", (PATCHES / f"{plant.name}.patch").read_text(), re.MULTILINE)
    assert files
    for file in files:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / file, tmp_path / file)
    plant.put(tmp_path)
    for file in files:
        assert (tmp_path / file).read_text() != (ROOT / file).read_text()
        compile((tmp_path / file).read_text(), file, "exec")
    assert plan.named(plant.plan)


def test_every_patch_is_one_of_the_plants() -> None:
    assert {path.stem for path in PATCHES.glob("*.patch")} == {plant.name for plant in PLANTS}


@pytest.mark.parametrize(
    ("answers", "outcome"),
    [
        ([], Outcome.UNKNOWN),
        ([(201, {})], Outcome.ACCEPTED),
        ([(409, {"code": "session-full"})], Outcome.REFUSED),
        ([(0, "TimeoutError")], Outcome.UNKNOWN),
        ([(503, {"code": "unavailable"}), (201, {})], Outcome.ACCEPTED),
        # Not done for now, and nothing before may have been done either.
        ([(409, {"code": "not-yet-known"})], Outcome.REFUSED),
        ([(502, {"code": "connection-lost"}), (409, {"code": "exists-already"})], Outcome.UNKNOWN),
    ],
)
def test_a_client_knows_what_it_was_told(answers: list[tuple[int, object]], outcome: Outcome) -> None:
    operation = Operation(1, "office", "book", "ses_1", None, 0.0, [Answer(1.0, *answer) for answer in answers])
    assert operation.outcome is outcome
