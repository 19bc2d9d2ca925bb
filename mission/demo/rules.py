"""The rules of the story's two calls: data, as a programme manager would write them, and illustrative."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from mission.demo.checks import Bound

PLACES: Final = 24
RESERVE: Final = 12
PER_COUNTRY: Final = 2
REVIEWS_EACH: Final = 2
WISHES: Final = 4
OFFER_DAYS: Final = 14
VISIT_PLACES: Final = 8

TWINNING: Final = ("twinning", "twinning-illustrative")
STUDY_VISITS: Final = ("study-visits", "study-visits-illustrative")

BANDS: Final = (("small", 0, 50_000), ("medium", 50_000, 250_000), ("large", 250_000, None))
"""Size of an authority by its inhabitants."""

SIZE_QUOTAS: Final = (
    Bound("small-authorities", frozenset({"small"}), minimum=8),
    Bound("medium-authorities", frozenset({"medium"}), minimum=6),
    Bound("large-authorities", frozenset({"large"}), minimum=2, maximum=6),
)
CRITERIA: Final = {
    "ambition": ("Ambition of the city", 40),
    "learning": ("What the city will learn and replicate", 35),
    "capacity": ("People and time for the programme", 25),
}
ELIGIBILITY: Final = (
    ("eligible-country", "country-status", ("eu", "associated"), "The city lies in the EU or an associated country."),
    ("not-mission-city", "without-status", ("mission-city",), "The city is not a Mission City."),
    ("not-twin-before", "without-status", ("twin", "pilot"), "The city has not been a Twin or a Pilot City."),
    ("neutral-by-2050", "neutral-by", 2050, "The city is committed to climate neutrality by 2050 at the latest."),
    ("one-application", "one-application", None, "A city applies once."),
)
"""Code, kind, values or limit, and the sentence that an applicant reads."""


def band(inhabitants: int) -> str:
    """The size band of an authority."""
    return next(code for code, _, below in BANDS if below is None or inhabitants < below)


def text(english: str, **others: str) -> dict[str, dict[str, str]]:
    """A text in English, and in other languages."""
    return {language: {"text": words} for language, words in {"en": english, **others}.items()}


def _window(opens: Mapping[str, str], closes: Mapping[str, str]) -> dict[str, Any]:
    return {"opens": dict(opens), "closes": dict(closes)}


def twinning(
    opens: Mapping[str, str], closes: Mapping[str, str], hosts: Sequence[tuple[str, Sequence[str], int]]
) -> dict[str, Any]:
    """The Twinning call. ``hosts`` are their title, the ids of their cities and how many they take."""
    programme, cohort = TWINNING
    return {
        "programme": programme,
        "cohort": cohort,
        "title": text(
            "Twinning Learning Programme (illustrative round)",
            pt="Programa de Aprendizagem por Geminação (edição ilustrativa)",
            de="Twinning-Lernprogramm (Beispielrunde)",
        ),
        "summary": text("Twelve months of learning between Mission Cities and other cities; an illustrative round."),
        "rules": {
            "window": _window(opens, closes),
            "eligibility": [_rule(*rule) for rule in ELIGIBILITY],
            "form": [
                {
                    "code": "motivation",
                    "kind": "text",
                    "label": text("Why do you want to take part?"),
                    "required": True,
                },
                {
                    "code": "hours",
                    "kind": "number",
                    "label": text("Hours a month that your people can give"),
                    "required": True,
                    "judged": True,
                    "minimum": 0,
                    "maximum": 200,
                },
            ],
            "review": {"per_application": REVIEWS_EACH},
            "criteria": [
                {"code": code, "label": text(label), "weight": weight} for code, (label, weight) in CRITERIA.items()
            ],
            "places": PLACES,
            "reserve": RESERVE,
            "size_bands": [
                {"code": code, "from_inhabitants": low, "below_inhabitants": below} for code, low, below in BANDS
            ],
            "quotas": [
                {"code": "per-country", "attribute": "country", "maximum": PER_COUNTRY},
                *(
                    {
                        "code": quota.code,
                        "attribute": "size-band",
                        "values": sorted(quota.values),
                        "minimum": quota.minimum,
                        "maximum": quota.maximum,
                    }
                    for quota in SIZE_QUOTAS
                ),
            ],
            "hosts": [{"cities": list(cities), "title": text(title), "at_most": most} for title, cities, most in hosts],
            "matching": {"preferences_at_most": WISHES},
            "offers": {"days": OFFER_DAYS},
            "illustrative": True,
        },
    }


def study_visit(
    opens: Mapping[str, str], closes: Mapping[str, str], host: tuple[str, str], session: str
) -> dict[str, Any]:
    """The call for one study visit, whose places go by selection. ``host`` is its title and the id of its city."""
    programme, cohort = STUDY_VISITS
    title, city = host
    return {
        "programme": programme,
        "cohort": cohort,
        "title": text("Group Study Visits (illustrative round)", pt="Visitas de estudo em grupo (edição ilustrativa)"),
        "summary": text("Two days in a Mission City for a group of cities; an illustrative round."),
        "rules": {
            "window": _window(opens, closes),
            "eligibility": [_rule(*rule) for rule in ELIGIBILITY[:2]],
            "review": {"per_application": 1},
            "criteria": [{"code": "fit", "label": text("How well the visit fits the city's plans"), "weight": 100}],
            "places": VISIT_PLACES,
            "reserve": 2,
            "hosts": [{"cities": [city], "title": text(title), "at_most": VISIT_PLACES, "session_id": session}],
            "matching": {},
            "offers": {"days": OFFER_DAYS},
            "representatives_at_most": 1,
            "illustrative": True,
        },
    }


def _rule(code: str, kind: str, given: Any, sentence: str) -> dict[str, Any]:
    filled = {"limit": given} if isinstance(given, int) else {"values": list(given or ())}
    return {"code": code, "kind": kind, "sentence": text(sentence), **filled}
