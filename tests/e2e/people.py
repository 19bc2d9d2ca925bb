"""People at the platform's door, who sign up and in as anybody does. Roles at example addresses."""

import uuid
from collections.abc import Callable
from typing import Any, Final, Self

import httpx

from tests.e2e.running import Platform

CHANGING: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
PROBLEM: Final = "application/problem+json"


def refused(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The problem in an answer, which must have this status and code."""
    assert answer.status_code == status, f"{answer.status_code} instead of {status}: {answer.text}"
    assert answer.headers["content-type"] == PROBLEM
    problem: dict[str, Any] = answer.json()
    assert (problem["code"], problem["status"]) == (code, status), problem
    return problem


class Person:
    """Somebody with a mail address. ``token`` is there once it has signed in; without one it is a guest."""

    def __init__(
        self, platform: Platform, mail: str = "", *, locale: str = "en", zone: str = "Europe/Brussels"
    ) -> None:
        self._platform = platform
        self._http = platform.client()
        self.mail = mail
        self.locale = locale
        self.zone = zone
        self.id = ""
        self.token: str | None = None
        self.refresh_token = ""

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        """A request in the person's name; ``path`` is below ``/api/v1``, or a whole address.

        It has the headers that a portal sends; one that is given empty is left out.
        """
        given = options.pop("headers", {})
        answer = self._send(method, path, given, options)
        if answer.status_code == 401 and self.token:
            self.renew()
            answer = self._send(method, path, given, options)
        return answer

    def _send(self, method: str, path: str, given: dict[str, str], options: dict[str, Any]) -> httpx.Response:
        headers = {"Accept-Language": self.locale, "Accept": "application/json"}
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        if method in CHANGING:
            headers["Idempotency-Key"] = uuid.uuid4().hex
        url = path if path.startswith("http") else f"{self._platform.api}{path}"
        sent = {name: value for name, value in (headers | given).items() if value}
        return self._http.request(method, url, headers=sent, **options)

    def _must(self, method: str, path: str, **options: Any) -> Any:
        answer = self.ask(method, path, **options)
        assert answer.is_success, f"{method} {path} was answered {answer.status_code}: {answer.text}"
        return answer.json() if answer.content else None

    def get(self, path: str, **params: str | int) -> Any:
        """Reads something; it must succeed."""
        return self._must("GET", path, params=params or None)

    def post(self, path: str, body: Any = None, **options: Any) -> Any:
        """Does something; it must succeed."""
        return self._must("POST", path, json=body, **options)

    def put(self, path: str, body: Any) -> Any:
        """Replaces something; it must succeed."""
        return self._must("PUT", path, json=body)

    def account(self, **more: str) -> dict[str, str]:
        """What somebody says of itself to open an account."""
        return {
            "mail_address": self.mail,
            "given_name": "Climate",
            "family_name": "Officer",
            "locale": self.locale,
            "time_zone": self.zone,
            **more,
        }

    def sign_up(self, **more: str) -> Self:
        """Opens an account; the address is verified by the link out of the delivered mail."""
        self.post("/auth/sign-up", self.account(**more))
        self.post(self._platform.mails.link(self.mail, "/v1/links/"))
        return self

    def sign_in(self) -> Self:
        """Signs in by a mailed link."""
        self.post("/auth/links", {"mail_address": self.mail})
        return self.hold(self.post(self._platform.mails.link(self.mail, "/v1/links/")))

    def sign_in_by_password(self, password: str) -> Self:
        """Signs in by password."""
        return self.hold(self.post("/auth/token", {"mail_address": self.mail, "password": password}))

    def renew(self) -> Self:
        """Takes a new token, which knows the rights that were given meanwhile."""
        self.token = None
        return self.hold(self.post("/auth/refresh", {"refresh_token": self.refresh_token}))

    def hold(self, session: dict[str, Any]) -> Self:
        """Goes on with this session."""
        self.id, self.token, self.refresh_token = (
            session["person_id"],
            session["access_token"],
            session["refresh_token"],
        )
        return self

    def next_step(self) -> str:
        """The code of what the platform says the person does next."""
        return str(self.get("/me/next-step")["next"]["code"])


def given(administrator: Person, person: Person, role: str, *, kind: str = "mission", id: str | None = None) -> Person:
    """The person with a role, given through the public API."""
    scope = {"kind": kind, "id": id} if id else {"kind": kind}
    administrator.post("/grants", {"person_id": person.id, "role": role, "scope": scope})
    return person.renew()


Hire = Callable[..., Person]
"""Makes somebody with an account and a role: ``hire("helpdesk", kind="country", id="PT")``."""

Places = Callable[[str, str], str]
"""Finds the id of a place by its name and country."""

Officer = Callable[[str], tuple[Person, str]]
"""Makes somebody who speaks for the Portuguese city of this name, which is public; gives the city's id too."""
