"""Rules that contradict themselves are refused, each contradiction with its field and reason."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from contracts.cohort_selection import EligibilityRule, FormField, Quota, Rules
from contracts.common import PlannedMoment
from contracts.registration import CityKind, CountryStatus
from services.cohort_selection.domain.faults import Fault
from services.cohort_selection.domain.quotas import ANSWER_PREFIX

WEIGHTS_SUM = 100
"""Weights are percentages."""

RULE_NEEDS = {
    "country-status": "values",
    "country": "values",
    "city-kind": "values",
    "neutral-by": "limit",
    "without-status": "values",
    "with-status": "values",
    "completed-programme": "values",
    "one-application": "",
    "representatives-at-least": "limit",
    "answer-is": "values",
    "answer-at-least": "limit",
}
"""Known kinds of eligibility rules and what each cannot do without."""

JUDGEABLE = ("number", "boolean", "choice", "choices")
FIELD_KINDS = ("text", *JUDGEABLE)
"""Kinds of form fields that there are so far."""


def planned(local: datetime, zone: str, field: str) -> tuple[PlannedMoment | None, list[Fault]]:
    """The planned moment of a wall-clock time, or why it cannot be one.

    A time in the hour that comes twice when clocks go back is refused like one that is skipped: half of the readers
    would take it for the other one.
    """
    try:
        moment = PlannedMoment.of(local.replace(fold=0), zone)
    except ValueError as error:
        code = "zone-unknown" if "time zone" in str(error) else "moment-skipped"
        return None, [Fault(code, field, f"{error}.", {"zone": zone, "local": local.isoformat()})]
    if PlannedMoment.of(local.replace(fold=1), zone).utc != moment.utc:
        message = f"{local.isoformat()} comes twice in {zone}: clocks go back there."
        return None, [Fault("moment-ambiguous", field, message, {"zone": zone, "local": local.isoformat()})]
    return moment, []


def contradictions(rules: Rules) -> list[Fault]:
    """Everything in the rules that contradicts itself or names what there is not."""
    return [
        *_form(rules.form),
        *_eligibility(rules),
        *_criteria(rules),
        *_bands(rules),
        *_quotas(rules),
        *_hosts(rules),
        *_others(rules),
    ]


def _fault(code: str, field: str, message: str, /, **params: str | int) -> Fault:
    return Fault(code, f"rules.{field}", message, params)


def _repeated(kind: str, codes: Iterable[str]) -> list[Fault]:
    seen: set[str] = set()
    faults = []
    for number, code in enumerate(codes):
        if code in seen:
            faults.append(_fault("code-repeated", f"{kind}.{number}", f"{code} is there twice.", code=code))
        seen.add(code)
    return faults


def _form(form: Sequence[FormField]) -> list[Fault]:
    faults = _repeated("form", [field.code for field in form])
    for number, field in enumerate(form):
        at = f"form.{number}"
        if field.kind not in FIELD_KINDS:
            known = ", ".join(FIELD_KINDS)
            faults.append(_fault("kind-unknown", f"{at}.kind", f"The kinds of fields are {known}.", kind=field.kind))
        if field.kind.startswith("choice") != bool(field.choices):
            faults.append(
                _fault("choices-mismatch", f"{at}.choices", "Choices belong to fields of choice, and to all.")
            )
        faults += _repeated(f"{at}.choices", [choice.value for choice in field.choices])
        if field.judged and field.kind not in JUDGEABLE:
            faults.append(_fault("not-judgeable", f"{at}.judged", "No rule can look at a text."))
        if field.minimum is not None and field.maximum is not None and field.maximum < field.minimum:
            faults.append(_fault("limits-crossed", f"{at}.maximum", "The maximum is below the minimum."))
    return faults


def _eligibility(rules: Rules) -> list[Fault]:
    faults = _repeated("eligibility", [rule.code for rule in rules.eligibility])
    for number, rule in enumerate(rules.eligibility):
        at = f"eligibility.{number}"
        if rule.kind not in RULE_NEEDS:
            known = ", ".join(RULE_NEEDS)
            faults.append(_fault("kind-unknown", f"{at}.kind", f"The kinds of rules are {known}.", kind=rule.kind))
            continue
        needed = RULE_NEEDS[rule.kind]
        if (needed == "values" and not rule.values) or (needed == "limit" and rule.limit is None):
            faults.append(_fault("rule-incomplete", f"{at}.{needed}", f"A rule {rule.kind} needs {needed}."))
        if rule.kind.startswith("answer-"):
            faults += _judged_field(rules, rule.field, f"{at}.field")
        faults += _unknown_values(rule, at)
        if rule.kind == "representatives-at-least" and (rule.limit or 0) > rules.representatives_at_most:
            message = "More representatives are needed than are allowed."
            faults.append(_fault("limits-crossed", f"{at}.limit", message, limit=rules.representatives_at_most))
    return faults


def _unknown_values(rule: EligibilityRule, at: str) -> list[Fault]:
    vocabulary: Iterable[str] | None = None
    if rule.kind == "country-status":
        vocabulary = set(CountryStatus)
    elif rule.kind == "city-kind":
        vocabulary = set(CityKind)
    return _outside(vocabulary, rule.values, f"{at}.values")


def _outside(vocabulary: Iterable[str] | None, values: Sequence[str], field: str) -> list[Fault]:
    if vocabulary is None:
        return []
    known = sorted(vocabulary)
    return [
        _fault("value-unknown", field, f"{value} is not one of: {', '.join(known)}.", value=value)
        for value in values
        if value not in known
    ]


def _judged_field(rules: Rules, code: str | None, field: str) -> list[Fault]:
    if any(one.code == code and one.judged for one in rules.form):
        return []
    return [_fault("field-unknown", field, f"The form has no judged field {code}.", field=code or "")]


def _criteria(rules: Rules) -> list[Fault]:
    faults = _repeated("criteria", [criterion.code for criterion in rules.criteria])
    for number, criterion in enumerate(rules.criteria):
        if not 0 <= criterion.lowest < criterion.highest:
            message = "A scale starts at 0 or above and ends higher."
            faults.append(_fault("scale-empty", f"criteria.{number}.highest", message))
    total = sum(criterion.weight for criterion in rules.criteria)
    if rules.criteria and total != WEIGHTS_SUM:
        message = f"The weights sum up to {total}, not to {WEIGHTS_SUM}."
        faults.append(_fault("weights-sum", "criteria", message, sum=total, wanted=WEIGHTS_SUM))
    if bool(rules.criteria) != bool(rules.review.per_application):
        message = "Criteria and reviews per application belong together."
        faults.append(_fault("review-mismatch", "review.per_application", message))
    return faults


def _bands(rules: Rules) -> list[Fault]:
    faults = _repeated("size_bands", [band.code for band in rules.size_bands])
    end: int | None = 0
    for number, band in sorted(enumerate(rules.size_bands), key=lambda pair: pair[1].from_inhabitants):
        at = f"size_bands.{number}"
        if band.below_inhabitants is not None and band.below_inhabitants <= band.from_inhabitants:
            faults.append(_fault("limits-crossed", f"{at}.below_inhabitants", "The band ends before it begins."))
        if end is None or band.from_inhabitants < end:
            faults.append(_fault("bands-overlap", at, "Two bands overlap."))
        end = band.below_inhabitants
    return faults


def _quotas(rules: Rules) -> list[Fault]:
    faults = _repeated("quotas", [quota.code for quota in rules.quotas])
    for number, quota in enumerate(rules.quotas):
        at = f"quotas.{number}"
        if quota.maximum is None and quota.minimum == 0:
            faults.append(_fault("quota-without-bound", at, "A quota has a minimum or a maximum."))
        if quota.maximum is not None and quota.maximum < quota.minimum:
            faults.append(_fault("limits-crossed", f"{at}.maximum", "The maximum is below the minimum."))
        if quota.minimum > rules.places:
            message = f"The minimum is above the {rules.places} places."
            faults.append(_fault("quota-above-places", f"{at}.minimum", message, places=rules.places))
        faults += _attribute(rules, quota, at)
    return faults + _minimums_together(rules)


def _attribute(rules: Rules, quota: Quota, at: str) -> list[Fault]:
    vocabulary: Iterable[str] | None = None
    if quota.attribute.startswith(ANSWER_PREFIX):
        code = quota.attribute.removeprefix(ANSWER_PREFIX)
        if faults := _judged_field(rules, code, f"{at}.attribute"):
            return faults
        field = next(one for one in rules.form if one.code == code)
        if field.choices:
            vocabulary = {choice.value for choice in field.choices}
    elif quota.attribute == "size-band":
        vocabulary = {band.code for band in rules.size_bands}
        if not vocabulary:
            return [_fault("attribute-empty", f"{at}.attribute", "The rules have no size bands.")]
    elif quota.attribute == "city-kind":
        vocabulary = set(CityKind)
    elif quota.attribute not in ("country", "status"):
        message = "Attributes are country, size-band, city-kind, status and answer.<field>."
        return [_fault("attribute-unknown", f"{at}.attribute", message, attribute=quota.attribute)]
    elif quota.attribute == "country" and any(len(v) != 2 or not v.isalpha() or not v.isupper() for v in quota.values):
        return [_fault("value-unknown", f"{at}.values", "Countries are two capital letters (ISO 3166-1).")]
    return _outside(vocabulary, quota.values, f"{at}.values")


def _minimums_together(rules: Rules) -> list[Fault]:
    """Minimums of values that nobody can have two of need as many places together."""
    faults = []
    for attribute in ("country", "size-band", "city-kind"):
        claimed: set[str] = set()
        needed = 0
        for quota in rules.quotas:
            if quota.attribute == attribute and quota.values and not claimed & set(quota.values):
                claimed |= set(quota.values)
                needed += quota.minimum
        if needed > rules.places:
            message = f"The minimums by {attribute} need {needed} places, there are {rules.places}."
            faults.append(_fault("quotas-above-places", "quotas", message, needed=needed, places=rules.places))
    return faults


def _hosts(rules: Rules) -> list[Fault]:
    faults = _repeated("hosts", [host.host_id for host in rules.hosts])
    faults += _repeated("hosts", [city for host in rules.hosts for city in host.cities])
    for number, host in enumerate(rules.hosts):
        if host.at_least > host.at_most:
            faults.append(_fault("limits-crossed", f"hosts.{number}.at_least", "It is above the most that it takes."))
    if bool(rules.hosts) != (rules.matching is not None):
        faults.append(_fault("matching-mismatch", "matching", "Hosts and matching belong together."))
    capacity = sum(host.at_most for host in rules.hosts)
    if rules.hosts and capacity < rules.places:
        message = f"The hosts take {capacity} together, there are {rules.places} places."
        faults.append(_fault("hosts-below-places", "hosts", message, capacity=capacity, places=rules.places))
    if sum(host.at_least for host in rules.hosts) > rules.places:
        faults.append(_fault("hosts-above-places", "hosts", "The hosts want more together than there are places."))
    if rules.matching is not None:
        if rules.matching.proposing != "applicants":
            faults.append(_fault("not-supported", "matching.proposing", "So far applicants propose."))
        if rules.matching.host_order != "score":
            faults.append(_fault("not-supported", "matching.host_order", "So far hosts without a list rank by score."))
        if rules.matching.preferences_at_most > len(rules.hosts):
            message = "More hosts can be named than there are."
            faults.append(_fault("limits-crossed", "matching.preferences_at_most", message))
    return faults


def _others(rules: Rules) -> list[Fault]:
    if rules.tie_break != "lottery":
        return [_fault("not-supported", "tie_break", "So far ties are broken by lottery.")]
    return []
