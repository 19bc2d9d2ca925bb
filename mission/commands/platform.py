"""``mission platform``: the door for national platforms."""

from typing import Annotated, Any

import typer
from pydantic import ValidationError

from contracts.national_platforms import PlatformListed
from infra.local.errors import LocalError
from mission import clock, place, platforms
from mission.commands.common import console, ensure_running

app = typer.Typer(help="National platforms that may send their events.", no_args_is_help=True)


@app.command("add")
def add_platform(
    platform: Annotated[str, typer.Argument(help="Its id, country code first, as se-viable-cities.")],
    name: Annotated[str, typer.Option(help="Its name.")],
    source: Annotated[list[str], typer.Option(help="The CloudEvents sources that it may name.")],
    kind: Annotated[str, typer.Option(help="What it is.")] = "platform",
    since: Annotated[str | None, typer.Option(help="Since when, as 2024-01-31; today when left out.")] = None,
    website: Annotated[str | None, typer.Option(help="Its website.")] = None,
    language: Annotated[list[str] | None, typer.Option(help="The languages it writes in, BCP 47.")] = None,
) -> None:
    """Let a national platform send its events."""
    ensure_running()
    entry: dict[str, Any] = {
        "platform": platform,
        "name": name,
        "kind": kind,
        "country": platform[:2].upper(),
        "sources": source,
        "since": since or clock.now().date().isoformat(),
        "website": website,
        "languages": language or (),
    }
    try:
        listed = PlatformListed.model_validate(entry)
    except ValidationError as error:
        first = error.errors()[0]
        raise LocalError(f"{first['loc'][0]} {first['input']!r}: {first['msg']}.") from error
    (properties,) = platforms.add(place.operated(), listed)
    console.print(f"{name} can send. Its client configuration, with its password: {properties}", soft_wrap=True)
