"""The three steps, from whatever side and in whatever order their facts arrive."""

from datetime import UTC, datetime, timedelta

import pytest

from contracts.common import PlannedMoment
from contracts.events_calendar import BookingAttended, BookingConfirmed, BookingReassigned, BookingState, GuestRecorded
from contracts.registration import GuestLinked, PersonMerged, TaskClosed, TaskOpened, TaskOutcome
from shared.ids import new_id
from shared.outbox import Tombstone
from shared.testing import eventually
from tests.service.registration.conftest import Person, Platform, address

pytestmark = pytest.mark.asyncio(loop_scope="package")


def guest(mail: str) -> GuestRecorded:
    """Somebody who books without an account."""
    return GuestRecorded(guest_id=new_id("gst"), mail_address=mail, locale="en", time_zone="Europe/Lisbon")


def booking(kind: str = "orientation", **holder: str) -> BookingConfirmed:
    """A confirmed booking of a session of this kind."""
    return BookingConfirmed(booking_id=new_id("bkg"), session_id=new_id("ses"), session_kind=kind, **holder)


async def steps_done(platform: Platform, path: str, person: Person) -> set[str]:
    """The steps that are done, as the platform tells them."""
    found = (await platform.client.get(path, headers=person.headers)).json()
    return {each["step"] for each in found["steps"] if each["done"]}


async def linked(platform: Platform, person: str, guest_id: str) -> bool:
    """Whether the fact that a guest is this person is published."""
    facts = await platform.topics.read("registration.accounts", subject=person)
    return any(isinstance(fact.event, GuestLinked) and fact.event.guest_id == guest_id for fact in facts)


async def test_the_booking_of_a_guest_becomes_step_one_of_its_city(directory: Platform) -> None:
    platform = directory
    mail = address()
    somebody = guest(mail.upper())
    await platform.topics.publish(somebody, booking(guest_id=somebody.guest_id))
    person = await platform.person(mail)
    await eventually(lambda: linked(platform, person.id, somebody.guest_id), "the guest is linked")

    async def oriented() -> bool:
        return await steps_done(platform, "/me/next-step", person) == {"orientation"}

    await eventually(oriented, "the person's first step is done")
    declared = (await platform.declare(person, await platform.place("Tavira"))).json()
    city = declared["city"]["id"]
    answer = (await platform.client.get("/me/next-step", headers=person.headers)).json()
    assert answer["next"]["code"] == "await-approval"
    await platform.approve(declared["membership"]["id"])
    path = f"/cities/{city}/next-steps"
    assert await steps_done(platform, path, person) == {"orientation", "registration"}
    assert (await platform.client.get(path, headers=person.headers)).json()["next"]["code"] == "explore-offer"
    explored = await platform.client.post(f"/cities/{city}/onboarding/exploration", headers=person.headers)
    assert all(step["done"] for step in explored.json()["steps"])
    assert explored.json()["next"]["code"] == "find-next-offer"


async def test_a_guest_that_comes_after_the_person_is_linked_too(platform: Platform) -> None:
    person = await platform.person()
    somebody = guest(person.mail)
    await platform.topics.publish(somebody)
    await eventually(lambda: linked(platform, person.id, somebody.guest_id), "the guest is linked")


async def test_an_erased_guest_is_not_linked(platform: Platform) -> None:
    mail = address()
    somebody, later = guest(mail), guest(address())
    await platform.topics.publish(somebody)
    await platform.topics.publish(Tombstone(GuestRecorded), subject=somebody.guest_id)
    other = await platform.person(later.mail_address)
    await platform.topics.publish(later)
    await eventually(lambda: linked(platform, other.id, later.guest_id), "what came later was seen")

    async def gone() -> bool:
        person = await platform.person(mail)
        return not await linked(platform, person.id, somebody.guest_id)

    assert await gone()


async def test_bookings_of_members_and_cities_count(directory: Platform) -> None:
    platform = directory
    person, city = await platform.member(await platform.place("Silves", "PT"))
    path = f"/cities/{city}/next-steps"

    async def done(*wanted: str) -> bool:
        return await steps_done(platform, path, person) == {"registration", *wanted}

    mine = booking(person_id=person.id)
    await platform.topics.publish(mine)
    await eventually(lambda: done("orientation"), "a member's booking completes orientation")
    await platform.topics.publish(booking("tool-training", person_id=person.id, city_id=city))
    await eventually(lambda: done("orientation", "exploration"), "a training completes exploration")


async def test_a_booking_that_changes_hands_counts_for_the_new_holder(directory: Platform) -> None:
    platform = directory
    person, city = await platform.member(await platform.place("Lagos", "PT"))
    first = booking(guest_id=new_id("gst"))
    moved = BookingReassigned(
        booking_id=first.booking_id,
        session_id=first.session_id,
        session_kind="orientation",
        state=BookingState.CONFIRMED,
        guest_id=first.guest_id,
        person_id=person.id,
        city_id=city,
    )
    attended = BookingAttended(
        booking_id=first.booking_id, session_id=first.session_id, session_kind="orientation", person_id=person.id
    )
    await platform.topics.publish(first, moved, attended)

    async def oriented() -> bool:
        return "orientation" in await steps_done(platform, f"/cities/{city}/next-steps", person)

    await eventually(oriented, "the booking counts for its holder's city")


async def test_tasks_with_the_nearest_due_time_come_first(directory: Platform) -> None:
    platform = directory
    person, city = await platform.member(await platform.place("Loulé"))
    soon = datetime.now(UTC).replace(tzinfo=None, microsecond=0) + timedelta(days=3)

    def task(action: str, days: int | None) -> TaskOpened:
        due = PlannedMoment.of(soon + timedelta(days=days), "Europe/Lisbon") if days is not None else None
        return TaskOpened(task_id=new_id("tsk"), city_id=city, action=action, params={"n": 1}, path="/x", due=due)

    tasks = [task("later", 9), task("sooner", 1), task("whenever", None)]
    await platform.topics.publish(*tasks)

    async def codes(path: str) -> list[str]:
        found = (await platform.client.get(path, headers=person.headers)).json()
        return [found["next"]["code"], *(each["code"] for each in found["then"])]

    wanted = ["sooner", "later", "book-orientation", "whenever"]
    for path in (f"/cities/{city}/next-steps", "/me/next-step"):

        async def in_order(path: str = path) -> bool:
            return await codes(path) == wanted

        await eventually(in_order, f"the order of {path}")
    first = (await platform.client.get("/me/next-step", headers=person.headers)).json()["next"]
    assert (first["due"]["zone"], first["params"], first["city_id"]) == ("Europe/Lisbon", {"n": 1}, city)

    closed = TaskClosed(task_id=tasks[1].task_id, city_id=city, action="sooner", outcome=TaskOutcome.DONE)
    await platform.topics.publish(closed)

    async def gone() -> bool:
        return (await codes("/me/next-step"))[0] == "later"

    await eventually(gone, "a task that was done is gone")
    # What tasks ask for is done with the offer.
    assert "exploration" in await steps_done(platform, f"/cities/{city}/next-steps", person)


async def test_somebody_without_account_is_told_where_to_begin(platform: Platform) -> None:
    answer = (await platform.client.get("/me/next-step")).json()
    assert answer["next"]["code"] == "book-orientation"
    assert [step["done"] for step in answer["steps"]] == [False, False, False]


async def test_two_accounts_of_one_person_are_merged(directory: Platform) -> None:
    platform = directory
    old, city = await platform.member(await platform.place("Portimão"))
    new = await platform.person()
    path = f"/people/{old.id}/merge"
    assert (await platform.client.post(path, json={"into": new.id}, headers=new.headers)).status_code == 403
    merged = await platform.client.post(path, json={"into": new.id}, headers=platform.operator.headers)
    assert merged.status_code == 200, merged.text
    mine = (await platform.client.get("/me", headers=new.headers)).json()["memberships"]
    assert [(each["city_id"], each["state"]) for each in mine] == [(city, "approved")]
    ended = await platform.client.post("/auth/refresh", json={"refresh_token": old.refresh_token})
    assert ended.status_code == 401

    async def told() -> bool:
        facts = await platform.topics.read("registration.accounts", subject=old.id)
        return isinstance(facts[-1].event, PersonMerged)

    await eventually(told, "the merge is published")
