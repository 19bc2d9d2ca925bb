"""Which authorities are one, where memberships go, and what comes next."""

from datetime import UTC, datetime, timedelta

import pytest

from contracts.registration import CityKind, OnboardingStep, Place
from services.registration.domain.authorities import claims
from services.registration.domain.memberships import OPEN, allowed
from services.registration.domain.onboarding import (
    ONBOARDING_CODES,
    Booking,
    Next,
    in_order,
    next_of_city,
    next_of_person,
    steps_of_bookings,
)

STEP = OnboardingStep


def place(code: str) -> Place:
    return Place(source="geonames", code=code, name="Somewhere", country="PT", latitude=0, longitude=0)


def claim(kind: CityKind, name: str, *codes: str) -> set[str]:
    return set(claims(kind, name, [place(code) for code in codes]))


def test_a_place_has_one_municipality_whatever_it_is_called() -> None:
    assert claim(CityKind.MUNICIPALITY, "A", "1") & claim(CityKind.MUNICIPALITY, "B", "1", "2")
    assert not claim(CityKind.MUNICIPALITY, "A", "1") & claim(CityKind.METROPOLITAN_AREA, "A", "1")
    assert not claim(CityKind.DISTRICT, "North", "1") & claim(CityKind.DISTRICT, "South", "1")
    assert claim(CityKind.ASSOCIATION, "Verein der Städte", "1") == claim(
        CityKind.ASSOCIATION, "verein der stadte", "2"
    )


def test_memberships_only_go_where_they_can() -> None:
    assert allowed("requested", "approved")
    assert allowed("suspended", "approved")
    assert not allowed("refused", "approved")
    assert not allowed("ended", "approved")
    assert not allowed("requested", "suspended")
    assert all(allowed(state, "ended") for state in OPEN)


def test_a_confirmed_orientation_completes_step_one_and_another_session_step_three() -> None:
    assert steps_of_bookings([Booking("orientation", "confirmed")]) == {STEP.ORIENTATION: "booking-confirmed"}
    assert steps_of_bookings([Booking("tool-training", "attended")]) == {STEP.EXPLORATION: "booking-attended"}
    assert steps_of_bookings([Booking("orientation", "cancelled"), Booking("orientation", "no-show")]) == {}


@pytest.mark.parametrize(
    ("done", "requested", "code"),
    [
        (set(), True, "book-orientation"),
        ({STEP.ORIENTATION}, True, "await-approval"),
        ({STEP.ORIENTATION}, False, "request-membership"),
        ({STEP.ORIENTATION, STEP.REGISTRATION}, False, "explore-offer"),
        (set(STEP), False, "find-next-offer"),
        ({STEP.REGISTRATION, STEP.EXPLORATION}, False, "book-orientation"),
    ],
)
def test_there_is_always_a_next_step(done: set[OnboardingStep], requested: bool, code: str) -> None:
    assert next_of_city("city", done, requested=requested).code == code


def test_who_has_no_city_is_led_to_one() -> None:
    codes = [
        next_of_person(signed_in=signed_in, oriented=oriented, has_city=has_city).code
        for signed_in, oriented, has_city in (
            (False, False, False),
            (False, True, False),
            (True, True, False),
            (True, True, True),
        )
    ]
    assert codes == ["book-orientation", "sign-up", "declare-city", "find-next-offer"]
    assert set(codes) <= ONBOARDING_CODES


def test_what_is_due_soonest_comes_first() -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    late, soon, open_end = Next("late", due_at=now + timedelta(2)), Next("soon", due_at=now), Next("open-end")
    onboarding = next_of_city("city", (), requested=False)
    assert in_order([late, open_end, soon], [onboarding]) == [soon, late, onboarding, open_end]
