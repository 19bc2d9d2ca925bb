"""What people send in the end-to-end tests. Whatever is judged or claimed in it is illustrative."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

EVIDENCE: Final = {"kind": "official-letter", "reference": "Letter of appointment"}


def moment(**ahead: float) -> dict[str, str]:
    """A planned moment so far from now, on Lisbon's wall clock's neighbour UTC."""
    at = datetime.now(UTC) + timedelta(**ahead)
    return {"local": at.replace(tzinfo=None, microsecond=0).isoformat(), "zone": "UTC"}


def session(**more: Any) -> dict[str, Any]:
    """A session of our own, two hours long, in two weeks."""
    return {
        "kind": "orientation",
        "title": {"en": "Orientation session", "pt": "Sessão de orientação"},
        "starts": moment(days=14),
        "ends": moment(days=14, hours=2),
        "guests_allowed": True,
        "languages": ["en"],
        **more,
    }


def authority(name: str, place: str) -> dict[str, Any]:
    """A municipality."""
    return {"name": name, "kind": "municipality", "places": [place]}


def declaration(name: str, place: str) -> dict[str, Any]:
    """What somebody declares who speaks for a city."""
    return {"authority": authority(name, place), "evidence": EVIDENCE}


def text(english: str) -> dict[str, dict[str, str]]:
    """A text in English, and whether a person wrote it."""
    return {"en": {"text": english}}


def entry(code: str) -> dict[str, Any]:
    """An entry of the catalogue."""
    return {"code": code, "kind": "tool", "title": text("Heat map"), "summary": text("Shows where heat is lost.")}


def call(host_cities: list[str], **rules: Any) -> dict[str, Any]:
    """A small Twinning call that is open now and closes in ten days; one host takes all."""
    return {
        "programme": "twinning",
        "cohort": "twinning-illustrative",
        "title": text("Twinning Learning Programme"),
        "summary": text("Twelve months of learning with a Mission City."),
        "rules": {
            "window": {"opens": moment(hours=-1), "closes": moment(days=10)},
            "eligibility": [{"code": "once", "kind": "one-application", "sentence": text("A city applies once.")}],
            "form": [{"code": "motivation", "kind": "text", "label": text("Why?"), "required": True}],
            "criteria": [{"code": "ambition", "label": text("Ambition"), "weight": 100}],
            "places": 2,
            "reserve": 2,
            "hosts": [{"cities": host_cities, "title": text("Illustrative host"), "at_most": 2}],
            "matching": {},
            "offers": {"days": 14},
            "illustrative": True,
            **rules,
        },
    }


def application(city: str) -> dict[str, Any]:
    """A city's application to such a call."""
    return {"city_id": city, "answers": {"motivation": "To learn."}}
