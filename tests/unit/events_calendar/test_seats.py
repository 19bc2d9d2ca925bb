"""Seats are never given twice, the waiting list keeps the order of arrival, and bookings go only where they may."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from contracts.events_calendar import BookingState
from services.events_calendar.domain.seats import MOVES, OPEN_STATES, Seats, may_move

NOW = datetime(2026, 2, 3, tzinfo=UTC)


@given(st.lists(st.integers(0, 1000), max_size=60, unique=True), st.integers(1, 20))
def test_claims_in_any_order_fill_the_seats_and_queue_by_arrival(arrivals: list[int], capacity: int) -> None:
    seats = Seats()
    waiting = []
    for arrival in arrivals:
        if seats.free(capacity):
            seats = seats.seated()
        else:
            seats = seats.queued(f"bkg_{arrival}", NOW + timedelta(seconds=arrival))
            waiting.append(arrival)
    assert seats.taken == min(capacity, len(arrivals))
    assert [one.booking for one in seats.waiting] == [f"bkg_{arrival}" for arrival in sorted(waiting)]
    for place, arrival in enumerate(sorted(waiting), 1):
        assert seats.position(f"bkg_{arrival}") == place


def test_a_vacant_seat_is_for_those_who_wait_not_for_a_newcomer() -> None:
    seats = Seats(taken=1).queued("bkg_1", NOW).released()
    assert seats.vacant(1)
    assert not seats.free(1)
    assert seats.without("bkg_1").free(1)


def test_without_a_capacity_everybody_has_a_seat() -> None:
    assert Seats(taken=10**6).free(None)


def test_cities_are_counted_and_forgotten_at_none() -> None:
    seats = Seats().counted("city_a", 1).counted("city_a", 1).counted("city_b", 1).counted("city_b", -1)
    assert seats.cities == {"city_a": 2}
    assert seats.counted(None, 1) is seats


def test_the_states_of_a_booking() -> None:
    assert set(MOVES) == set(BookingState)
    assert all(may_move(state, BookingState.CANCELLED) == (state in OPEN_STATES) for state in BookingState)
    assert not MOVES[BookingState.CANCELLED], "a cancelled booking stays cancelled"
    assert not may_move(BookingState.WAITING, BookingState.ATTENDED), "only who had a place can have come"
