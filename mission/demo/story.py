"""What the steps of the story share."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final, Self

from mission.demo.checks import Claim
from mission.demo.door import Door
from mission.demo.ground import Ground
from mission.demo.mails import Mails
from mission.demo.people import Person
from mission.demo.season import Season

SEED: Final = 20_190_625
"""The seed of everything that is drawn. The same seed tells the same story."""


@dataclass(eq=False)
class City:
    """A city as the story knows it; ``officer`` speaks for it."""

    id: str
    name: str
    country: str
    places: tuple[str, ...]
    inhabitants: int = 0
    officer: Person | None = None
    committed: bool = True
    twin: bool = False
    neutral_by: int = 0

    @classmethod
    def of(cls, shown: Mapping[str, Any], *, officer: Person | None = None, inhabitants: int = 0) -> Self:
        """The city as the platform shows it."""
        authority = shown["authority"]
        places = tuple(place["code"] for place in authority["places"])
        return cls(shown["id"], authority["name"], authority["country"], places, inhabitants, officer)

    @property
    def speaker(self) -> Person:
        """The officer of a city that has one."""
        assert self.officer is not None, f"nobody speaks for {self.name}"
        return self.officer


@dataclass
class Story:
    """What has happened so far.

    ``authorities`` are the mission-minded cities, the first is the one of onboarding, and ``orientation`` the session
    that it booked as a guest. ``malformed`` are topic and offset of each message that was meant to be rejected,
    ``call`` is the Twinning call, ``applications`` those that were taken, ``refusals`` how many were not; ``login`` is
    a mail address and its password.
    """

    ground: Ground
    door: Door
    mails: Mails
    people: dict[str, Person] = field(default_factory=dict)
    mission_cities: list[City] = field(default_factory=list)
    authorities: list[City] = field(default_factory=list)
    malformed: set[tuple[str, int]] = field(default_factory=set)
    orientation: str = ""
    call: str = ""
    applications: set[str] = field(default_factory=set)
    refusals: int = 0
    seasons: dict[str, Season] = field(default_factory=dict)
    claims: list[Claim] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)
    login: tuple[str, str] = ("", "")

    @staticmethod
    def draw(*what: object) -> Random:
        """The generator for one thing that is drawn; what happens meanwhile elsewhere does not change it."""
        return Random("/".join(map(str, (SEED, *what))))

    def claim(self, holds: bool, sentence: str, found: str = "") -> None:
        """Keeps something that was checked from the outside; the story fails at its end when one is false."""
        self.claims.append(Claim(sentence, holds, found))
