"""The people who run the Mission: made by the first administrator, each with the rights of the role and no more."""

import asyncio
import secrets
from typing import Any, Final

from mission.demo.people import Person
from mission.demo.progress import Step
from mission.demo.story import Story

ADMINISTRATOR: Final = "administrator"
HELPDESK: Final = ("helpdesk-west", "helpdesk-east")
EDITOR: Final = "editor"
ORGANISER: Final = "organiser"
MANAGER: Final = "programme-manager"
SECOND: Final = "second-person"

ROLES: Final = {
    EDITOR: ("editor", ("Catalogue", "Editor")),
    ORGANISER: ("organiser", ("Training", "Organiser")),
    MANAGER: ("programme-manager", ("Programme", "Manager")),
    SECOND: ("programme-manager", ("Second", "Person")),
}
"""Who holds which role in the whole Mission."""

EASTERN: Final = frozenset(
    {
        *("AL", "AM", "BA", "BG", "CY", "CZ", "EE", "FI", "GE", "GR", "HR", "HU", "LT", "LV", "MD", "ME", "MK"),
        *("PL", "RO", "RS", "SI", "SK", "TR", "UA", "XK"),
    }
)
"""The countries of the second helpdesk agent; the first has the others."""


async def gather(story: Story, step: Step) -> None:
    """Makes the first administrator on the command line; the rest is granted through the public API."""
    step.plan(2 + len(ROLES) + len(HELPDESK))
    administrator = hire(story, ADMINISTRATOR, ("Platform", "Operator"))
    await story.ground.bootstrap(["--mail", administrator.mail])
    step.done()
    await administrator.sign_in()
    step.done()

    async def grant(name: str, role: str, names: tuple[str, str], scopes: list[dict[str, Any]]) -> None:
        person = hire(story, name, names)
        await person.sign_up()
        await person.sign_in()
        for scope in scopes:
            await administrator.post("/grants", {"person_id": person.id, "role": role, "scope": scope})
        await person.refresh()
        step.done()

    countries = {each["country"] for each in (await administrator.get("/countries"))["items"]}
    areas = (countries - EASTERN, countries & EASTERN)
    everywhere = [{"kind": "mission"}]
    await asyncio.gather(
        *(grant(name, role, names, everywhere) for name, (role, names) in ROLES.items()),
        *(
            grant(name, "helpdesk", ("Helpdesk", f"Agent {number}"), [_country(code) for code in sorted(area)])
            for number, (name, area) in enumerate(zip(HELPDESK, areas, strict=True), 1)
        ),
    )


def hire(story: Story, name: str, names: tuple[str, str]) -> Person:
    """A member of the team, known by the name of its role."""
    person = Person(story.door, story.mails, f"{name}@mission.example", names)
    story.people[name] = person
    return person


def agent_for(story: Story, country: str) -> Person:
    """The helpdesk agent who looks after a country."""
    return story.people[HELPDESK[country in EASTERN]]


def new_password() -> str:
    """A password that nobody has used before, for the login that is shown at the end."""
    return secrets.token_urlsafe(12)


def _country(code: str) -> dict[str, Any]:
    return {"kind": "country", "id": code}
