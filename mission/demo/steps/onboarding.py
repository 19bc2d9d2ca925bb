"""One mission-minded city on its way: orientation, registration, exploration, and what the platform says comes next."""

from typing import Final

from mission.demo.cities import ILLUSTRATIVE, Town
from mission.demo.door import Refused, until
from mission.demo.errors import Untrue, must
from mission.demo.people import Person
from mission.demo.progress import Step
from mission.demo.steps import sessions, team
from mission.demo.story import City, Story

NAME: Final = "Vila Nova de Famalicão"
TYPED: Final = ("vila nova de famalicao", "Famalicao")
"""The place as people type it: without accents, and by its other name."""

INHABITANTS: Final = 133_534
"""Of the municipality. The place of its name has not a tenth of them: a place is not an authority."""

STEPS: Final = 12


async def tell(story: Story, step: Step) -> None:
    """Follows the city through the three steps; at every point the next step is asked for and must be right."""
    from mission.demo.steps import registration

    step.plan(STEPS)
    await _expect(story, None, "book-orientation")
    first, _ = await sessions.orientation(story)
    story.orientation = first
    officer = Person(
        story.door,
        story.mails,
        "climate-office.vila-nova-de-famalicao.pt@city.example",
        ("Climate", "Officer"),
        locale="pt",
        zone="Europe/Lisbon",
    )
    await _book_as_guest(story, officer, first)
    step.done()

    await officer.post("/auth/sign-up", _account(officer, password := team.new_password()))
    link = await story.mails.link(officer.mail, "/v1/links/")
    await officer.open(link, "verify-mail")
    await officer.press(link)
    await officer.sign_in_by_password(password)
    story.login = (officer.mail, password)
    step.done()
    await _expect(story, officer, "declare-city")

    codes = {name: [place["id"] for place in await registration.places(story, name, "PT")] for name in TYPED}
    place = (await registration.places(story, TYPED[0], "PT"))[0]
    must(place["name"] == NAME, f"{TYPED[0]!r} finds {place['name']} first.")
    must(all(place["id"] in found for found in codes.values()), f"{TYPED[1]!r} does not find {NAME}.")
    town = Town(place["id"], NAME, "PT", INHABITANTS, "Europe/Lisbon", 0, 0)
    step.done()

    mailbox = {"mail_address": "geral.famalicao@city.example", "locale": "pt"}
    declared = await registration.declare(story, officer, town, mailbox=mailbox)
    city = City.of(declared["city"], officer=officer, inhabitants=INHABITANTS)
    await officer.press(await story.mails.link(mailbox["mail_address"], "/v1/links/"))
    await _expect(story, officer, "await-approval")
    await _must_be_hidden(story, city)
    step.done()

    await registration.approve(team.agent_for(story, "PT"), declared["membership"]["id"])
    await officer.refresh()
    shown = await story.door.ask("GET", f"/cities/{city.id}")
    must(shown["mailbox"] is None, "A city's mailbox is shown to everybody.")
    await _expect(story, officer, "explore-offer")
    step.done()
    await _booking_is_its_own(story, officer, first)
    step.done()

    await _invite(story, officer, city)
    step.done()
    await officer.post(f"/cities/{city.id}/onboarding/exploration")
    await _expect(story, officer, "find-next-offer")
    done = {each["step"]: each["done"] for each in (await officer.get(f"/cities/{city.id}/next-steps"))["steps"]}
    must(all(done.values()) and len(done) == 3, f"After all three steps the platform shows {done}.")
    step.done(STEPS - 8)
    officer.city = city.id
    story.people[officer.mail] = officer
    story.authorities.append(city)
    step.say(f"{NAME} typed 'vila nova de famalicao', and came from a guest's booking to its own place in three steps")
    step.say("Nothing of it was visible before the helpdesk approved; the next step was right at every point")


def _account(officer: Person, password: str) -> dict[str, str]:
    return {
        "mail_address": officer.mail,
        "given_name": officer.names[0],
        "family_name": officer.names[1],
        "locale": officer.locale,
        "time_zone": officer.zone,
        "password": password,
    }


async def _expect(story: Story, person: Person | None, code: str) -> None:
    """The platform comes to say that this is the next step: what it rests on may still be on its way."""

    async def said() -> bool:
        answer = await story.door.ask("GET", "/me/next-step", token=person.token if person else None)
        return bool(answer["next"]["code"] == code)

    await until(said, f"The platform does not say that the next step is {code}.", seconds=15)


async def _book_as_guest(story: Story, officer: Person, session: str) -> None:
    guest = {
        "mail_address": officer.mail,
        "organisation": f"{NAME} ({ILLUSTRATIVE})",
        "locale": officer.locale,
        "time_zone": officer.zone,
    }
    await story.door.ask("POST", f"/sessions/{session}/guest-bookings", json=guest)
    link = await story.mails.link(officer.mail, "/v1/bookings/links/")
    await story.door.ask("GET", link)
    taken = (await story.door.ask("GET", f"/sessions/{session}"))["seats"]["taken"]
    must(taken == 1, f"After a guest's booking {taken} seats are taken instead of 1.")
    await officer.press(link)


async def _must_be_hidden(story: Story, city: City) -> None:
    try:
        await story.door.ask("GET", f"/cities/{city.id}")
    except Refused as refused:
        must(refused.status == 404, f"A city that is not approved answers {refused.status} instead of 404.")
    else:
        raise Untrue("A city is visible before its first membership is approved.")
    listed = (await story.door.ask("GET", "/cities", params={"q": "vila nova de famalicao"}))["items"]
    must(not listed, "A city is in the list before its first membership is approved.")


async def _booking_is_its_own(story: Story, officer: Person, session: str) -> None:
    async def there() -> bool:
        bookings = (await officer.get("/bookings"))["items"]
        return any(each["session_id"] == session and each["state"] == "confirmed" for each in bookings)

    await until(there, "The guest's booking did not become the person's own.", seconds=15)


async def _invite(story: Story, officer: Person, city: City) -> None:
    colleague = Person(
        story.door,
        story.mails,
        "mobility-office.vila-nova-de-famalicao.pt@city.example",
        ("Mobility", "Officer"),
        locale="pt",
        zone="Europe/Lisbon",
    )
    await officer.post(f"/cities/{city.id}/invitations", {"mail_address": colleague.mail, "locale": "pt"})
    await colleague.press(await story.mails.link(colleague.mail, "/v1/links/"), "accept")
    await colleague.sign_in()
    members = [each["membership"]["state"] for each in await colleague.get(f"/cities/{city.id}/members")]
    must(members == ["approved", "approved"], f"After the invitation the members are {members}.")
    story.people[colleague.mail] = colleague
