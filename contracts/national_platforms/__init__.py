"""What national platforms send and what they are answered: the public interface of docs/national-platforms.md.

Here stands what can be judged by the message alone: its fields, their form and their limits. Whether an offset fits its
zone, whether an id was used before and whether the sender may say so is the calendar's to decide.
"""

from contracts.national_platforms.answers import (
    PlatformListed,
    PlatformState,
    Problem,
    ReceiptIssued,
    ReceiptStatus,
)
from contracts.national_platforms.events import (
    MAX_MESSAGE_BYTES,
    PLATFORM_TYPES,
    PlatformEvent,
    PlatformEventCancelled,
    PlatformEventPublished,
    PlatformEventWithdrawn,
    PlatformImage,
    PlatformLocation,
    PlatformOrganiser,
)
from contracts.national_platforms.reading import (
    Reading,
    read,
    shown,
)

__all__ = [
    "MAX_MESSAGE_BYTES",
    "PLATFORM_TYPES",
    "PlatformEvent",
    "PlatformEventCancelled",
    "PlatformEventPublished",
    "PlatformEventWithdrawn",
    "PlatformImage",
    "PlatformListed",
    "PlatformLocation",
    "PlatformOrganiser",
    "PlatformState",
    "Problem",
    "Reading",
    "ReceiptIssued",
    "ReceiptStatus",
    "read",
    "shown",
]
