"""Who takes part in the happy paths, and what they have made so far."""

from dataclasses import dataclass, field

from tests.e2e.api import Api
from tests.e2e.people import Hire, Officer, Person, Places
from tests.e2e.running import Platform

PASSWORD = "a long password of one's own"


@dataclass
class World:
    """The platform, what its document describes, and people with every role."""

    platform: Platform
    api: Api
    hire: Hire
    officer: Officer
    places: Places
    administrator: Person
    people: dict[str, Person] = field(default_factory=dict)
    """By role; ``member`` speaks for a city, ``anybody`` has an account and no role."""
    city: str = ""
    """The member's."""

    def somebody(self, name: str) -> Person:
        """A new person with an account, signed in."""
        return Person(self.platform, f"{name}@people.example").sign_up(password=PASSWORD).sign_in()

    def link(self, mail: str, path: str) -> str:
        """The token of the next link below ``path`` that is mailed to an address."""
        return self.platform.mails.link(mail, path).rpartition("/")[2]
