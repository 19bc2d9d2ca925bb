"""Clears the stage: whatever platform is here gives way to an empty one, and nothing that is not the demo's is lost."""

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from infra.compose.stack import HOME, ComposeStack
from infra.local.errors import LocalError
from mission import lifecycle, place

SCALE: Final = {"events-calendar": 2}
"""The race for a training's places is run through two instances."""

KEPT: Final = frozenset({"cache", "demo"})
"""What stays where it is: downloads, and the reports of demonstrations."""

ASIDE: Final = "before-demo-"
MARK: Final = "run/demo"
"""Marks the platform's data as the demo's own; it goes with the data."""

EVERYBODY_AT_ONE_ADDRESS: Final = {"MISSION_ADDRESS_RATE": "0"}
"""In the story hundreds of people share this machine's address, so the gateway's limit per address is off; the one per
person holds."""


def clear() -> Path | None:
    """Stops and removes a former demo's platform; other data is moved aside, and the place is returned.

    Raises :class:`LocalError` when a platform that is not the demo's is running.
    """
    home = place.home()
    ours = (home / MARK).exists()
    if place.supervisor().process is not None and not ours:
        raise LocalError(
            "A platform that the demo did not start is running here; `make down` stops it, and `make demo` then starts"
            " an empty one beside its data."
        )
    aside = None
    if not ours and (home / "kafka").exists():
        lifecycle.stop()
        aside = home / f"{ASIDE}{datetime.now(UTC):%Y%m%d-%H%M%S}"
        aside.mkdir()
        for path in home.iterdir():
            if path.name not in KEPT and not path.name.startswith(ASIDE):
                path.rename(aside / path.name)
    lifecycle.clean()
    return aside


def clear_containers() -> None:
    """Stops and removes a former demo's platform in containers.

    Raises :class:`LocalError` for one that is not the demo's.
    """
    if (HOME / "secrets").exists() and not (HOME / MARK).exists():
        raise LocalError(
            "There is a platform in containers here that the demo did not make; `make clean STACK=compose` removes it"
            " with all its data."
        )
    ComposeStack().clean()


def start(started: Callable[[dict[str, int]], object]) -> float:
    """Starts the empty platform by the command line's own way, which shows its progress; returns the seconds."""
    began = time.monotonic()
    for name, value in EVERYBODY_AT_ONE_ADDRESS.items():
        os.environ.setdefault(name, value)
    mark = (HOME if place.in_containers() else place.home()) / MARK
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.touch()
    started(dict(SCALE))
    return time.monotonic() - began
