"""People of Mission Cities: some host, some review."""

import asyncio
from dataclasses import dataclass, field
from typing import Final

from mission.demo.cities import slug
from mission.demo.people import Person
from mission.demo.steps import registration, team
from mission.demo.story import City, Story

HOSTS: Final[tuple[tuple[tuple[str, ...], int], ...]] = (
    (("Klagenfurt", "Gozo", "Vilnius"), 4),
    (("Stockholm",), 4),
    (("Guimarães",), 4),
    (("Leuven",), 3),
    (("Ljubljana",), 3),
    (("Turku",), 3),
    (("Grenoble-Alpes Métropole",), 3),
    (("Kraków",), 4),
)
"""Hosts of the Twinning call, one of them a group of cities, with how many twins each takes."""

REVIEWERS: Final = ("Copenhagen", "Zaragoza", "Groningen", "Florence", "Tartu", "Cork", "Thessaloniki")
"""Mission Cities whose people review. One reviewer more is from the mission-minded city of the story."""


@dataclass
class Delegates:
    """Who hosts (their cities, and how many they take) and who reviews (with its country)."""

    hosts: list[tuple[list[City], int]] = field(default_factory=list)
    reviewers: list[tuple[Person, str]] = field(default_factory=list)


async def gather(story: Story) -> Delegates:
    """Hosts' officers and reviewers sign up, become members of their cities, and reviewers get their role."""
    by_name = {city.name: city for city in story.mission_cities}
    hosts = [([by_name[name] for name in names], most) for names, most in HOSTS]
    officers = [_join(story, cities[0], "host") for cities, _ in hosts]
    juries = [by_name[name] for name in REVIEWERS]
    joined = await asyncio.gather(*officers, *(_join(story, city, "reviewer") for city in juries))
    for (cities, _), officer in zip(hosts, joined, strict=False):
        cities[0].officer = officer
    colleague = story.people["mobility-office.vila-nova-de-famalicao.pt@city.example"]
    reviewers = [(colleague, "PT")]
    reviewers += [(person, city.country) for person, city in zip(joined[len(hosts) :], juries, strict=True)]
    administrator = story.people[team.ADMINISTRATOR]
    for person, _ in reviewers:
        await administrator.post("/grants", {"person_id": person.id, "role": "reviewer"})
        await person.refresh()
    return Delegates(hosts, reviewers)


async def _join(story: Story, city: City, part: str) -> Person:
    person = Person(
        story.door,
        story.mails,
        f"{part}.{slug(city.name)}@mission-city.example",
        ("Mission City", part.capitalize()),
    )
    await person.sign_up()
    await person.sign_in()
    asked = await person.post(f"/cities/{city.id}/memberships", {"evidence": registration.LETTER})
    await registration.approve(team.agent_for(story, city.country), asked["id"])
    await person.refresh()
    person.city = city.id
    story.people[person.mail] = person
    return person
