"""What may change in a call after it was published: nothing that could disadvantage who already applied."""

from collections.abc import Mapping
from typing import Any

from contracts.cohort_selection import Rules
from services.cohort_selection.domain.faults import Fault
from services.cohort_selection.domain.states import CallState

WORDING = frozenset({"label", "help", "sentence", "title"})
"""Texts may be said better at any time."""


def changed(before: Rules, after: Rules) -> list[str]:
    """The names of the parts of the rules that differ, as events carry them."""
    names = [name for name in Rules.model_fields if name != "version"]
    return [name.replace("_", "-") for name in names if getattr(before, name) != getattr(after, name)]


def disadvantages(before: Rules, after: Rules, phase: CallState) -> list[Fault]:
    """Why an amendment is refused in this phase; none before the window opens, for nobody has applied then."""
    if phase is CallState.ANNOUNCED:
        return []
    faults = []
    if after.window.opens != before.window.opens:
        faults.append(_fault("window.opens", "the window has opened"))
    if phase is not CallState.APPLICATION and after.window.closes != before.window.closes:
        faults.append(_fault("window.closes", "the window has closed"))
    if after.window.closes.utc < before.window.closes.utc:
        faults.append(_fault("window.closes", "the window can only be extended"))
    if after.window.grace_seconds < before.window.grace_seconds:
        faults.append(_fault("window.grace_seconds", "it can only be lengthened"))
    for name in ("places", "reserve"):
        if getattr(after, name) < getattr(before, name):
            faults.append(_fault(name, "it can only be raised"))
    if phase is not CallState.APPLICATION and after.places != before.places:
        faults.append(_fault("places", "the window has closed"))
    if after.offers.days < before.offers.days or (before.offers.refill and not after.offers.refill):
        faults.append(_fault("offers", "time to answer and moving up can only be given"))
    if after.travel_money != before.travel_money and not _more_money(before, after):
        faults.append(_fault("travel_money", "it can only be raised"))
    if phase is CallState.APPLICATION:
        faults += _lost_hosts(before, after)
    elif _wordless(after.hosts) != _wordless(before.hosts):
        faults.append(_fault("hosts", "the window has closed"))
    fixed = ("eligibility", "form", "review", "criteria", "size_bands", "quotas", "matching", "tie_break")
    for name in (*fixed, "representatives_at_most", "illustrative"):
        if _wordless(getattr(after, name)) != _wordless(getattr(before, name)):
            faults.append(_fault(name, "cities have applied by it"))
    return faults


def _lost_hosts(before: Rules, after: Rules) -> list[Fault]:
    hosts = {host.host_id: host for host in after.hosts}
    faults = []
    for number, host in enumerate(before.hosts):
        now = hosts.get(host.host_id)
        kept = now is not None and now.at_most >= host.at_most and now.at_least <= host.at_least
        if now is None or not kept or (now.cities, now.session_id) != (host.cities, host.session_id):
            faults.append(_fault(f"hosts.{number}", "a host can only be added or take more"))
    return faults


def _more_money(before: Rules, after: Rules) -> bool:
    old, new = before.travel_money, after.travel_money
    return old is None or (new is not None and new.currency == old.currency and new.minor_units > old.minor_units)


def _fault(field: str, why: str) -> Fault:
    message = f"This could disadvantage those who applied: {why}."
    return Fault("could-disadvantage", f"rules.{field}", message, {"part": field})


def _wordless(value: Any) -> Any:
    """A value without its wording."""
    if hasattr(value, "model_dump"):
        value = value.model_dump()
    if isinstance(value, Mapping):
        return {name: _wordless(part) for name, part in value.items() if name not in WORDING}
    if isinstance(value, (list, tuple)):
        return [_wordless(part) for part in value]
    return value
