"""Who may apply: facts about a city as they stand when its application arrives, held against the rules of the call."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date

from contracts.cohort_selection import Answer, ApplicantFacts, EligibilityRule
from contracts.common import LocalisedText, best_text
from contracts.registration import Authority, CityStatus, Commitment
from services.cohort_selection.domain.faults import Fault

ONE_APPLICATION = "one-application"
"""The rule that names the refusal of a second application; the limit itself always holds."""


def facts_of(
    authority: Authority,
    commitment: Commitment | None,
    statuses: Sequence[CityStatus],
    country_status: str,
    completed: Collection[str],
    day: date,
) -> ApplicantFacts:
    """What the rules see of a city on a day. ``completed`` are the programmes that it completed."""
    begun = [status for status in statuses if status.valid_from <= day]
    holding = {status.kind for status in begun if status.valid_until is None or day <= status.valid_until}
    return ApplicantFacts(
        country=authority.country,
        country_status=country_status,
        kind=authority.kind,
        inhabitants=authority.population.inhabitants if authority.population else None,
        neutral_by=commitment.neutral_by if commitment else None,
        statuses=tuple(sorted(holding)),
        former_statuses=tuple(sorted({status.kind for status in begun} - holding)),
        completed_programmes=tuple(sorted(completed)),
    )


def unmet(
    rules: Sequence[EligibilityRule],
    facts: ApplicantFacts,
    representatives: int | None,
    answers: Mapping[str, Answer] | None,
    languages: Sequence[str],
) -> list[Fault]:
    """Every rule that is not met, said in the first of the languages that there is.

    ``representatives`` and ``answers`` None leave out the rules on them: they are not known before a city applies.
    """
    faults = []
    for rule in rules:
        if rule.kind == "representatives-at-least" and representatives is None:
            continue
        if rule.kind.startswith("answer-") and answers is None:
            continue
        found = _found(rule, facts, representatives or 0, answers or {})
        if found is not None:
            params: dict[str, str | int] = {"kind": rule.kind, "found": found}
            if rule.limit is not None:
                params["limit"] = rule.limit
            field = f"answers.{rule.field}" if rule.field else "city_id"
            faults.append(Fault(rule.code, field, sentence(rule.sentence, languages), params))
    return faults


def sentence(texts: LocalisedText, languages: Sequence[str]) -> str:
    """A text in the first of the languages that there is."""
    return best_text(texts, languages)[1].text


def _found(
    rule: EligibilityRule, facts: ApplicantFacts, representatives: int, answers: Mapping[str, Answer]
) -> str | int | None:
    """What was found where the rule is not met; None when it is met."""
    match rule.kind:
        case "country-status":
            return None if facts.country_status in rule.values else facts.country_status
        case "country":
            return None if facts.country in rule.values else facts.country
        case "city-kind":
            return None if facts.kind in rule.values else facts.kind
        case "neutral-by":
            if facts.neutral_by is None:
                return "no-commitment"
            return None if rule.limit is None or facts.neutral_by <= rule.limit else facts.neutral_by
        case "without-status":
            held = sorted({*facts.statuses, *facts.former_statuses} & set(rule.values))
            return ", ".join(held) if held else None
        case "with-status":
            return None if set(facts.statuses) & set(rule.values) else "none"
        case "completed-programme":
            return None if set(facts.completed_programmes) & set(rule.values) else "none"
        case "representatives-at-least":
            return None if representatives >= (rule.limit or 0) else representatives
        case "answer-is":
            given = _given(answers.get(rule.field or ""))
            return None if given & set(rule.values) else ", ".join(sorted(given)) or "no-answer"
        case "answer-at-least":
            number = answers.get(rule.field or "")
            if not isinstance(number, int) or isinstance(number, bool):
                return "no-answer"
            return None if rule.limit is None or number >= rule.limit else number
        case "one-application":
            return None
    raise ValueError(f"no such kind of rule: {rule.kind}")


def _given(answer: Answer | None) -> set[str]:
    if answer is None:
        return set()
    return set(answer) if isinstance(answer, tuple) else {str(answer).lower()}
