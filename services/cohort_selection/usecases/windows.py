"""The window of a call: gates for submissions, and the deadlines that open and close it."""

from datetime import timedelta

from pymongo import ReplaceOne

from contracts.cohort_selection import CallPhaseChanged
from services.cohort_selection.domain.states import CALL, CallState
from services.cohort_selection.store import CALLS, INTAKES, Call, Intake
from services.cohort_selection.store.calls import GATES, gate_of
from services.cohort_selection.usecases.common import step
from shared import deadlines
from shared.store import Transaction

OPENS = "call-opens"
CLOSES = "call-closes"
SETTLING = timedelta(seconds=60)
"""How long after the window (grace included) the gates stay open, for what arrived in time but is still on its way.

It is longer than the gateway lets a request take, so nobody who was in time finds a gate closed.
"""


def begin(tx: Transaction, call: Call) -> None:
    """Makes the gates and the deadlines of a call that is published."""
    for number in range(GATES):
        gate = Intake(id=f"{call.id}/{number}", call_id=call.id)
        tx.defer(INTAKES, ReplaceOne({"_id": gate.id}, gate.model_dump(by_alias=True), upsert=True))
    set_deadlines(tx, call)


def set_deadlines(tx: Transaction, call: Call) -> None:
    """Sets or moves what opens and closes the window."""
    window = call.rules.window
    closes = window.closes.utc + timedelta(seconds=window.grace_seconds) + SETTLING
    if call.state is CallState.ANNOUNCED:
        deadlines.at(tx, OPENS, window.opens.utc, {"call_id": call.id}, id=f"{call.id}/opens")
    deadlines.at(tx, CLOSES, closes, {"call_id": call.id}, id=f"{call.id}/closes")


async def cancel_deadlines(tx: Transaction, call: Call) -> None:
    """Takes back what would open and close the window."""
    await deadlines.cancel(tx, f"{call.id}/opens")
    await deadlines.cancel(tx, f"{call.id}/closes")


async def close_gates(tx: Transaction, call: Call) -> None:
    """From this commit on nothing is submitted to the call."""
    await tx.update(INTAKES, {"call_id": call.id}, {"$set": {"closed": True}})


async def pass_gate(tx: Transaction, call: Call, city_id: str) -> bool:
    """Passes the city's gate, in conflict with the closing and with the city's own other submissions.

    False when the gate is closed.
    """
    gate = {"_id": gate_of(call.id, city_id), "closed": False}
    return bool(await tx.update(INTAKES, gate, {"$inc": {"passed": 1}}))


async def move(tx: Transaction, call: Call, *states: CallState) -> Call:
    """Takes a call through these phases, in one commit, and tells of each."""
    events = []
    for state in states:
        step(CALL, call.state, state)
        events.append(
            CallPhaseChanged(
                call_id=call.id,
                programme=call.programme,
                cohort=call.cohort,
                previous=call.state.value,
                current=state.value,
            )
        )
        call = call.model_copy(update={"state": state})
    return await tx.save(CALLS, call, *events)


async def open_window(tx: Transaction, call_id: str) -> None:
    """The application phase begins."""
    call = await tx.require(CALLS, call_id)
    if call.state is CallState.ANNOUNCED:
        await move(tx, call, CallState.APPLICATION)


async def close_window(tx: Transaction, call_id: str) -> None:
    """The gates close, and review begins, or the decision where nothing is reviewed."""
    call = await tx.require(CALLS, call_id)
    following = CallState.REVIEW if call.rules.review.per_application else CallState.DECISION
    # A clock that jumped over both ends may bring the closing first.
    steps = {
        CallState.ANNOUNCED: (CallState.APPLICATION, following),
        CallState.APPLICATION: (following,),
    }.get(call.state)
    if steps:
        await close_gates(tx, call)
        await move(tx, call, *steps)
