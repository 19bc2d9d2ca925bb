"""A submission held against the form of its call."""

from collections.abc import Mapping, Sequence

from contracts.cohort_selection import Answer, FormField, Matching, Rules
from services.cohort_selection.domain.faults import Fault

Content = Mapping[str, str | bool | int | Sequence[str]]
"""The answers as they were given, by the field's code."""

LONGEST_TEXT = 20_000
"""Characters of a text answer when the form sets no limit."""


def wrong_answers(form: Sequence[FormField], content: Content) -> list[Fault]:
    """Everything that is wrong with the answers."""
    known = {field.code: field for field in form}
    faults = [
        Fault("field-unknown", f"answers.{code}", f"The form has no field {code}.", {"field": code})
        for code in content
        if code not in known
    ]
    for code, field in known.items():
        given = content.get(code)
        if given is None or given in ("", [], ()):
            if field.required:
                faults.append(_fault("answer-missing", field, "is required"))
        else:
            faults += _wrong(field, given)
    return faults


def _wrong(field: FormField, given: str | bool | int | Sequence[str]) -> list[Fault]:
    choices = {choice.value for choice in field.choices}
    match field.kind:
        case "text":
            longest = field.max_length or LONGEST_TEXT
            if not isinstance(given, str):
                return [_fault("answer-wrong-type", field, "is a text")]
            if len(given) > longest:
                return [_fault("answer-too-long", field, f"has at most {longest} characters", limit=longest)]
        case "number":
            if not isinstance(given, int) or isinstance(given, bool):
                return [_fault("answer-wrong-type", field, "is a whole number")]
            if field.minimum is not None and given < field.minimum:
                return [_fault("answer-too-small", field, f"is at least {field.minimum}", limit=field.minimum)]
            if field.maximum is not None and given > field.maximum:
                return [_fault("answer-too-large", field, f"is at most {field.maximum}", limit=field.maximum)]
        case "boolean":
            if not isinstance(given, bool):
                return [_fault("answer-wrong-type", field, "is true or false")]
        case "choice":
            if given not in choices:
                return [_fault("answer-not-offered", field, f"is one of: {', '.join(sorted(choices))}")]
        case "choices":
            if isinstance(given, str) or not isinstance(given, Sequence):
                return [_fault("answer-wrong-type", field, "is a list of choices")]
            if not set(given) <= choices or len(set(given)) < len(given):
                return [
                    _fault("answer-not-offered", field, f"holds each at most once of: {', '.join(sorted(choices))}")
                ]
    return []


def _fault(code: str, field: FormField, must: str, **params: str | int) -> Fault:
    return Fault(code, f"answers.{field.code}", f"The answer to {field.code} {must}.", {"field": field.code, **params})


def judged_answers(form: Sequence[FormField], content: Content) -> dict[str, Answer]:
    """The answers that rules and quotas look at; only these go into events."""
    judged = {}
    for field in form:
        given = content.get(field.code)
        if field.judged and given is not None and given not in ("", [], ()):
            judged[field.code] = given if isinstance(given, (str, bool, int)) else tuple(sorted(given))
    return judged


def wrong_preferences(rules: Rules, preferences: Sequence[str]) -> list[Fault]:
    """Everything that is wrong with a list of hosts."""
    hosts = {host.host_id for host in rules.hosts}
    faults = []
    for place, host in enumerate(preferences):
        field = f"preferences.{place}"
        if host not in hosts:
            faults.append(Fault("host-unknown", field, "The call has no such host.", {"host": host}))
        elif host in preferences[:place]:
            faults.append(Fault("preference-repeated", field, "A host can be named once.", {"host": host}))
    most = preferences_at_most(rules.matching, len(hosts))
    if len(preferences) > most:
        message = f"At most {most} hosts can be named."
        faults.append(Fault("preferences-too-many", "preferences", message, {"limit": most}))
    return faults


def preferences_at_most(matching: Matching | None, hosts: int) -> int:
    """How many hosts an applicant may name: as the rules say, all of them when they say 0."""
    return hosts if matching is None or matching.preferences_at_most == 0 else matching.preferences_at_most
