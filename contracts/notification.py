"""Events of notification: what people are told, and what became of it. No text and no address: ids and codes."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, JsonValue, StringConstraints, model_validator

from contracts.common import CityId, GuestId, MessageId, PersonId, PortalPath, Slug
from contracts.envelope import Event, Model, UtcDatetime


class MessageClass(StrEnum):
    """What a reader can mute: transactional messages never, the others by preference."""

    TRANSACTIONAL = "transactional"
    SERVICE = "service"
    DIGEST = "digest"
    NEWSLETTER = "newsletter"


class Recipient(Model):
    """Exactly one of a person, a guest, or a city's shared mailbox."""

    person_id: PersonId | None = None
    guest_id: GuestId | None = None
    mailbox_of: CityId | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if sum(value is not None for value in (self.person_id, self.guest_id, self.mailbox_of)) != 1:
            raise ValueError("a message has exactly one recipient")
        return self


class MessageCreated(Event, type="eu.mission.notification.message.created.v1", aggregate="message_id"):
    """Somebody is to be told something. Template and params make the text in the reader's language.

    ``params`` hold ids, codes, counts and moments, never personal data. Nothing is sent before ``not_before`` nor
    after ``expires_at``. The event that caused it is the envelope's ``causationid``.
    """

    message_id: MessageId
    recipient: Recipient
    city_id: CityId | None = None
    message_class: MessageClass
    topic: Slug
    template: Slug
    params: dict[Annotated[str, StringConstraints(max_length=80)], JsonValue] = Field(default_factory=dict)
    action_path: PortalPath | None = None
    not_before: UtcDatetime | None = None
    expires_at: UtcDatetime | None = None


class Channel(StrEnum):
    """How a message reaches its reader."""

    MAIL = "mail"
    PORTAL = "portal"


class DeliveryState(StrEnum):
    """What became of a message on one channel."""

    QUEUED = "queued"
    SENT = "sent"
    READ = "read"
    FAILED = "failed"
    BOUNCED = "bounced"
    SUPPRESSED = "suppressed"


class DeliveryStateChanged(Event, type="eu.mission.notification.delivery.state-changed.v1", aggregate="message_id"):
    """The delivery of a message on one channel came to a new state. ``reason`` is a code such as ``no-such-user``."""

    message_id: MessageId
    channel: Channel
    state: DeliveryState
    attempt: Annotated[int, Field(ge=0)] = 0
    reason: Slug | None = None
