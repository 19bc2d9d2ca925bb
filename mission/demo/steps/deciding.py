"""The second half of a call: reviews, hosts' lists, the decision, its offers, and the reserve list that moves up."""

import asyncio
from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any, Final

from mission.demo import rules
from mission.demo.checks import blocking_pairs, broken_bounds, over_maximum
from mission.demo.door import Refused, until
from mission.demo.errors import Untrue, must
from mission.demo.people import Person
from mission.demo.progress import Step
from mission.demo.steps import applying, team
from mission.demo.steps.delegates import Delegates
from mission.demo.story import City, Story

DECLINING: Final = 2


async def tell(
    story: Story, step: Step, call: dict[str, Any], applied: Mapping[str, City], people: Delegates
) -> dict[str, int]:
    """From the closed window to the cohort; gives what it came to."""
    step.doing("reviewers score")
    await _review(story, step, call, applied, people)
    lists = await _rank(story, call, applied, people)
    step.doing("the decision is computed, approved and published")
    decision = await decide(story, call)
    _check(story, call, decision, applied, lists)
    step.say(
        f"{len(decision['result']['selected'])} cities are selected and matched with {len(people.hosts)} hosts,"
        f" {len(decision['result']['reserve'])} wait on the reserve list"
    )
    step.doing("offers are answered")
    return await _answer(story, step, call, applied)


async def _review(
    story: Story, step: Step, call: dict[str, Any], applied: Mapping[str, City], people: Delegates
) -> None:
    """Every application is scored by two reviewers who have no tie to it; an assignment with a tie is refused."""
    manager = story.people[team.MANAGER]
    path = f"/calls/{call['id']}/reviews"
    colleague, country = people.reviewers[0]
    for tie, application in (
        ("own-city", next(id for id, city in applied.items() if city.id == story.authorities[0].id)),
        (
            "own-country",
            next(id for id, city in applied.items() if city.country == country and city is not story.authorities[0]),
        ),
    ):
        await _must_conflict(manager, path, application, colleague, tie)
    turns = cycle(people.reviewers)
    assignments = []
    for application, city in applied.items():
        jury: list[Person] = []
        while len(jury) < rules.REVIEWS_EACH:
            person, theirs = next(turns)
            if theirs != city.country and person not in jury:
                jury.append(person)
        assignments += [{"application_id": application, "reviewer": person.id} for person in jury]
    await manager.post(path, {"assignments": assignments})

    async def score(person: Person) -> int:
        tasks = [
            task async for task in story.door.pages("/reviews", token=person.token, params={"call_id": call["id"]})
        ]
        scored = [
            {
                "application_id": task["review"]["application_id"],
                "scores": _scores(story, person, applied[task["review"]["application_id"]]),
            }
            for task in tasks
        ]
        await person.put(f"/calls/{call['id']}/scores", {"reviews": scored})
        return len(scored)

    counts = await asyncio.gather(*(score(person) for person, _ in people.reviewers))
    progress = await manager.get(f"{path}/progress")
    must(progress["incomplete"] == 0, f"{progress['incomplete']} applications have too few reviews.")
    step.say(f"{len(counts)} reviewers scored {sum(counts)} times; own city and own country were refused to them")


def _scores(story: Story, person: Person, city: City) -> dict[str, int]:
    """A reviewer's scores for a city, drawn around the quality of its application."""
    quality = story.draw("quality", city.name, city.country).uniform(1.5, 4.5)
    rng = story.draw("scores", person.mail, city.name, city.country)
    return {code: min(5, max(0, round(rng.gauss(quality, 0.8)))) for code in rules.CRITERIA}


async def _must_conflict(manager: Person, path: str, application: str, reviewer: Person, tie: str) -> None:
    try:
        await manager.post(path, {"assignments": [{"application_id": application, "reviewer": reviewer.id}]})
    except Refused as refused:
        ties = [each.get("params", {}).get("tie") for each in refused.problem.get("errors") or ()]
        must(refused.codes == {"conflict-of-interest"} and ties == [tie], f"{tie} was refused as {ties}: {refused}")
    else:
        raise Untrue(f"A reviewer was assigned an application of the {tie.replace('own-', 'own ')}.")


async def _rank(
    story: Story, call: dict[str, Any], applied: Mapping[str, City], people: Delegates
) -> dict[str, list[str]]:
    """All hosts but the last two give their lists, some leaving applicants out; the others rank by points."""
    lists = {}
    for (cities, _), host in list(zip(people.hosts, call["rules"]["hosts"], strict=True))[:-2]:
        officer, path = cities[0].speaker, f"/calls/{call['id']}/hosts/{host['host_id']}"
        pages = story.door.pages(f"{path}/candidates", token=officer.token)
        candidates = [each["application_id"] async for each in pages]
        candidates.sort(key=lambda id: (applied[id].country, applied[id].name))
        rng = story.draw("host list", cities[0].name)
        order = rng.sample(candidates, len(candidates) * 9 // 10)
        await officer.put(f"{path}/preferences", {"applications": order})
        lists[host["host_id"]] = order
    return lists


async def decide(story: Story, call: dict[str, Any]) -> dict[str, Any]:
    """The manager computes and proposes, the second person approves, the manager publishes."""
    manager, second = story.people[team.MANAGER], story.people[team.SECOND]
    computed = await manager.post(f"/calls/{call['id']}/decisions", {})
    path = f"/decisions/{computed['id']}"
    await manager.post(f"{path}/proposal")
    try:
        await manager.post(f"{path}/approval")
    except Refused as refused:
        must(refused.status in (403, 409), f"Approving one's own proposal was answered {refused.status}.")
    else:
        raise Untrue("Who proposed a decision could approve it too.")
    await second.post(f"{path}/approval")
    published: dict[str, Any] = await manager.post(f"{path}/publication")
    return published


def _check(
    story: Story,
    call: dict[str, Any],
    decision: dict[str, Any],
    applied: Mapping[str, City],
    lists: Mapping[str, Sequence[str]],
) -> None:
    """Quotas and stability, by the story's own facts and a check of its own."""
    result = decision["result"]
    selected = result["selected"]
    quotas = quota_faults([applied[id] for id in selected])
    story.claim(
        not quotas and len(selected) == rules.PLACES,
        "The selected keep every quota by country and size",
        "; ".join(quotas) or f"{len(selected)} selected",
    )
    ranks = {each["application_id"]: each["rank"] for each in decision["ranking"]}
    by_points = sorted(selected, key=ranks.__getitem__)
    hosts = call["rules"]["hosts"]
    pairs = blocking_pairs(
        matched={match["application_id"]: match["host_id"] for match in result["matches"]},
        wishes={id: form_wishes(story, applied[id], call) for id in selected},
        orders={host["host_id"]: lists.get(host["host_id"]) or by_points for host in hosts},
        capacities={host["host_id"]: host["at_most"] for host in hosts},
    )
    story.claim(
        not pairs and len(result["matches"]) == len(selected),
        "The matching is stable: no city and host would both rather have each other",
        f"{len(pairs)} blocking pairs among {len(result['matches'])} matches",
    )


def form_wishes(story: Story, city: City, call: dict[str, Any]) -> list[str]:
    """The hosts that a city named, as it did in its application."""
    wishes: list[str] = applying.form(story, city, call)["preferences"]
    return wishes


def quota_faults(cities: Sequence[City]) -> list[str]:
    """The quotas that these cities break, in words."""
    sizes = {city.id: rules.band(city.inhabitants) for city in cities}
    crowded = over_maximum({city.id: city.country for city in cities}, rules.PER_COUNTRY)
    faults = [f"{count} of {country}" for country, count in crowded.items()]
    return faults + broken_bounds(sizes, rules.SIZE_QUOTAS)


async def _answer(story: Story, step: Step, call: dict[str, Any], applied: Mapping[str, City]) -> dict[str, int]:
    """Two cities decline, one by the mailed button; the reserve list moves up by itself; all others accept."""
    offers = await participations(story, call)
    first, second, *others = sorted(offers, key=lambda each: applied[each["application_id"]].name)
    city = applied[first["application_id"]]
    link = await story.mails.link(city.speaker.mail, "/v1/participations/links/")
    await city.speaker.press(link, "decline")
    await applied[second["application_id"]].speaker.post(f"/participations/{second['id']}/decline")

    async def moved_up() -> list[dict[str, Any]] | None:
        found = [each for each in await participations(story, call) if each["from_reserve"]]
        return found if len(found) == DECLINING else None

    risen = await until(moved_up, "The reserve list did not move up by itself.", seconds=20, every=0.1)
    for each in (*others, *risen):
        await applied[each["application_id"]].speaker.post(f"/participations/{each['id']}/acceptance")
    cohort = [each for each in await participations(story, call) if each["state"] == "accepted"]
    quotas = quota_faults([applied[each["application_id"]] for each in cohort])
    taken = {
        host["host_id"]: sum(each["host_id"] == host["host_id"] for each in cohort) for host in call["rules"]["hosts"]
    }
    full = all(taken[host["host_id"]] <= host["at_most"] for host in call["rules"]["hosts"])
    story.claim(
        not quotas and full and len(cohort) == rules.PLACES,
        "Two declined, the reserve list moved up by itself, and quotas and hosts' capacities still hold",
        "; ".join(quotas) or f"{len(cohort)} take part",
    )
    step.say(f"{DECLINING} declined, {' and '.join(applied[each['application_id']].name for each in risen)} moved up")
    return {
        "places": rules.PLACES,
        "selected": len(offers),
        "declined": DECLINING,
        "moved up": len(risen),
        "take part": len(cohort),
    }


async def participations(story: Story, call: dict[str, Any]) -> list[dict[str, Any]]:
    """Everybody who was offered a place."""
    manager = story.people[team.MANAGER]
    return [each async for each in story.door.pages(f"/calls/{call['id']}/participations", token=manager.token)]
