"""People of the story: roles at example addresses, who sign up and in as anybody does."""

from collections.abc import Mapping
from typing import Any

from mission.demo.door import Door, Refused
from mission.demo.errors import must
from mission.demo.mails import Mails


class Person:
    """Somebody with a mail address. ``id`` and tokens are there once it has signed in."""

    def __init__(
        self,
        door: Door,
        mails: Mails,
        mail: str,
        names: tuple[str, str],
        *,
        locale: str = "en",
        zone: str = "Europe/Brussels",
    ) -> None:
        self._door = door
        self._mails = mails
        self.mail = mail
        self.names = names
        self.locale = locale
        self.zone = zone
        self.id = ""
        self.city = ""
        self._access: str | None = None
        self._refresh = ""

    @property
    def token(self) -> str | None:
        """The access token, None before signing in."""
        return self._access

    async def fresh(self) -> str:
        """An access token that will live for its whole time from now on."""
        await self.refresh()
        assert self._access is not None
        return self._access

    async def sign_up(self, password: str | None = None) -> None:
        """Opens an account; the address is verified by the link out of the delivered mail."""
        body = {
            "mail_address": self.mail,
            "given_name": self.names[0],
            "family_name": self.names[1],
            "locale": self.locale,
            "time_zone": self.zone,
        }
        await self.post("/auth/sign-up", body | ({"password": password} if password else {}))
        await self.press(await self._mails.link(self.mail, "/v1/links/"))

    async def sign_in(self) -> None:
        """Signs in by a mailed link."""
        await self.post("/auth/links", {"mail_address": self.mail})
        self._hold(await self.press(await self._mails.link(self.mail, "/v1/links/")))

    async def sign_in_by_password(self, password: str) -> None:
        """Signs in by password."""
        self._hold(await self.post("/auth/token", {"mail_address": self.mail, "password": password}))

    async def refresh(self) -> None:
        """Takes a new token, which knows the rights that were given meanwhile."""
        self._hold(await self.post("/auth/refresh", {"refresh_token": self._refresh}))

    async def open(self, link: str, purpose: str) -> None:
        """Opens a mailed link as a mail scanner does too: it shows what it is for and decides nothing."""
        shown = await self._door.ask("GET", link, language=self.locale)
        must(shown["purpose"] == purpose, f"A link for {purpose} says that it is for {shown['purpose']}.")

    async def press(self, link: str, choice: str | None = None) -> Any:
        """Presses the button behind a mailed link."""
        return await self._door.ask("POST", link, language=self.locale, params={"choice": choice} if choice else None)

    def _hold(self, session: Mapping[str, Any]) -> None:
        self.id, self._access, self._refresh = session["person_id"], session["access_token"], session["refresh_token"]

    async def ask(
        self, method: str, path: str, body: Any = None, params: Mapping[str, str | int] | None = None, **options: Any
    ) -> Any:
        """A request in the person's name; a token that has run out is renewed. Raises :class:`Refused`."""
        for again in (True, False):
            try:
                return await self._door.ask(
                    method, path, token=self._access, json=body, params=params, language=self.locale, **options
                )
            except Refused as refused:
                if not again or refused.code != "token-expired":
                    raise
                self._access = None
                await self.refresh()
        raise AssertionError

    async def get(self, path: str, **params: str | int) -> Any:
        """Reads something in the person's name."""
        return await self.ask("GET", path, params=params or None)

    async def post(self, path: str, body: Any = None, **options: Any) -> Any:
        """Does something in the person's name."""
        return await self.ask("POST", path, body, **options)

    async def put(self, path: str, body: Any = None, **options: Any) -> Any:
        """Replaces something in the person's name."""
        return await self.ask("PUT", path, body, **options)

    async def next_step(self) -> str:
        """The code of what the platform says the person does next."""
        return str((await self.get("/me/next-step"))["next"]["code"])
