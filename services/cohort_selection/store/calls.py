"""Calls, the versions of their rules, and the gate that submissions and the closing both go through."""

from datetime import datetime

from pymongo import ASCENDING, DESCENDING, IndexModel

from contracts.common import Admission, LocalisedText
from services.cohort_selection.domain.states import CallState
from services.cohort_selection.store.kept import KeptRules
from shared.store import Collection, Document

GATES = 16
"""How many gates a call has, so that submissions of different cities rarely wait for each other."""


class Call(Document):
    """A call with the present version of its rules. ``owner`` is the person who drafted it."""

    programme: str
    cohort: str
    title: LocalisedText
    summary: LocalisedText
    admission: Admission
    owner: str
    state: CallState = CallState.DRAFT
    rules: KeptRules
    created_at: datetime
    published_at: datetime | None = None


CALLS = Collection(
    "calls",
    Call,
    indexes=[
        IndexModel([("published_at", DESCENDING), ("_id", DESCENDING)]),
        IndexModel([("rules.hosts.cities", ASCENDING)]),
    ],
)


class CallVersion(Document):
    """A version of a call's rules that was in force. The first has no reason."""

    call_id: str
    rules: KeptRules
    changed: tuple[str, ...] = ()
    reason: LocalisedText | None = None
    by: str
    at: datetime


VERSIONS = Collection("call_versions", CallVersion, indexes=[IndexModel([("call_id", ASCENDING), ("at", ASCENDING)])])


class Intake(Document):
    """A gate of a call: every submission writes to one, the closing to all, so the set of submissions is definite."""

    call_id: str
    closed: bool = False
    passed: int = 0


INTAKES = Collection("intakes", Intake, indexes=[IndexModel([("call_id", ASCENDING)])])


def gate_of(call_id: str, city_id: str) -> str:
    """The id of the gate that a city's submissions to a call go through."""
    return f"{call_id}/{int(city_id[-4:], 16) % GATES}"
