"""The one event that both sides send: a city's commitment, as registration publishes it."""

from datetime import UTC, date, datetime
from typing import Final
from uuid import uuid4

from contracts.envelope import Attributes, Event, event_id
from contracts.registration import CityCommitmentChanged, Commitment
from shared.ids import new_id

TOPIC: Final = "registration.cities"
DAY: Final = date(2026, 1, 15)


def event(city: str, number: int) -> CityCommitmentChanged:
    """What a write says; ``number`` tells writes apart."""
    evidence = f"Council decision {number} (illustrative)"
    return CityCommitmentChanged(
        city_id=city, commitment=Commitment(neutral_by=2035 + number % 15, committed_on=DAY, evidence=evidence)
    )


def number_of(event: Event | None) -> int:
    """The number that :func:`event` was given."""
    assert isinstance(event, CityCommitmentChanged)
    assert event.commitment is not None
    return int(event.commitment.evidence.split()[2])


def headers(city: str, version: int) -> list[tuple[str, bytes]]:
    """CloudEvents attributes as the outbox writes them."""
    id = str(event_id(city, version, 0))
    attributes = Attributes(
        id=id,
        source="/services/registration",
        type=CityCommitmentChanged.type,
        subject=city,
        time=datetime.now(UTC),
        aggregateversion=version,
        actor="registration",
        city=city,
        correlationid=id,
        traceparent=f"00-{uuid4().hex}-{uuid4().hex[:16]}-01",
    )
    return attributes.headers()


def cities(count: int) -> list[str]:
    """Ids of cities that nobody has used."""
    return [new_id("city") for _ in range(count)]
