"""Step 2: the Mission Cities off the official list, one city on its way through onboarding, then 240 more."""

import asyncio
from collections import Counter
from datetime import date
from random import Random
from typing import Any, Final

from mission.demo import cities
from mission.demo.cities import ILLUSTRATIVE, ListedCity, Town, listed
from mission.demo.door import until
from mission.demo.errors import Untrue, must
from mission.demo.people import Person
from mission.demo.progress import Step
from mission.demo.steps import onboarding, team
from mission.demo.story import City, Story

AUTHORITIES: Final = 240
WITHOUT_COMMITMENT: Final = range(4)
FORMER_TWINS: Final = range(3, 7)
"""Which of the drawn authorities cannot join a Twinning call, for one or the other reason, one of them for both."""

FAR: Final = frozenset({"CA", "EG", "IL", "JP", "KR", "NZ", "TN"})
"""Associated countries from which no authority is drawn: the Mission's second goal is about European cities."""

TYPED: Final = {
    "Angers Loire Métropole": ("Angers",),
    "Bordeaux Métropole": ("Bordeaux",),
    "Dijon Métropole": ("Dijon",),
    "Grenoble-Alpes Métropole": ("Grenoble",),
    "Nantes Métropole": ("Nantes",),
    "Gozo": ("Victoria",),
    "Eindhoven & Helmond": ("Eindhoven", "Helmond"),
    "Bucharest 2nd District": ("Sector 2",),
}
"""What the helpdesk types for an entry of the list that is no place by its name."""

KINDS: Final = {"Métropole": "metropolitan-area", "District": "district", "&": "association", "Gozo": "other"}
LETTER: Final = {"kind": "official-letter", "reference": f"Letter of appointment ({ILLUSTRATIVE})"}
DOMAINS: Final = (
    *("built-environment", "energy-systems", "mobility", "nature-based-solutions"),
    *("waste-and-circularity", "industrial-processes", "agriculture-and-land-use"),
)
LEVERS: Final = (
    *("governance-and-policy", "democracy-and-participation", "social-innovation"),
    *("finance-and-funding", "learning-and-capabilities", "technology"),
)
CHALLENGES: Final = ("district-heating", "retrofitting", "public-transport", "green-financing", "citizens-assemblies")


async def tell(story: Story, step: Step) -> None:
    """Registers everybody."""
    step.doing("the directory of places is being loaded")

    async def complete() -> bool:
        return bool((await story.door.ask("GET", "/places", params={"q": "Lisbon"}))["complete"])

    await until(complete, "The directory of places was not loaded in time.", seconds=180, every=0.5)
    step.doing("the helpdesk registers the Mission Cities")
    entries = listed()
    step.plan(len(entries))
    story.mission_cities += await asyncio.gather(*(_register(story, step, entry) for entry in entries))
    shown = [city async for city in story.door.pages("/cities", params={"status": "mission-city"})]
    must(len(shown) == len(entries), f"{len(shown)} Mission Cities are public instead of {len(entries)}.")
    countries = {city["authority"]["country"] for city in shown}
    step.say(f"{len(shown)} Mission Cities of {len(countries)} countries are public with their status")

    step.doing("one city follows the three steps")
    await onboarding.tell(story, step)

    step.doing(f"{AUTHORITIES} authorities register")
    step.plan(AUTHORITIES)
    joining = (_join(story, step, number, town) for number, town in enumerate(await _drawn(story)))
    story.authorities += await asyncio.gather(*joining)
    public = [city async for city in story.door.pages("/cities")]
    expected = len(entries) + AUTHORITIES + 1
    must(len(public) == expected, f"{len(public)} cities are public instead of {expected}.")
    sizes = Counter(_band(city.inhabitants) for city in sorted(story.authorities, key=lambda city: city.inhabitants))
    step.say(
        f"{AUTHORITIES} authorities of {len({city.country for city in story.authorities})} countries registered and"
        f" signed in by mailed link; inhabitants: {', '.join(f'{count} {band}' for band, count in sizes.items())}"
    )
    story.figures.setdefault("services", {})["registration"] = {
        "cities": len(public),
        "people": len(story.people),
        "countries": len({city["authority"]["country"] for city in public}),
    }


def _band(inhabitants: int) -> str:
    return next(f"from {low:,}" for low, high in cities.SIZES if inhabitants < high)


async def places(story: Story, name: str, country: str) -> list[dict[str, Any]]:
    """What the directory finds for what somebody types."""
    found = await story.door.ask("GET", "/places", params={"q": name[:100], "country": country, "limit": 20})
    items: list[dict[str, Any]] = found["items"]
    return items


async def _register(story: Story, step: Step, entry: ListedCity) -> City:
    agent = team.agent_for(story, entry.country)
    found = [await places(story, name, entry.country) for name in TYPED.get(entry.name, (entry.name,))]
    if not all(found):
        raise Untrue(f"The directory knows no place for {entry.name} ({entry.country}).")
    kind = next((kind for mark, kind in KINDS.items() if mark in entry.name), "municipality")
    status = {"kind": "mission-city", "valid_from": "2022-04-28", "source": "the Mission's official list"}
    body = {
        "authority": {"name": entry.name, "kind": kind, "places": [items[0]["id"] for items in found]},
        "origin": "official-list",
        "statuses": [status],
        "profile": _profile(story.draw("profile", entry.name), entry.country),
    }
    city = await agent.post("/helpdesk/cities", body)
    step.done()
    return City.of(city)


def _profile(rng: Random, country: str) -> dict[str, Any]:
    """What a city shows, drawn."""
    return {
        "challenges": rng.sample(CHALLENGES, rng.randint(1, 2)),
        "domains": rng.sample(DOMAINS, rng.randint(1, 3)),
        "levers": rng.sample(LEVERS, rng.randint(1, 2)),
        "languages": sorted({"en", cities.LANGUAGE_OF.get(country, "en")}),
    }


async def _drawn(story: Story) -> list[Town]:
    found = (await story.door.ask("GET", "/countries"))["items"]
    eligible = {each["country"] for each in found if each["status"] in ("eu", "associated")} - FAR
    taken = {code for city in (*story.mission_cities, *story.authorities) for code in city.places}
    towns = await asyncio.to_thread(lambda: cities.towns_alone(list(cities.gazetteer(eligible))))
    free = [town for town in towns if town.code not in taken]
    return cities.draw(story.draw("authorities"), free, AUTHORITIES, [city.name for city in listed()])


async def _join(story: Story, step: Step, number: int, town: Town) -> City:
    """One authority's officer signs up, declares the authority and is approved."""
    officer = Person(story.door, story.mails, town.mail, ("Climate", "Officer"), locale=town.language, zone=town.zone)
    await officer.sign_up()
    await officer.sign_in()
    found = await places(story, cities.plain(town.name), town.country)
    place = next((place for place in found if place["id"] == town.code), None)
    if place is None:
        raise Untrue(f"{cities.plain(town.name)} typed without accents does not find {town.name} ({town.country}).")
    declared = await declare(story, officer, town, committed=number not in WITHOUT_COMMITMENT)
    agent = team.agent_for(story, town.country)
    await approve(agent, declared["membership"]["id"])
    if number in FORMER_TWINS:
        twin = {
            "kind": "twin",
            "cohort": "2",
            "valid_from": "2024-09-01",
            "valid_until": "2026-04-30",
            "source": ILLUSTRATIVE,
        }
        await agent.put(f"/cities/{declared['city']['id']}/statuses", {"statuses": [twin]})
    await officer.refresh()
    city = City.of(declared["city"], officer=officer, inhabitants=town.inhabitants)
    city.committed = number not in WITHOUT_COMMITMENT
    city.twin = number in FORMER_TWINS
    officer.city = city.id
    story.people[officer.mail] = officer
    step.done()
    return city


async def declare(story: Story, officer: Person, town: Town, *, committed: bool = True, **more: Any) -> dict[str, Any]:
    """The officer declares the authority; gives the city, which is not public yet, and the membership."""
    rng = story.draw("declaration", town.code)
    body: dict[str, Any] = {
        "authority": {
            "name": town.name,
            "kind": "municipality",
            "places": [town.code],
            "population": {"inhabitants": town.inhabitants, "year": 2024, "source": "GeoNames"},
        },
        "profile": _profile(rng, town.country),
        "evidence": LETTER,
        **more,
    }
    if committed:
        decided = date(2024, rng.randint(1, 12), rng.randint(1, 28))
        body["commitment"] = {
            "neutral_by": rng.choice((2035, 2040, 2045, 2050)),
            "committed_on": decided.isoformat(),
            "evidence": f"Council decision ({ILLUSTRATIVE})",
        }
    declared: dict[str, Any] = await officer.post("/cities", body)
    return declared


async def approve(agent: Person, membership: str) -> None:
    """The helpdesk approves a membership on the letter that it has seen."""
    evidence = {"kind": "official-letter", "reference": "Seen by the helpdesk"}
    await agent.post(f"/memberships/{membership}/approval", {"evidence": evidence})
