"""Who has a place at a session and who waits for one: the ledger of seats, and the states of a booking."""

from bisect import insort
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from pydantic import BaseModel, ConfigDict

from contracts.events_calendar import BookingState

S = BookingState

MOVES: Final[Mapping[BookingState, frozenset[BookingState]]] = {
    S.HELD: frozenset({S.CONFIRMED, S.WAITING, S.CANCELLED}),
    S.WAITING: frozenset({S.OFFERED, S.CONFIRMED, S.CANCELLED}),
    S.OFFERED: frozenset({S.CONFIRMED, S.CANCELLED}),
    S.CONFIRMED: frozenset({S.CANCELLED, S.ATTENDED, S.NO_SHOW}),
    S.ATTENDED: frozenset({S.NO_SHOW}),
    S.NO_SHOW: frozenset({S.ATTENDED}),
    S.CANCELLED: frozenset(),
}
"""From which state a booking may come to which; a mistake in the attendance list can be put right."""

OPEN_STATES: Final = frozenset({S.HELD, S.WAITING, S.OFFERED, S.CONFIRMED})
"""States in which a booking can still be given up."""


def may_move(old: BookingState, new: BookingState) -> bool:
    """Whether a booking may go from one state to another."""
    return new in MOVES[old]


class Waiting(BaseModel):
    """One who waits, since the arrival of the request."""

    model_config = ConfigDict(frozen=True)

    since: datetime
    booking: str

    def place(self) -> tuple[datetime, str]:
        """What the waiting list is ordered by."""
        return self.since, self.booking


class Seats(BaseModel):
    """A session's ledger: seats that are taken (held and offered ones included), and who waits, first come first.

    ``cities`` counts the open bookings of each city.
    """

    model_config = ConfigDict(frozen=True)

    taken: int = 0
    waiting: tuple[Waiting, ...] = ()
    cities: Mapping[str, int] = {}

    def free(self, capacity: int | None) -> bool:
        """Whether somebody new can have a seat: one is free and nobody waits for it."""
        return not self.waiting and self.vacant(capacity)

    def vacant(self, capacity: int | None) -> bool:
        """Whether a seat is not taken."""
        return capacity is None or self.taken < capacity

    def seated(self) -> "Seats":
        """One more seat is taken."""
        return self.model_copy(update={"taken": self.taken + 1})

    def released(self) -> "Seats":
        """One seat less is taken."""
        return self.model_copy(update={"taken": self.taken - 1})

    def queued(self, booking: str, since: datetime) -> "Seats":
        """One more waits, at the place that the arrival gives, which may be before others that were written earlier."""
        waiting = list(self.waiting)
        insort(waiting, Waiting(since=since, booking=booking), key=Waiting.place)
        return self.model_copy(update={"waiting": tuple(waiting)})

    def without(self, booking: str) -> "Seats":
        """One waits no more."""
        waiting = tuple(one for one in self.waiting if one.booking != booking)
        return self.model_copy(update={"waiting": waiting})

    def position(self, booking: str) -> int | None:
        """The place on the waiting list, from 1; None for one who does not wait."""
        return next((place for place, one in enumerate(self.waiting, 1) if one.booking == booking), None)

    def counted(self, city: str | None, change: int) -> "Seats":
        """A city has so many more open bookings."""
        if city is None:
            return self
        counts = dict(self.cities)
        counts[city] = counts.get(city, 0) + change
        return self.model_copy(update={"cities": {city: count for city, count in counts.items() if count > 0}})
