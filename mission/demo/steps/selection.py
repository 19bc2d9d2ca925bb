"""Step 5: a Twinning call from its rules to its cohort, and a study visit whose places go by selection too."""

from datetime import timedelta
from typing import Any, Final

from mission.demo import rules
from mission.demo.door import until
from mission.demo.progress import Step
from mission.demo.steps import applying, deciding, delegates, sessions, study_visits, team
from mission.demo.story import Story

VISITORS: Final = 14
"""So many of those that apply to the Twinning call apply for the study visit as well."""

OPEN_DAYS: Final = 14


async def tell(story: Story, step: Step) -> None:
    """The calls are published, cities apply, the clock moves, and the decisions are made and lived by."""
    step.doing("hosts and reviewers join")
    people = await delegates.gather(story)
    manager = story.people[team.MANAGER]
    opens, closes = sessions.moment(-1, 9), sessions.moment(OPEN_DAYS, 17)
    hosts = [
        (" + ".join(city.name for city in cities), [city.id for city in cities], most) for cities, most in people.hosts
    ]
    twinning = await _publish(story, rules.twinning(opens, closes, hosts))
    visit = await sessions.schedule(
        story,
        "study-visit",
        "study-visit",
        OPEN_DAYS + 45,
        admission="selected",
        programme=rules.STUDY_VISITS[0],
        cohort=rules.STUDY_VISITS[1],
        capacity=rules.VISIT_PLACES,
        places_per_city=1,
    )
    visiting = await _publish(story, rules.study_visit(opens, closes, (hosts[3][0], hosts[3][1][0]), visit))
    step.doing(f"{applying.APPLICANTS} cities apply")
    applied = await applying.tell(story, step, twinning, people)
    visitors = list(applied.values())[:VISITORS]
    for city in visitors:
        await city.speaker.post(f"/calls/{visiting['id']}/applications", {"city_id": city.id})

    step.doing("the clock moves, and the calls close by themselves")
    story.ground.forward(timedelta(days=OPEN_DAYS + 1))
    for call in (twinning, visiting):
        await _until_state(story, call["id"], "review")
    late = story.authorities[applying.APPLICANTS]
    await applying.must_be_refused(late, twinning, {"too-late"})
    step.say(f"The clock moved by {OPEN_DAYS + 1} days; the calls closed by themselves, and {late.name} was too late")

    reached = await deciding.tell(story, step, twinning, applied, people)
    story.figures["cohort"] = reached
    await study_visits.tell(story, step, visiting, visit, visitors, people)
    listed = [call async for call in story.door.pages(f"/calls/{twinning['id']}/refusals", token=manager.token)]
    story.figures.setdefault("services", {})["cohort-selection"] = {
        "calls": 2,
        "applications": len(applied) + len(visitors),
        "refused submissions": len(listed),
    }


async def _publish(story: Story, call: dict[str, Any]) -> dict[str, Any]:
    manager = story.people[team.MANAGER]
    drafted = await manager.post("/calls", call)
    published: dict[str, Any] = await manager.post(f"/calls/{drafted['id']}/publication")
    await _until_state(story, published["id"], "application")
    return published


async def _until_state(story: Story, call: str, state: str) -> None:
    async def reached() -> bool:
        return bool((await story.door.ask("GET", f"/calls/{call}"))["state"] == state)

    await until(reached, f"The call did not come to the state {state} by itself.", seconds=20, every=0.1)
