"""Step 3: ten national platforms publish a season of events, each with its own program and credentials."""

import asyncio
import json
import sys
import tempfile
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

from contracts.national_platforms import PlatformListed
from mission.demo import season
from mission.demo.checks import Claim
from mission.demo.cities import listed, listed_platforms, slug
from mission.demo.errors import Untrue, must
from mission.demo.ground import run
from mission.demo.progress import Step
from mission.demo.season import Answer, Platform, Season
from mission.demo.story import Story

PROGRAM: Final = Path(__file__).parent.parent / "platforms" / "publish.py"
CARELESS: Final = "LU"
INTRUDER: Final = "IT"
ABOUT: Final = {
    "ES": ("Europe/Madrid", ("es",)),
    "SE": ("Europe/Stockholm", ("sv",)),
    "RO": ("Europe/Bucharest", ("ro",)),
    "UA": ("Europe/Kyiv", ("uk",)),
    "AT": ("Europe/Vienna", ("de",)),
    "NL": ("Europe/Amsterdam", ("nl",)),
    "PT": ("Europe/Lisbon", ("pt",)),
    "FR": ("Europe/Paris", ("fr",)),
    "LU": ("Europe/Luxembourg", ("fr", "de")),
    "IT": ("Europe/Rome", ("it",)),
}
"""Zone and languages of each platform's events."""

CITIES_OF: Final = {"UA": ("Kyiv", "Lviv", "Kharkiv")}
"""Where a platform without Mission Cities meets."""


def known() -> list[Platform]:
    """The national platforms of the list, with what their seasons are made from."""
    cities = listed()
    return [
        Platform(
            id=f"{country.lower()}-{slug(name)}",
            name=name,
            kind=kind,
            country=country,
            zone=ABOUT[country][0],
            languages=ABOUT[country][1],
            cities=CITIES_OF.get(country) or tuple(city.name for city in cities if city.country == country),
        )
        for country, name, kind in listed_platforms()
    ]


async def tell(story: Story, step: Step) -> None:
    """Opens the platforms' doors, lets their programs write, and judges the receipts."""
    platforms = known()
    step.plan(len(platforms))
    today = datetime.now(UTC).date()
    step.doing("operators open the doors")
    entries = [entry(platform, today) for platform in platforms]
    configs = await asyncio.to_thread(story.ground.add_platforms, entries)
    for platform in platforms:
        careless = platform.country == CARELESS
        story.seasons[platform.id] = season.draw(platform, story.draw("season", platform.id), today, careless=careless)
    step.doing("their programs publish")
    with tempfile.TemporaryDirectory() as folder:

        async def publish(platform: Platform) -> dict[str, Any]:
            report = await _publish(story.seasons[platform.id], configs[platform.id], Path(folder), platforms[0].id)
            step.done()
            return report

        reports = await asyncio.gather(*map(publish, platforms))
    for report in reports:
        drawn = story.seasons[report["platform"]]
        judge(drawn, report)
        story.malformed |= {
            (f"national-platforms.{drawn.platform.id}.events", report["offsets"][str(number)])
            for number, sent in enumerate(drawn.sent)
            if sent.answer is Answer.REJECTED
        }
    _summarise(story, step, reports)


def entry(platform: Platform, today: date) -> PlatformListed:
    """The platform's entry in the operators' directory."""
    return PlatformListed(
        platform=platform.id,
        name=platform.name,
        kind=platform.kind,
        country=platform.country,
        sources=(platform.source,),
        since=today,
        website=f"https://{platform.id}.example/",
        languages=platform.languages,
    )


async def _publish(season: Season, config: Path, folder: Path, neighbour: str) -> dict[str, Any]:
    platform = season.platform
    agenda = folder / f"{platform.id}.json"
    agenda.write_text(json.dumps(season.agenda))
    command = [
        *(sys.executable, str(PROGRAM), "--config", str(config), "--platform", platform.id),
        *("--agenda", str(agenda)),
    ]
    if platform.country == INTRUDER:
        command += ["--intrude", neighbour]
    # Nothing of ours is on its path: it could not import us if it wanted to.
    outside = {"PYTHONPATH": "", "PYTHONSAFEPATH": "1"}
    report: dict[str, Any] = json.loads(await run(command, outside, cwd=folder))
    return report


def judge(season: Season, report: dict[str, Any]) -> None:
    """Holds the receipts against what the season must be answered. Raises :class:`Untrue` for the first difference."""
    name = season.platform.name
    must(not report["refused"], f"The broker refused messages of {name}: {report['refused']}.")
    answers = {receipt["offset"]: receipt for receipt in report["receipts"]}
    for number, sent in enumerate(season.sent):
        receipt = answers.get(report["offsets"][str(number)])
        if receipt is None:
            raise Untrue(f"{name} got no receipt for its message {number} ({sent.what}).")
        codes = [problem["code"] for problem in receipt["problems"]]
        if receipt["status"] != sent.answer or (sent.code and sent.code not in codes):
            wanted = f"{sent.answer}{f' ({sent.code})' if sent.code else ''}"
            raise Untrue(
                f"{name}'s message {number} ({sent.what}) was answered {receipt['status']} {codes}, not {wanted}."
            )


def _summarise(story: Story, step: Step, reports: list[dict[str, Any]]) -> None:
    receipts = [receipt for report in reports for receipt in report["receipts"]]
    statuses = Counter(receipt["status"] for receipt in receipts)
    reasons = Counter(problem["code"] for receipt in receipts for problem in receipt["problems"])
    intrusion = next(report["intrusion"] for report in reports if report["intrusion"] is not None)
    story.figures["platform_messages"] = {str(name): count for name, count in statuses.items()}
    story.figures["rejected"] = dict(reasons.most_common())
    accepted, unchanged, rejected = (statuses[name] for name in Answer)
    step.say(
        f"{len(reports)} platforms sent {len(receipts)} messages and read as many receipts:"
        f" {accepted} accepted, {unchanged} unchanged, {rejected} rejected"
    )
    step.say(f"Rejected because: {', '.join(f'{code} {count}' for code, count in reasons.most_common())}")
    story.claims.append(
        Claim("The broker refused a platform that wrote to another's topic", "AUTHORIZATION" in intrusion, intrusion)
    )
    step.say(f"One wrote to another's topic; the broker answered {intrusion}")
