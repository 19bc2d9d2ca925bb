"""The Mission's own sessions, as the organiser schedules them."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from mission.demo.steps import team
from mission.demo.story import Story

TITLES: Final = {
    "orientation-1": {
        "en": "Orientation session, part 1: the Mission and its offer",
        "pt": "Sessão de orientação, parte 1: a Missão e o que oferece",
        "de": "Orientierung, Teil 1: die Mission und ihr Angebot",
    },
    "orientation-2": {
        "en": "Orientation session, part 2: finding your way",
        "pt": "Sessão de orientação, parte 2: encontrar o seu caminho",
        "de": "Orientierung, Teil 2: der eigene Weg",
    },
    "training": {
        "en": "Tool training: NetZeroPlanner",
        "pt": "Formação em ferramentas: NetZeroPlanner",
        "de": "Werkzeugschulung: NetZeroPlanner",
    },
    "planning-lab": {
        "en": "Online Planning Lab: live session",
        "pt": "Laboratório de Planeamento Online: sessão ao vivo",
        "de": "Online-Planungslabor: Live-Sitzung",
    },
    "study-visit": {
        "en": "Group Study Visit: energy and district heating",
        "pt": "Visita de estudo em grupo: energia e aquecimento urbano",
        "de": "Gruppenstudienreise: Energie und Fernwärme",
    },
}
ZONE: Final = "Europe/Brussels"


def moment(days: int, hour: int, *, zone: str = ZONE) -> dict[str, str]:
    """A planned moment so many days from today, at a full hour of a zone's wall clock."""
    day = datetime.now(UTC).date() + timedelta(days=days)
    return {"local": f"{day.isoformat()}T{hour:02d}:00:00", "zone": zone}


async def schedule(story: Story, title: str, kind: str, days: int, **more: Any) -> str:
    """Schedules a session of two hours so many days from today; returns its id."""
    body = {
        "kind": kind,
        "title": TITLES[title],
        "starts": moment(days, 10),
        "ends": moment(days, 12),
        "online_url": f"https://meet.mission.example/{title}",
        "languages": ["en"],
        **more,
    }
    session = await story.people[team.ORGANISER].post("/sessions", body)
    return str(session["id"])


async def orientation(story: Story) -> list[str]:
    """The two parts of the orientation session, which guests can book without an account."""
    common: dict[str, Any] = {"series": "orientation-1", "guests_allowed": True, "programme": "orientation"}
    return [
        await schedule(story, f"orientation-{part}", "orientation", 12 + 7 * part, part=part, **common)
        for part in (1, 2)
    ]
