"""The three steps of the onboarding guide, and what comes next.

Step one, orientation, is done when a booking of an orientation session is confirmed: from then on the city has its
introduction and can go on; attending is what the calendar records. Step two, registration, is done when a membership
is approved. Step three, exploration, is done at the first use of the offer.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from contracts.registration import OnboardingStep

ORIENTATION_SESSION: Final = "orientation"
STEPS: Final = tuple(OnboardingStep)
ONBOARDING_CODES: Final = frozenset(
    {
        *("book-orientation", "await-approval", "request-membership", "explore-offer", "find-next-offer"),
        *("sign-up", "declare-city", "accept-invitation"),
    }
)
"""Codes of what onboarding itself asks for; any other comes from a task."""
NEVER: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Booking:
    """What a booking means for onboarding."""

    session_kind: str
    state: str


@dataclass(frozen=True, slots=True)
class Next:
    """Something to do: a stable code, what fills its sentence, where it is done in the portal, until when.

    ``due_at`` is the instant of ``due`` (a planned moment as it was published), for the order.
    """

    code: str
    params: Mapping[str, str | int] = field(default_factory=dict)
    path: str | None = None
    due_at: datetime | None = None
    due: object = None
    city_id: str | None = None


def steps_of_bookings(bookings: Iterable[Booking]) -> dict[OnboardingStep, str]:
    """Which steps bookings complete, and on what ground."""
    done: dict[OnboardingStep, str] = {}
    for booking in bookings:
        if booking.state not in {"confirmed", "attended"}:
            continue
        orientation = booking.session_kind == ORIENTATION_SESSION
        step = OnboardingStep.ORIENTATION if orientation else OnboardingStep.EXPLORATION
        done.setdefault(step, f"booking-{booking.state}")
    return done


def next_of_city(city_id: str, done: Iterable[OnboardingStep], *, requested: bool) -> Next:
    """What a city does next in its onboarding; after the third step it looks for what suits it in the offer.

    ``requested`` says that a membership waits for the helpdesk.
    """
    finished = set(done)
    if OnboardingStep.ORIENTATION not in finished:
        return Next("book-orientation", path="/calendar?kind=orientation", city_id=city_id)
    if OnboardingStep.REGISTRATION not in finished:
        code = "await-approval" if requested else "request-membership"
        return Next(code, path=f"/cities/{city_id}", city_id=city_id)
    if OnboardingStep.EXPLORATION not in finished:
        return Next("explore-offer", path="/catalogue", city_id=city_id)
    return Next("find-next-offer", path="/catalogue", city_id=city_id)


def next_of_person(*, signed_in: bool, oriented: bool, has_city: bool) -> Next:
    """What somebody without a city does next."""
    if not oriented:
        return Next("book-orientation", path="/calendar?kind=orientation")
    if not signed_in:
        return Next("sign-up", path="/sign-up")
    if not has_city:
        return Next("declare-city", path="/cities/new")
    return Next("find-next-offer", path="/catalogue")


def in_order(tasks: Iterable[Next], onboarding: Sequence[Next]) -> list[Next]:
    """Tasks with a due time first, the soonest before the others, then onboarding, then what has no due time."""
    waiting = list(tasks)
    due = sorted((task for task in waiting if task.due_at), key=lambda task: task.due_at or NEVER)
    return [*due, *onboarding, *(task for task in waiting if not task.due_at)]
