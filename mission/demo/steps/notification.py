"""Step 6: every fact has reached the people whom it concerns, once, by mail and in the inbox, in their language."""

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from mission.demo.door import until
from mission.demo.errors import Untrue
from mission.demo.mails import doubles
from mission.demo.people import Person
from mission.demo.progress import Step
from mission.demo.steps import sessions
from mission.demo.story import Story

MAILED: Final = frozenset(
    {
        *("membership-approved", "booking-confirmed", "booking-waitlisted", "booking-moved-up", "booking-cancelled"),
        *("application-received", "application-refused"),
        *("application-selected", "application-reserve", "application-not-selected"),
        *("participation-accepted", "participation-declined"),
    }
)
"""Messages that come both by mail and in the inbox. Of an offer the mail is the one with the link that answers it."""

RESULTS: Final = ("application-selected", "application-reserve", "application-not-selected")
LIVE_SECONDS: Final = 15
MAIL_SECONDS: Final = 60


async def tell(story: Story, step: Step) -> None:
    """Follows one message live, then looks into everybody's inbox and mails."""
    step.doing("a city watches its inbox")
    await _watch(story, step)
    officers = [city.speaker for city in (*story.authorities, *story.mission_cities) if city.officer]
    step.plan(len(officers))
    step.doing("inboxes and mails are compared")
    inboxes = dict(zip(officers, await asyncio.gather(*(_inbox(story, step, each) for each in officers)), strict=True))
    told = Counter(entry["template"] for entries in inboxes.values() for entry in entries)
    foreign = [
        entry["id"] for each, entries in inboxes.items() for entry in entries if entry["language"] != each.locale
    ]
    story.claim(not foreign, "Every message is in its reader's language", f"{len(foreign)} are not")
    _results(story, inboxes)

    missing = Counter[str]()

    async def delivered() -> bool:
        missing.clear()
        for each, entries in inboxes.items():
            missing.update(_missing(story, each, entries))
        return not missing

    try:
        await until(delivered, "", seconds=MAIL_SECONDS, every=0.5)
    except Untrue:
        subject, count = missing.most_common(1)[0]
        raise Untrue(f"{missing.total()} messages did not come by mail, such as {subject!r} ({count}).") from None
    twice = doubles(story.mails.all)
    story.claim(not twice, "No mail came twice", f"{len(twice)} of {len(story.mails.all)} did")
    languages = Counter(mail.language or "?" for mail in story.mails.all)
    story.figures["mails"] = {"delivered": len(story.mails.all), **dict(sorted(languages.items()))}
    story.figures.setdefault("services", {})["notification"] = {
        "inbox entries": sum(told.values()),
        "mails": len(story.mails.all),
    }
    for language in ("en", "pt", "de"):
        step.say(f"{language}: {_sample(inboxes, language)}")
    step.say(f"{sum(told.values())} inbox entries of {len(told)} kinds, {len(story.mails.all)} mails, none twice")


async def _inbox(story: Story, step: Step, person: Person) -> list[dict[str, Any]]:
    """A person's whole inbox, in its own language."""
    pages = story.door.pages("/inbox", token=await person.fresh(), language=person.locale)
    entries = [entry async for entry in pages]
    step.done()
    return entries


def _results(story: Story, inboxes: dict[Person, list[dict[str, Any]]]) -> None:
    """Every applicant was told one result for each application, and every refusal was told."""
    results: Counter[str] = Counter()
    refused = 0
    for entries in inboxes.values():
        results.update(entry["params"]["application_id"] for entry in entries if entry["template"] in RESULTS)
        refused += sum(entry["template"] == "application-refused" for entry in entries)
    wrong = [id for id in story.applications if results[id] != 1]
    story.claim(
        not wrong and refused == story.refusals,
        "Every application's result, and every refusal, was told once",
        f"{len(results)} results, {refused} refusals",
    )


def _missing(story: Story, person: Person, entries: Sequence[dict[str, Any]]) -> Counter[str]:
    """Subjects of the inbox that have no mail yet."""
    wanted = Counter(
        entry["subject"]
        for entry in entries
        # What was booked as a guest was confirmed by the mail with the link to manage it.
        if entry["template"] in MAILED and entry["params"].get("session_id") != story.orientation
    )
    return wanted - Counter(mail.subject for mail in story.mails.to(person.mail))


def _sample(inboxes: dict[Person, list[dict[str, Any]]], language: str) -> str:
    """The text of a message about a booking, in one line."""
    for person, entries in inboxes.items():
        for entry in entries:
            if person.locale == language and entry["template"] in ("booking-confirmed", "booking-waitlisted"):
                return " ".join(entry["body"].split())[:230]
    return "nothing"


async def _watch(story: Story, step: Step) -> None:
    """A booking appears in an open inbox without reloading, as a server-sent event."""
    officer = story.authorities[0].speaker
    session = await sessions.schedule(story, "planning-lab", "planning-lab", 60, programme="online-planning-lab")
    headers = {"Authorization": f"Bearer {await officer.fresh()}", "Accept": "text/event-stream"}
    try:
        async with (
            asyncio.timeout(LIVE_SECONDS),
            story.door.session.get(f"{story.door.url}/api/v1/stream", headers=headers) as stream,
        ):
            booked = False
            async for line in stream.content:
                if not line.startswith(b"data:"):
                    continue
                if not booked:
                    # The stream is open: now something happens.
                    booked = True
                    await officer.post(f"/sessions/{session}/bookings", {"city_id": officer.city})
                elif (entry := json.loads(line[5:])).get("template") == "booking-confirmed":
                    step.say(f"Live, without reloading: {entry['subject']}")
                    return
    except TimeoutError:
        raise Untrue("A booking did not appear in an open inbox.") from None
