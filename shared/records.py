"""Records as they lie on a topic, and how a service keeps one that it cannot deal with yet."""

from dataclasses import dataclass

from shared.store import Document


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a record came from when it was first read."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


class KeptRecord(Document):
    """A record kept whole: its origin, and key, value and headers as they came."""

    topic: str
    partition: int
    offset: int
    key: str
    value: bytes | None
    headers: list[tuple[str, bytes | None]]
    timestamp_ms: int

    @property
    def origin(self) -> Origin:
        """Where the record was first read."""
        return Origin(self.topic, self.partition, self.offset)
