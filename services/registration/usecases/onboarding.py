"""Onboarding: which steps are done, by whatever order things become known in, and what comes next."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from contracts.events_calendar import BookingFact, BookingReassigned
from contracts.registration import OnboardingStep, OnboardingStepCompleted, TaskClosed, TaskOpened, TaskOutcome
from services.registration.domain import onboarding
from services.registration.domain.memberships import OPEN
from services.registration.domain.onboarding import Next
from services.registration.store import BOOKINGS, CITIES, MEMBERSHIPS, PEOPLE, TASKS, City, Person, StepDone
from services.registration.usecases import people
from shared.store import Reader, Store, Transaction


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the onboarding of a city or a person; ``at`` None: not done yet."""

    step: OnboardingStep
    at: datetime | None = None
    ground: str | None = None


@dataclass(frozen=True, slots=True)
class NextSteps:
    """Where somebody stands and everything to do next, the first thing first."""

    steps: tuple[Step, ...]
    next: tuple[Next, ...]


def ids_of(city: City) -> list[str]:
    """The city's id and those of the cities that were merged into it."""
    return [city.id, *city.absorbed]


async def complete(tx: Transaction, city: City, found: dict[OnboardingStep, str]) -> City:
    """Records steps that the city has completed and had not before."""
    fresh = {step: ground for step, ground in found.items() if step not in city.steps}
    if not fresh or city.merged_into is not None:
        return city
    done = {step: StepDone(at=tx.clock.now(), ground=ground) for step, ground in fresh.items()}
    changed = city.model_copy(update={"steps": {**city.steps, **done}})
    events = [OnboardingStepCompleted(city_id=city.id, step=step, ground=fresh[step]) for step in fresh]
    return await tx.save(CITIES, changed, *events)


async def advance(tx: Transaction, city_id: str) -> None:
    """Completes the steps that bookings of the city and of its people have done by now."""
    city = await present_city(tx, city_id)
    if city is None or {OnboardingStep.ORIENTATION, OnboardingStep.EXPLORATION} <= city.steps.keys():
        return
    members = await tx.find(MEMBERSHIPS, {"city_id": city.id, "state": "approved"})
    persons = await tx.find(PEOPLE, {"_id": {"$in": [member.person_id for member in members]}})
    bookings = await _bookings(tx, ids_of(city), persons)
    await complete(tx, city, onboarding.steps_of_bookings(bookings))


async def advance_cities_of(tx: Transaction, person_id: str) -> None:
    """The same for every city of a person."""
    for city_id in await people.cities_of(tx, person_id):
        await advance(tx, city_id)


async def present_city(reader: Reader, city_id: str) -> City | None:
    """The city with this id, or the one that it was merged into; None when there is none."""
    city = await reader.get(CITIES, city_id)
    if city is not None and city.merged_into is not None:
        return await present_city(reader, city.merged_into)
    return city


async def _bookings(reader: Reader, cities: list[str], persons: Iterable[Person]) -> list[onboarding.Booking]:
    holders = list(persons)
    anyones: list[dict[str, Any]] = [
        {"city_id": {"$in": cities}},
        {"person_id": {"$in": [person.id for person in holders]}, "city_id": None},
        {"guest_id": {"$in": [guest for person in holders for guest in person.guests]}},
    ]
    found = await reader.find(BOOKINGS, {"$or": anyones})
    return [onboarding.Booking(booking.session_kind, booking.state) for booking in found]


async def mark_explored(tx: Transaction, city: City) -> City:
    """The city used the offer."""
    return await complete(tx, city, {OnboardingStep.EXPLORATION: "offer-explored"})


def keep_booking(tx: Transaction, booking: BookingFact | BookingReassigned) -> None:
    """Keeps what the calendar told of a booking."""
    fields = {
        "session_kind": booking.session_kind,
        "state": str(booking.state),
        "person_id": booking.person_id,
        "guest_id": _guest(booking),
        "city_id": booking.city_id,
    }
    tx.project(BOOKINGS, booking.booking_id, fields)


def _guest(booking: BookingFact | BookingReassigned) -> str | None:
    return None if isinstance(booking, BookingReassigned) else booking.guest_id


async def on_booking(tx: Transaction, booking: BookingFact | BookingReassigned) -> None:
    """Completes the steps that bookings have done, with one more that the calendar told of."""
    if booking.city_id is not None:
        await advance(tx, booking.city_id)
        return
    # A membership or a link with a person that is made at this moment must not miss this booking, nor it them.
    guest = _guest(booking)
    await people.take_turns(tx, *filter(None, (booking.person_id, guest)))
    if booking.person_id is not None:
        await advance_cities_of(tx, booking.person_id)
    elif guest is not None:
        for person in await tx.find(PEOPLE, {"guests": guest}):
            await advance_cities_of(tx, person.id)


async def on_guest(tx: Transaction, guest_id: str, hash: str) -> None:
    """Somebody booked without an account, or changed the address."""
    person = await people.link_guest(tx, guest_id, hash)
    if person is not None:
        await advance_cities_of(tx, person.id)


def keep_task(tx: Transaction, task: TaskOpened | TaskClosed) -> None:
    """Keeps what a city has to do, or no longer, as another service told."""
    fields: dict[str, Any] = {"city_id": task.city_id, "action": task.action, "open": isinstance(task, TaskOpened)}
    if isinstance(task, TaskOpened):
        due = task.due.model_dump(mode="json") if task.due else None
        fields |= {"params": task.params, "path": task.path, "due": due, "due_at": task.due.utc if task.due else None}
    tx.project(TASKS, task.task_id, fields)


async def on_task_closed(tx: Transaction, task: TaskClosed) -> None:
    """A city has done something, or need not do it any more."""
    if task.outcome is TaskOutcome.DONE:
        city = await present_city(tx, task.city_id)
        if city is not None:
            # What a task asks for is done with the platform's offer: an application, a booking.
            await complete(tx, city, {OnboardingStep.EXPLORATION: "task-done"})


async def next_steps_of_city(store: Store, city: City) -> NextSteps:
    """Where a city stands, and what it does next."""
    tasks = await store.find(TASKS, {"city_id": {"$in": ids_of(city)}, "open": True})
    waiting = await store.count(MEMBERSHIPS, {"city_id": city.id, "state": "requested"}) > 0
    todo = [_task(task, city.id) for task in tasks]
    then = onboarding.next_of_city(city.id, city.steps, requested=waiting)
    return NextSteps(_steps(city), tuple(onboarding.in_order(todo, [then])))


def _task(task: Any, city_id: str) -> Next:
    return Next(task.action, task.params, task.path, task.due_at, task.due, city_id)


def _steps(city: City) -> tuple[Step, ...]:
    def one(step: OnboardingStep) -> Step:
        done = city.steps.get(step)
        return Step(step, done.at, done.ground) if done else Step(step)

    return tuple(one(step) for step in onboarding.STEPS)


async def next_steps_of_person(store: Store, person_id: str | None) -> NextSteps:
    """Where somebody stands: with its cities, with none yet, or without an account."""
    if person_id is None:
        first = onboarding.next_of_person(signed_in=False, oriented=False, has_city=False)
        return NextSteps(tuple(Step(step) for step in onboarding.STEPS), (first,))
    person = await people.present(store, person_id)
    memberships = await store.find(MEMBERSHIPS, {"person_id": person_id, "state": {"$in": list(OPEN)}})
    if not memberships:
        done = onboarding.steps_of_bookings(await _bookings(store, [], [person]))
        own = tuple(Step(step, None, done.get(step)) for step in onboarding.STEPS)
        oriented = OnboardingStep.ORIENTATION in done
        return NextSteps(own, (onboarding.next_of_person(signed_in=True, oriented=oriented, has_city=False),))
    tasks: list[Next] = []
    then: list[Next] = []
    steps: tuple[Step, ...] = ()
    for membership in memberships:
        city = await store.require(CITIES, membership.city_id)
        if membership.state == "approved":
            of_city = await next_steps_of_city(store, city)
            steps = steps or of_city.steps
            for each in of_city.next:
                (tasks if each.due_at or each.code not in onboarding.ONBOARDING_CODES else then).append(each)
        elif membership.state == "requested":
            done = onboarding.steps_of_bookings(await _bookings(store, ids_of(city), [person]))
            steps = steps or tuple(Step(step, None, done.get(step)) for step in onboarding.STEPS)
            then.append(onboarding.next_of_city(city.id, done, requested=True))
        elif membership.state == "invited":
            then.append(Next("accept-invitation", city_id=city.id))
    then = then or [onboarding.next_of_person(signed_in=True, oriented=True, has_city=True)]
    return NextSteps(steps or tuple(Step(step) for step in onboarding.STEPS), tuple(onboarding.in_order(tasks, then)))
