"""The topic registry: every topic, who owns it, what is on it, who reads what of it, and how long it is kept.

This is the one reviewable source: the local stack, the compose file and the production set-up make topics, users and
access rules from it, services subscribe by it, AsyncAPI is generated from it, and tests hold the rest against it.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from contracts import catalogue, cohort_selection, events_calendar, national_platforms, notification, registration
from contracts.envelope import Event
from contracts.topic import (
    MAX_DEAD_LETTER_BYTES,
    MAX_MESSAGE_BYTES,
    OPERATOR,
    PLATFORM_PRINCIPAL,
    SERVICES,
    STORING,
    Cleanup,
    Topic,
    dead_letters,
    replays,
)

__all__ = [
    "DOMAIN_TOPICS",
    "KEYS_TOPIC",
    "MAX_DEAD_LETTER_BYTES",
    "MAX_MESSAGE_BYTES",
    "OPERATOR",
    "PLATFORM_PRINCIPAL",
    "SERVICES",
    "SERVICE_TOPICS",
    "STORING",
    "TOPICS",
    "Cleanup",
    "Topic",
    "consumed_by",
    "consumer_groups",
    "dead_letters",
    "read_by",
    "replays",
    "topic",
    "topic_of",
    "written_by",
]

KEYS_TOPIC: Final = "registration.signing-keys"
"""What every process reads in full, so that it can verify tokens without asking."""

CITY_FACTS: Final = (
    registration.CityRegistered,
    registration.CityPublished,
    registration.CityProfileChanged,
    registration.CityCommitmentChanged,
    registration.CityStatusesChanged,
    registration.CityMerged,
)
MEMBERSHIP_FACTS: Final = (
    registration.MembershipInvited,
    registration.MembershipRequested,
    registration.MembershipApproved,
    registration.MembershipRefused,
    registration.MembershipSuspended,
    registration.MembershipEnded,
)
IDENTITY_ENDS: Final = (registration.PersonMerged, registration.PersonErased)
PARTICIPATION_FACTS: Final = (
    cohort_selection.ParticipationOffered,
    cohort_selection.ParticipationAccepted,
    cohort_selection.ParticipationDeclined,
    cohort_selection.ParticipationWithdrawn,
    cohort_selection.ParticipationReplaced,
    cohort_selection.ParticipationCompleted,
    cohort_selection.PlaceGranted,
    cohort_selection.PlaceReleased,
)
SESSION_FACTS: Final = (
    events_calendar.SessionScheduled,
    events_calendar.SessionChanged,
    events_calendar.SessionCancelled,
)
BOOKING_FACTS: Final = (
    events_calendar.BookingHeld,
    events_calendar.BookingConfirmed,
    events_calendar.BookingWaitlisted,
    events_calendar.BookingOffered,
    events_calendar.BookingCancelled,
    events_calendar.BookingAttended,
    events_calendar.BookingMissed,
    events_calendar.BookingReassigned,
)

ERASABLE: Final = {
    "max.compaction.lag.ms": str(24 * 3600 * 1000),
    "delete.retention.ms": str(7 * 24 * 3600 * 1000),
}
"""Compacted personal topics: what is erased is gone from the log after a day, and a reader has a week to see it."""

# In this order a consumer applies what it has read at once: a topic stands behind those that its events refer to.
DOMAIN_TOPICS: tuple[Topic, ...] = (
    Topic(
        name="registration.cities",
        owner="registration",
        description="Cities: declared, public, changed, merged, and their steps through onboarding. Key: city.",
        events=(*CITY_FACTS, registration.OnboardingStepCompleted),
        readers={
            "catalogue": (registration.CityMerged,),
            "cohort-selection": CITY_FACTS,
            "events-calendar": (
                registration.CityRegistered,
                registration.CityPublished,
                registration.CityProfileChanged,
                registration.CityStatusesChanged,
                registration.CityMerged,
            ),
            "notification": (
                registration.CityRegistered,
                registration.CityPublished,
                registration.CityProfileChanged,
                registration.CityMerged,
                registration.OnboardingStepCompleted,
            ),
        },
    ),
    Topic(
        name="registration.people",
        owner="registration",
        description="The only place for people's data, and for cities' shared mailboxes. Key: person or city.",
        events=(registration.PersonRecorded, registration.MailboxRecorded),
        readers={"notification": (registration.PersonRecorded, registration.MailboxRecorded)},
        cleanup=Cleanup.COMPACT,
        extra_config=ERASABLE,
        personal=True,
    ),
    Topic(
        name="registration.accounts",
        owner="registration",
        description="Accounts opened, verified, linked with guests, merged and erased; ids only. Key: person.",
        events=(
            registration.AccountOpened,
            registration.MailVerified,
            registration.GuestLinked,
            *IDENTITY_ENDS,
        ),
        readers={
            "catalogue": IDENTITY_ENDS,
            "cohort-selection": IDENTITY_ENDS,
            "events-calendar": (registration.GuestLinked, *IDENTITY_ENDS),
            "notification": (registration.AccountOpened, registration.GuestLinked, *IDENTITY_ENDS),
        },
    ),
    Topic(
        name="registration.memberships",
        owner="registration",
        description="Who speaks for which city. Key: membership.",
        events=MEMBERSHIP_FACTS,
        readers={
            # Reviewers' own cities are conflicts of interest, and only members can represent a city.
            "cohort-selection": (
                registration.MembershipApproved,
                registration.MembershipSuspended,
                registration.MembershipEnded,
            ),
            "notification": MEMBERSHIP_FACTS,
        },
    ),
    Topic(
        name="registration.grants",
        owner="registration",
        description="Roles given to people and taken back. Key: grant.",
        events=(registration.GrantGiven, registration.GrantRevoked),
        readers={"notification": (registration.GrantGiven, registration.GrantRevoked)},
    ),
    Topic(
        name="registration.countries",
        owner="registration",
        description="Countries with their status and since when. Key: country.",
        events=(registration.CountryRecorded,),
        readers={"cohort-selection": (registration.CountryRecorded,)},
    ),
    Topic(
        name=KEYS_TOPIC,
        owner="registration",
        description="Public keys of access tokens. Key: key id; a tombstone withdraws a key.",
        events=(registration.SigningKeyPublished,),
        readers=dict.fromkeys(SERVICES, (registration.SigningKeyPublished,)),
        partitions=1,
        cleanup=Cleanup.COMPACT,
    ),
    Topic(
        name="registration.links",
        owner="registration",
        description="One-time links to be mailed: secrets, kept for a day. Key: link.",
        events=(registration.LinkIssued,),
        readers={"notification": (registration.LinkIssued,)},
        writers=("cohort-selection", "events-calendar"),
        retention=timedelta(days=1),
        extra_config={"segment.ms": str(3600 * 1000)},
        personal=True,
    ),
    Topic(
        name="city.tasks",
        owner="registration",
        description="What a city has to do next, opened and closed by the service that knows. Key: task.",
        events=(registration.TaskOpened, registration.TaskClosed),
        readers={
            "registration": (registration.TaskOpened, registration.TaskClosed),
            "notification": (registration.TaskOpened, registration.TaskClosed),
        },
        writers=("cohort-selection", "events-calendar"),
    ),
    Topic(
        name="catalogue.entries",
        owner="catalogue",
        description="Catalogue entries from draft to withdrawal. Key: entry.",
        events=(
            catalogue.EntryDrafted,
            catalogue.EntrySubmitted,
            catalogue.EntryPublished,
            catalogue.EntryWithdrawn,
        ),
    ),
    Topic(
        name="selection.calls",
        owner="cohort-selection",
        description="Calls with the rules that they are decided by, their phases, and hosts' lists. Key: call or host.",
        events=(
            cohort_selection.CallPublished,
            cohort_selection.CallAmended,
            cohort_selection.CallPhaseChanged,
            cohort_selection.HostPreferencesRecorded,
        ),
        readers={
            "notification": (
                cohort_selection.CallPublished,
                cohort_selection.CallAmended,
                cohort_selection.CallPhaseChanged,
            )
        },
    ),
    Topic(
        name="selection.applications",
        owner="cohort-selection",
        description="Applications, refusals, scores and results; no free text. Key: application or review.",
        events=(
            cohort_selection.ApplicationSubmitted,
            cohort_selection.ApplicationRefused,
            cohort_selection.ApplicationWithdrawn,
            cohort_selection.ApplicationDecided,
            cohort_selection.ReviewRecorded,
        ),
        readers={
            "notification": (
                cohort_selection.ApplicationSubmitted,
                cohort_selection.ApplicationRefused,
                cohort_selection.ApplicationWithdrawn,
                cohort_selection.ApplicationDecided,
            )
        },
    ),
    Topic(
        name="selection.decisions",
        owner="cohort-selection",
        description="Decisions from computed to published or superseded. Key: decision.",
        events=(
            cohort_selection.DecisionComputed,
            cohort_selection.DecisionProposed,
            cohort_selection.DecisionApproved,
            cohort_selection.DecisionPublished,
            cohort_selection.DecisionSuperseded,
        ),
        readers={"notification": (cohort_selection.DecisionPublished,)},
    ),
    Topic(
        name="selection.participations",
        owner="cohort-selection",
        description="Places offered, accepted, declined and so on, and what may be booked by them. Key: participation.",
        events=PARTICIPATION_FACTS,
        readers={
            "events-calendar": (cohort_selection.PlaceGranted, cohort_selection.PlaceReleased),
            "notification": PARTICIPATION_FACTS,
        },
    ),
    Topic(
        name="calendar.events",
        owner="events-calendar",
        description="Public events of national platforms and our own. Key: event.",
        events=(
            events_calendar.EventPublished,
            events_calendar.EventCancelled,
            events_calendar.EventWithdrawn,
        ),
    ),
    Topic(
        name="calendar.sessions",
        owner="events-calendar",
        description="Our own sessions. Key: session.",
        events=SESSION_FACTS,
        readers={"notification": SESSION_FACTS},
    ),
    Topic(
        name="calendar.bookings",
        owner="events-calendar",
        description="Bookings of sessions by persons and guests. Key: booking.",
        events=BOOKING_FACTS,
        readers={
            "registration": (
                events_calendar.BookingConfirmed,
                events_calendar.BookingCancelled,
                events_calendar.BookingAttended,
                events_calendar.BookingMissed,
                events_calendar.BookingReassigned,
            ),
            "notification": BOOKING_FACTS,
        },
    ),
    Topic(
        name="calendar.guests",
        owner="events-calendar",
        description="People who book without an account. Key: guest; a tombstone erases.",
        events=(events_calendar.GuestRecorded,),
        readers={
            "registration": (events_calendar.GuestRecorded,),
            "notification": (events_calendar.GuestRecorded,),
        },
        cleanup=Cleanup.COMPACT,
        extra_config=ERASABLE,
        personal=True,
    ),
    Topic(
        name="notification.messages",
        owner="notification",
        description="What people are told and what became of it, without text and addresses. Key: message.",
        events=(notification.MessageCreated, notification.DeliveryStateChanged),
    ),
    Topic(
        name="national-platforms.directory",
        owner=OPERATOR,
        description="The national platforms that may send, maintained by operators. Key: platform.",
        events=(national_platforms.PlatformListed,),
        readers={
            "catalogue": (national_platforms.PlatformListed,),
            "events-calendar": (national_platforms.PlatformListed,),
        },
        partitions=1,
        cleanup=Cleanup.COMPACT,
        # Who was taken out of the directory must be known to whoever reads it from the beginning.
        extra_config={"delete.retention.ms": str(100 * 365 * 24 * 3600 * 1000)},
    ),
    Topic(
        name="national-platforms.{platform}.events",
        owner=PLATFORM_PRINCIPAL,
        description="What a national platform sends: outside data, judged by the calendar and answered with receipts.",
        events=tuple(national_platforms.PLATFORM_TYPES.values()),
        readers={"events-calendar": ()},
        partitions=1,
        retention=timedelta(days=90),
        # Attributes travel beside the data, and the broker counts a batch's overhead too.
        max_message_bytes=national_platforms.MAX_MESSAGE_BYTES + 8 * 1024,
        # The broker unpacks what a platform's client compressed, whichever of Kafka's codecs that was.
        extra_config={"message.timestamp.type": "LogAppendTime", "compression.type": "uncompressed"},
        personal=True,
    ),
    Topic(
        name="national-platforms.{platform}.receipts",
        owner="events-calendar",
        description="The answer to each message of a national platform. Key: the message's offset.",
        events=(national_platforms.ReceiptIssued,),
        readers={PLATFORM_PRINCIPAL: (national_platforms.ReceiptIssued,)},
        partitions=1,
        retention=timedelta(days=90),
    ),
)
"""Reserved and not made: ``national-platforms.{platform}.resources``, for services and publications."""

SERVICE_TOPICS: tuple[Topic, ...] = tuple(
    topic
    for service in STORING
    for topic in (
        Topic(
            name=dead_letters(service),
            owner=service,
            description=f"Records that {service} could not apply, with bytes, headers, reason and origin.",
            readers={OPERATOR: ()},
            partitions=1,
            retention=timedelta(days=30),
            max_message_bytes=MAX_DEAD_LETTER_BYTES,
        ),
        Topic(
            name=replays(service),
            owner=OPERATOR,
            description=f"What an operator decided about dead letters of {service}: to try again, or to give up.",
            readers={service: ()},
            partitions=1,
            retention=timedelta(days=30),
        ),
    )
)

TOPICS: tuple[Topic, ...] = (*DOMAIN_TOPICS, *SERVICE_TOPICS)


def topic_of(event: type[Event]) -> Topic:
    """The topic that carries an event type. Raises :class:`KeyError` for a type that no topic lists."""
    for topic in TOPICS:
        if event in topic.events:
            return topic
    raise KeyError(f"{event.__name__} ({event.type}) is on no topic: list it in contracts/registry.py")


def topic(name: str) -> Topic:
    """A topic by its name (templates by their template). Raises :class:`KeyError` for a name that is not listed."""
    for entry in TOPICS:
        if entry.name == name:
            return entry
    raise KeyError(f"{name} is not in contracts/registry.py")


def read_by(service: str) -> Iterator[Topic]:
    """The topics that a service reads."""
    return (topic for topic in TOPICS if service in topic.readers)


def consumed_by(service: str) -> list[Topic]:
    """What a service's consumer groups read: not the keys' topic, of which each process reads all, in no group."""
    return [topic for topic in read_by(service) if topic.name != KEYS_TOPIC]


def consumer_groups(service: str) -> dict[str, list[Topic]]:
    """A service's consumer groups: ``<service>.events`` reads its plain topics, ``<service>.platforms`` its templates.

    A group of its own looks for new topics often. A service without topics of a kind has no group for them.
    """
    groups: dict[str, list[Topic]] = {}
    for topic in consumed_by(service):
        groups.setdefault(f"{service}.{'platforms' if topic.template else 'events'}", []).append(topic)
    return groups


def written_by(principal: str) -> Iterator[Topic]:
    """The topics that a principal may write to."""
    return (topic for topic in TOPICS if principal == topic.owner or principal in topic.writers)
