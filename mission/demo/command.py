"""``mission demo``: an empty platform, the whole story on it, its summary, and what to look at afterwards."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Final

from rich.console import Console

from infra.local.errors import LocalError
from mission import containers, lifecycle, place
from mission.demo import stage, summary
from mission.demo.door import Door
from mission.demo.errors import Untrue
from mission.demo.ground import Containers, Ground, Local
from mission.demo.mails import Mails
from mission.demo.progress import Show, Step
from mission.demo.steps import calendar, catalogue, national_platforms, notification, outside, registration, selection
from mission.demo.story import Story

STEPS: Final[Mapping[str, Callable[[Story, Step], Awaitable[None]]]] = {
    "Catalogue: what the Mission offers": catalogue.tell,
    "Registration: cities, and who speaks for them": registration.tell,
    "National platforms: a season of events": national_platforms.tell,
    "Calendar: one for all, and a training that all want": calendar.tell,
    "Cohort selection: from a call to its cohort": selection.tell,
    "Notification: everybody told once, in their language": notification.tell,
    "Figures, and checks from the outside": outside.tell,
}


def demo(console: Console, started: Callable[[dict[str, int]], object]) -> None:
    """Plays the story on an empty platform. Raises :class:`LocalError` when something in it did not come true."""
    contained = place.in_containers()
    if contained:
        stage.clear_containers()
    elif aside := stage.clear():
        console.print(f"The data that was here is kept in {aside}.", soft_wrap=True)
    console.print("[bold]An empty platform starts[/]")
    try:
        seconds = stage.start(partial(containers.up, console) if contained else started)
        console.print(f"      [dim]{seconds:.1f} s[/]", highlight=False)
        ground: Ground = Containers() if contained else Local()
        login = play(console, ground, seconds)
    except KeyboardInterrupt:
        containers.down() if contained else lifecycle.stop()
        raise LocalError(
            f"The demo was interrupted and its platform stopped; `{place.typed('demo')}` plays it from the start."
        ) from None
    except Untrue as untrue:
        raise LocalError(
            f"{untrue} The platform is still up: `{place.typed('status')}` and `{place.typed('logs')}` show more,"
            f" `{place.typed('down')}` stops it."
        ) from None
    farewell(console, ground.url, login)


def play(console: Console, ground: Ground, ready_seconds: float) -> tuple[str, str]:
    """Tells the story on an empty platform that is ready, and shows what came of it; returns a login to try.

    Raises :class:`Untrue` when something in it did not come true.
    """
    story, report = asyncio.run(_tell(console, ground, ready_seconds))
    path = place.home() / "demo" / "report.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, ensure_ascii=False, indent=1))
    console.print(summary.shown(report))
    false = [f"{claim.sentence} ({claim.found})" for claim in story.claims if not claim.holds]
    if false:
        raise Untrue(f"Not true: {'; '.join(false)}.")
    console.print(f"Every claim was checked. The whole report: {path}", soft_wrap=True)
    return story.login


async def _tell(console: Console, ground: Ground, ready_seconds: float) -> tuple[Story, dict[str, Any]]:
    show = Show(console, len(STEPS))
    began = time.monotonic()
    async with Door(ground.url) as door, Mails(ground.mails()) as mails:
        story = Story(ground, door, mails)
        with show.bars:
            for name, tell in STEPS.items():
                with show.step(name) as step:
                    await tell(story, step)
    whole = time.monotonic() - began + ready_seconds
    seconds = {"Platform ready": round(ready_seconds, 1), **show.seconds, "Whole story": round(whole, 1)}
    return story, summary.report(story, seconds)


def farewell(console: Console, url: str, login: tuple[str, str]) -> None:
    """What to open, a login to try, and what to type next."""
    mail, password = login
    addresses = "".join(f"  {name:<19} {url}{path}\n" for name, path in outside.ADDRESSES.items())
    console.print(
        f"\n[bold]The platform is still up.[/]\n"
        f"{addresses}"
        f"  a login to try      {mail}  {password}\n"
        f"                      (POST {url}/api/v1/auth/token)\n"
        f"[bold]Next:[/]\n"
        f"  {place.typed('status'):<26} what runs, how large, how far behind\n"
        f"  {place.typed('logs'):<26} what the services say\n"
        f"  {place.typed('down'):<26} stop it",
        highlight=False,
        soft_wrap=True,
    )
