"""The receipts that answer the messages, and the directory of those who may send."""

from datetime import date
from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from contracts.common import CalendarEventId, CountryCode, LanguageTag, PlatformId, WebAddress
from contracts.envelope import Event, Model, UtcDatetime
from contracts.national_platforms.events import ShortText


class Problem(Model):
    """Something wrong (or odd, as a warning) with a message. ``given`` is what was found, shortened."""

    code: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(?:[-_][a-z0-9]+)*$", max_length=80)]
    field: Annotated[str, StringConstraints(max_length=200)] | None = None
    message: Annotated[str, StringConstraints(max_length=1000)]
    given: Annotated[str, StringConstraints(max_length=200)] | None = None


class ReceiptStatus(StrEnum):
    """What became of a message: taken, nothing new in it, or not taken."""

    ACCEPTED = "accepted"
    UNCHANGED = "unchanged"
    REJECTED = "rejected"


class ReceiptIssued(Event, type="eu.mission.national-platform.receipt.issued.v1", aggregate="key"):
    """The answer to one message, at least once, keyed by the message's offset as decimal text."""

    topic: str
    partition: int
    offset: Annotated[int, Field(ge=0)]
    message_id: Annotated[str, StringConstraints(max_length=500)] | None = None
    status: ReceiptStatus
    event_id: CalendarEventId | None = None
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    received_at: UtcDatetime

    @property
    def key(self) -> str:
        """The record's key: the offset of the message that is answered."""
        return str(self.offset)


class PlatformState(StrEnum):
    """Whether what a platform sends is taken at present."""

    ACTIVE = "active"
    SUSPENDED = "suspended"


class PlatformListed(Event, type="eu.mission.national-platform.platform.listed.v1", aggregate="platform"):
    """A national platform as the directory has it now. ``sources`` are the CloudEvents sources that it may name."""

    platform: PlatformId
    name: ShortText
    kind: ShortText
    country: CountryCode
    sources: Annotated[tuple[Annotated[str, StringConstraints(min_length=1, max_length=500)], ...], Field(min_length=1)]
    since: date
    state: PlatformState = PlatformState.ACTIVE
    website: WebAddress | None = None
    languages: tuple[LanguageTag, ...] = ()
