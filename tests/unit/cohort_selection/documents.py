"""Rules and facts for tests of the pure rules."""

from datetime import datetime
from typing import Any

from contracts.cohort_selection import ApplicantFacts, Rules, Window
from contracts.common import PlannedMoment

WINDOW = Window(
    opens=PlannedMoment.of(datetime.fromisoformat("2027-06-03T09:00"), "Europe/Brussels"),
    closes=PlannedMoment.of(datetime.fromisoformat("2027-09-10T17:00"), "Europe/Brussels"),
)


def text(words: str) -> dict[str, Any]:
    """A text in English."""
    return {"en": {"text": words}}


def rules(**changes: Any) -> Rules:
    """Rules without contradictions, with these changes."""
    plain = {
        "version": 1,
        "window": WINDOW,
        "form": [
            {"code": "why", "kind": "text", "label": text("Why?"), "required": True, "max_length": 100},
            {"code": "hours", "kind": "number", "label": text("Hours"), "judged": True, "minimum": 0, "maximum": 80},
            {"code": "ready", "kind": "boolean", "label": text("Ready?"), "judged": True},
            {
                "code": "themes",
                "kind": "choices",
                "label": text("Themes"),
                "judged": True,
                "choices": [{"value": "mobility", "label": text("M")}, {"value": "finance", "label": text("F")}],
            },
        ],
        "criteria": [{"code": "merit", "label": text("Merit"), "weight": 100}],
        "places": 10,
        "size_bands": [{"code": "small", "below_inhabitants": 50_000}, {"code": "large", "from_inhabitants": 50_000}],
        "offers": {"days": 14},
    }
    return Rules.model_validate(plain | changes)


def facts(**changes: Any) -> ApplicantFacts:
    """A city in Portugal that is committed to 2045."""
    plain = {"country": "PT", "country_status": "eu", "kind": "municipality", "inhabitants": 30_000, "neutral_by": 2045}
    return ApplicantFacts.model_validate(plain | changes)
