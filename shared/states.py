"""How far each aggregate's events are applied, and the records that wait."""

from typing import Any

from pymongo import ASCENDING, IndexModel

from shared.records import KeptRecord
from shared.store import Collection, Document


class State(Document):
    """How far the events of one aggregate on one topic are applied, and whether later ones must wait."""

    ordinal: int = -1
    waiting: int = 0
    blocked_by: str | None = None

    @property
    def held(self) -> bool:
        """Whether later events of the aggregate have to be parked: behind a dead letter, or behind parked ones."""
        return self.blocked_by is not None or self.waiting > 0

    @property
    def reached(self) -> tuple[int, int]:
        """Version and ordinal up to which the aggregate's events are dealt with."""
        return self.version, self.ordinal

    def change(self) -> dict[str, Any]:
        """The update that stores this, with the database's own time under ``at``."""
        return {"$set": self.model_dump(exclude={"id"}), "$currentDate": {"at": True}}

    def reach(self, place: tuple[int, int]) -> None:
        """Takes note that the aggregate's events are dealt with up to this version and ordinal."""
        self.version, self.ordinal = max(self.reached, place)


class States(dict[str, State]):
    """States by their ids; of what nothing is known yet, a new one is made when it is asked for."""

    def __missing__(self, id: str) -> State:
        state = self[id] = State(id=id)
        return state


class Parked(KeptRecord):
    """A record that waits: for ``waiting_for`` (an aggregate's id), or behind another one of its aggregate."""

    state: str
    waiting_for: str | None = None


STATES = Collection("inbox", State)
WAITING = Collection(
    "parked",
    Parked,
    indexes=[IndexModel([("state", ASCENDING), ("_id", ASCENDING)]), IndexModel([("waiting_for", ASCENDING)])],
)
