"""The short round: every kind of fault at least twice while clients write, and then everything is as it should be."""

import os

from tests.faults import plan
from tests.faults.round import Round, play

FAULTS = 25
SEED = 2030
RATE, OFFICES = 5.0, 12
"""Half of what ``make faults`` takes, for other tests run at the same time."""


def test_what_is_accepted_survives_every_kind_of_fault() -> None:
    seed = int(os.environ.get("MISSION_FAULTS_SEED", SEED))
    result = play(Round(seed, plan.drawn(seed, FAULTS, plan.SHORT), RATE, OFFICES))
    assert not result.violations, result.text
    assert {fault["faults"] >= 2 for fault in result.report["recovery"].values()} == {True}
    assert result.report["recovery"].keys() == plan.TARGETS.keys()
