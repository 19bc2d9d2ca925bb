"""A study visit: few places, given by selection and not to whoever is first."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from mission.demo.door import Refused, until
from mission.demo.errors import must
from mission.demo.progress import Step
from mission.demo.steps import team
from mission.demo.steps.deciding import decide, participations
from mission.demo.steps.delegates import Delegates
from mission.demo.story import City, Story


async def tell(
    story: Story, step: Step, call: dict[str, Any], session: str, visitors: Sequence[City], people: Delegates
) -> None:
    """A study visit's places go to the selected alone: they book, and others cannot."""
    step.doing("a study visit's places go by selection")
    manager = story.people[team.MANAGER]
    applications = [each async for each in story.door.pages(f"/calls/{call['id']}/applications", token=manager.token)]
    by_id = {city.id: city for city in visitors}
    assignments = []
    for application in applications:
        city = by_id[application["city_id"]]
        person = next(person for person, country in people.reviewers[1:] if country != city.country)
        assignments.append((application["id"], person, city))
    await manager.post(
        f"/calls/{call['id']}/reviews",
        {"assignments": [{"application_id": id, "reviewer": person.id} for id, person, _ in assignments]},
    )
    for person in {person for _, person, _ in assignments}:
        scores = [
            {"application_id": id, "scores": {"fit": story.draw("fit", city.name).randint(0, 5)}}
            for id, theirs, city in assignments
            if theirs is person
        ]
        await person.put(f"/calls/{call['id']}/scores", {"reviews": scores})
    await decide(story, call)
    offers = await participations(story, call)
    for offer in offers:
        await by_id[offer["city_id"]].speaker.post(f"/participations/{offer['id']}/acceptance")
    chosen = {offer["city_id"] for offer in offers}

    async def book(city: City) -> bool:
        try:
            await city.speaker.post(f"/sessions/{session}/bookings", {"city_id": city.id})
        except Refused as refused:
            must(refused.code == "place-not-granted", f"{city.name} could not book the study visit: {refused}")
            return False
        return True

    # The calendar learns of the places by event; until then a city's place is not granted there.
    for city in visitors:
        if city.id in chosen:
            await until(partial(book, city), f"{city.name} could not book the place that it was granted.")
    others = [city for city in visitors if city.id not in chosen]
    booked = [city.name for city in others if await book(city)]
    must(not booked, f"{booked} booked a study visit without a place by selection.")
    step.say(
        f"{len(chosen)} of {len(visitors)} cities were selected for a study visit and booked it; the others cannot"
    )
    story.figures["study visit"] = {"applied": len(visitors), "selected and booked": len(chosen)}
