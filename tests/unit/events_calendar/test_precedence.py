"""Whatever the order in which messages come, the same one says at last how an event stands."""

from datetime import UTC, datetime, timedelta
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from services.events_calendar.domain.precedence import Standing, weigh

NOW = datetime(2026, 2, 3, tzinfo=UTC)


def standing(sequence: int, minutes: int, offset: int) -> Standing:
    return Standing(sequence, NOW + timedelta(minutes=minutes), offset, f"{sequence} {minutes} {offset}")


standings = st.builds(standing, st.integers(0, 3), st.integers(0, 3), st.integers(0, 9))


def settled(arriving: tuple[Standing, ...]) -> Standing:
    known = arriving[0]
    for new in arriving[1:]:
        known = new if weigh(new, known) == "newer" else known
    return known


@given(st.lists(standings, min_size=1, max_size=4, unique=True))
def test_the_order_of_arrival_does_not_matter(messages: list[Standing]) -> None:
    assert len({settled(order) for order in permutations(messages)}) == 1


def test_sequence_then_time_then_place() -> None:
    known = standing(2, 5, 10)
    assert weigh(standing(3, 0, 0), known) == "newer"
    assert weigh(standing(1, 9, 99), known) == "stale"
    assert weigh(standing(2, 6, 0), known) == "newer"
    assert weigh(standing(2, 5, 11), known) == "newer"
    assert weigh(standing(2, 4, 99), known) == "stale"


def test_the_same_content_says_nothing_new_whenever_it_comes() -> None:
    known = standing(2, 5, 10)
    again = Standing(2, NOW + timedelta(days=1), 99, known.digest)
    assert weigh(again, known) == "same"
