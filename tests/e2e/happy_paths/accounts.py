"""Accounts, sessions, roles and people."""

import requests

from tests.e2e.happy_paths.world import PASSWORD, World
from tests.e2e.people import Person


def walk(world: World) -> None:
    """Everything that concerns accounts."""
    _sign_in_and_out(world)
    _oneself(world)
    _browser(world)
    _roles(world)
    _helpdesk(world)


def _sign_in_and_out(world: World) -> None:
    api, platform = world.api, world.platform
    person = Person(platform, "signs-in@people.example")
    api.do("POST /auth/sign-up", None, person.account(password=PASSWORD))
    token = world.link(person.mail, "/v1/links/")
    api.do("GET /links/{token}", token=token)
    api.do("POST /links/{token}", token=token)
    api.do("POST /auth/links", None, {"mail_address": person.mail})
    world.link(person.mail, "/v1/links/")
    session = api.do("POST /auth/token", None, {"mail_address": person.mail, "password": PASSWORD})
    session = api.do("POST /auth/refresh", None, {"refresh_token": session["refresh_token"]})
    api.do("POST /auth/sign-out", None, {"refresh_token": session["refresh_token"]})
    api.do("POST /auth/signing-keys", world.administrator, {})


def _oneself(world: World) -> None:
    api = world.api
    anybody = world.people["anybody"]
    api.do("GET /me", anybody)
    api.do("GET /me/next-step", anybody)
    api.do("GET /me/export", anybody)
    api.do("PATCH /me", anybody, {"given_name": "Somebody", "time_zone": "Europe/Lisbon"})
    person = world.somebody("looks-after-itself")
    api.do("PUT /me/password", person, {"present": PASSWORD, "new": f"{PASSWORD}, another"})
    api.do("DELETE /me", person)


def _browser(world: World) -> None:
    """A browser's session: in cookies, which the document's client does not keep, so they are handed on here."""
    api = world.api
    person = world.somebody("browses")
    browser, origin = requests.Session(), {"Origin": world.platform.url}

    def signed(csrf_token: str) -> dict[str, str]:
        cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in browser.cookies)
        return {**origin, "Cookie": cookies, "X-CSRF-Token": csrf_token}

    def opened(path: str, body: dict[str, str] | None, headers: dict[str, str]) -> dict[str, str]:
        answer = browser.post(f"{world.platform.api}{path}", json=body, headers=headers, timeout=60)
        return signed(answer.json()["csrf_token"])

    credentials = {"mail_address": person.mail, "password": PASSWORD}
    api.do("POST /session", None, credentials, headers=origin)
    api.do("POST /session/refresh", headers=opened("/session", credentials, origin))
    held = opened("/session", credentials, origin)
    api.do("GET /session", headers=held)
    api.do("DELETE /session", headers=held)
    person.post("/auth/links", {"mail_address": person.mail})
    api.do("POST /session/links/{token}", headers=origin, token=world.link(person.mail, "/v1/links/"))


def _roles(world: World) -> None:
    api, administrator = world.api, world.administrator
    body = {"person_id": world.people["anybody"].id, "role": "reviewer", "scope": {"kind": "call", "id": "a-call"}}
    grant = api.do("POST /grants", administrator, body)["id"]
    api.do("GET /grants", administrator, query={"role": "reviewer"})
    api.do("DELETE /grants/{grant}", administrator, grant=grant)


def _helpdesk(world: World) -> None:
    api, helpdesk = world.api, world.people["helpdesk"]
    twice, once, leaves = (world.somebody(name) for name in ("came-twice", "came-once", "wants-to-leave"))
    api.do("POST /people/search", helpdesk, {"mail_address": twice.mail})
    api.do("GET /people/{person}", helpdesk, person=twice.id)
    api.do("POST /people/{person}/merge", helpdesk, {"into": once.id}, person=twice.id)
    api.do("DELETE /people/{person}", helpdesk, person=leaves.id)
