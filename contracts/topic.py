"""What a topic is: its entry in the registry, the principals, the limits, and the names that follow a rule."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Final

from contracts.envelope import Event

SERVICES: Final = ("registration", "catalogue", "cohort-selection", "events-calendar", "notification", "gateway")
"""Deployable services by their principal's name; the Python package has underscores instead of hyphens."""

STORING: Final = tuple(service for service in SERVICES if service != "gateway")
"""Those that have a database, and so an outbox and an inbox."""

OPERATOR: Final = "operator"
"""Principal of the command line: it may administer, replay dead letters and maintain the platforms' directory."""

PLATFORM_PRINCIPAL: Final = "platform-{platform}"
"""Principal of a national platform, as a template."""

MAX_MESSAGE_BYTES: Final = 512 * 1024
"""Largest record on a domain topic; the same limit holds in the outbox, the producer and the broker."""

MAX_DEAD_LETTER_BYTES: Final = 1024 * 1024
"""Above the source's limit, so that a record of the largest size fits together with reason and origin."""


class Cleanup(StrEnum):
    """How the broker frees space: by age, or by keeping the latest value of each key."""

    DELETE = "delete"
    COMPACT = "compact"


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic, or a family of topics when the name holds ``{platform}``.

    ``readers`` maps a service to the event types that it reads; types that are not listed are skipped by that reader.
    A reader with an empty tuple takes the raw records (outside data). ``writers`` are principals; the owner is always
    one. ``retention`` None keeps everything. ``personal`` marks the topics that carry personal data.
    """

    name: str
    owner: str
    description: str
    events: tuple[type[Event], ...] = ()
    readers: Mapping[str, tuple[type[Event], ...]] = field(default_factory=dict)
    writers: tuple[str, ...] = ()
    partitions: int = 6
    cleanup: Cleanup = Cleanup.DELETE
    retention: timedelta | None = None
    max_message_bytes: int = MAX_MESSAGE_BYTES
    extra_config: Mapping[str, str] = field(default_factory=dict)
    personal: bool = False

    @property
    def template(self) -> bool:
        """Whether this entry stands for one topic per national platform."""
        return "{platform}" in self.name

    def for_platform(self, platform: str) -> str:
        """The concrete topic name for a national platform, such as ``se-viable-cities``."""
        return self.name.format(platform=platform)

    def config(self) -> dict[str, str]:
        """The broker's topic configuration, as strings."""
        retention = -1 if self.retention is None else int(self.retention.total_seconds() * 1000)
        return {
            "cleanup.policy": self.cleanup.value,
            "retention.ms": str(retention),
            "max.message.bytes": str(self.max_message_bytes),
            **self.extra_config,
        }


def dead_letters(service: str) -> str:
    """The topic where ``service`` keeps the records that it could not apply."""
    return f"{service}.dead-letters"


def replays(service: str) -> str:
    """The topic on which ``service``, and nobody else, hears what an operator decided about its dead letters."""
    return f"{service}.replays"
