"""Every step of every state machine that is not allowed is refused."""

from itertools import product
from typing import Any

import pytest

from services.cohort_selection.domain.faults import ForbiddenTransition
from services.cohort_selection.domain.states import APPLICATION, CALL, DECISION, PARTICIPATION, REVIEW, Machine

ALLOWED = {
    "call": """
        draft announced
        announced host-interest; announced candidate-catalogue; announced application; announced cancelled
        host-interest candidate-catalogue; host-interest application; host-interest cancelled
        candidate-catalogue application; candidate-catalogue cancelled
        application review; application decision; application cancelled
        review decision; review cancelled
        decision decided; decision cancelled
    """,
    "application": """
        submitted submitted; submitted withdrawn; submitted selected; submitted reserve; submitted not-selected
        withdrawn submitted
        reserve selected; reserve withdrawn
    """,
    "review": """
        assigned recorded; assigned conflicted; assigned released
        recorded recorded; recorded conflicted
    """,
    "decision": """
        computed proposed; proposed approved; approved published
        computed superseded; proposed superseded; approved superseded; published superseded
    """,
    "participation": """
        offered accepted; offered declined
        accepted declined; accepted withdrawn; accepted completed
        declined accepted; declined replaced
        withdrawn replaced
    """,
}
STEPS = [
    pytest.param(machine, present, wanted, id=f"{machine.name}: {present} to {wanted}")
    for machine in (CALL, APPLICATION, REVIEW, DECISION, PARTICIPATION)
    for present, wanted in product(machine.steps, repeat=2)
]


def allowed(machine: str) -> set[tuple[str, str]]:
    """The allowed steps as they are written above."""
    lines = ALLOWED[machine].replace("\n", ";").split(";")
    return {(words[0], words[1]) for line in lines if (words := line.split())}


@pytest.mark.parametrize(("machine", "present", "wanted"), STEPS)
def test_only_the_listed_steps_are_taken(machine: Machine[Any], present: Any, wanted: Any) -> None:
    if (str(present), str(wanted)) in allowed(machine.name):
        assert machine.go(present, wanted) == wanted
    else:
        with pytest.raises(ForbiddenTransition) as refused:
            machine.go(present, wanted)
        assert (refused.value.present, refused.value.wanted) == (present, wanted)


@pytest.mark.parametrize("machine", [CALL, APPLICATION, REVIEW, DECISION, PARTICIPATION], ids=lambda m: m.name)
def test_the_list_names_no_state_that_there_is_not(machine: Machine[Any]) -> None:
    states = {str(state) for state in machine.steps}
    assert {state for step in allowed(machine.name) for state in step} <= states
