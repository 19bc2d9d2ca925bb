"""Step 1: the editor publishes the Mission's whole offer, and everybody can read it."""

import asyncio
from typing import Any, Final

import yaml

from mission.demo.cities import DATA
from mission.demo.door import until
from mission.demo.errors import Untrue, must
from mission.demo.progress import Step
from mission.demo.steps import team
from mission.demo.story import Story

OFFER: Final = DATA / "catalogue.yaml"
TOOLS: Final = 7


async def tell(story: Story, step: Step) -> None:
    """Gathers the team, publishes the offer, and reads it as somebody without an account."""
    step.doing("the team signs up")
    await team.gather(story, step)
    step.say(f"{len(story.people)} people run the Mission, each with the rights of one role")
    step.doing("the editor publishes the offer")
    entries: list[dict[str, Any]] = yaml.safe_load(OFFER.read_text(encoding="utf-8"))
    await _publish(story, step, entries)
    step.doing("somebody without an account reads")
    await _read(story, step, entries)


async def _publish(story: Story, step: Step, entries: list[dict[str, Any]]) -> None:
    """Drafts, submits and publishes every entry; one that points to others waits until they are there."""
    editor = story.people[team.EDITOR]
    step.plan(len(entries))
    there: set[str] = set()

    async def publish(entry: dict[str, Any]) -> None:
        await editor.post("/catalogue/entries", entry)
        for action in ("submission", "publication"):
            await editor.post(f"/catalogue/entries/{entry['code']}/{action}")
        step.done()

    waiting = entries
    while waiting:
        ready = [entry for entry in waiting if {each["entry"] for each in entry.get("relations", ())} <= there]
        if not ready:
            raise Untrue(f"{waiting[0]['code']} in {OFFER.name} relates to an entry that is not there.")
        await asyncio.gather(*map(publish, ready))
        there |= {entry["code"] for entry in ready}
        waiting = [entry for entry in waiting if entry not in ready]


async def _read(story: Story, step: Step, entries: list[dict[str, Any]]) -> None:
    wanted = {entry["code"] for entry in entries}

    async def complete() -> set[str] | None:
        shown = {entry["code"] async for entry in story.door.pages("/catalogue/entries")}
        return shown if wanted <= shown else None

    shown = await until(complete, "Entries that were published are not in the catalogue.")
    tools = (await story.door.ask("GET", "/catalogue/entries", params={"kind": "tool"}))["items"]
    must(len(tools) == TOOLS, f"The catalogue has {len(tools)} tools instead of {TOOLS}.")
    found = (await story.door.ask("GET", "/catalogue/entries", params={"q": "formacao"}, language="pt"))["items"]
    language = {entry["title"]["language"] for entry in found}
    step.say(f"{len(shown)} entries are public, {len(tools)} of them tools, in the reader's language")
    step.say(f"A search for 'formacao' finds {len(found)} entries, told in {', '.join(sorted(language)) or 'nothing'}")
    story.figures.setdefault("services", {})["catalogue"] = {"entries": len(shown), "tools": len(tools)}
