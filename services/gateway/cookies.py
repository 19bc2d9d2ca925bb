"""A browser's session: tokens in cookies that no script can read."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel
from starlette.responses import Response

from services.gateway.headers import Header
from services.gateway.routes import PREFIX

SESSION_PATH: Final = f"{PREFIX}/session"
LASTING_SECONDS: Final = 30 * 24 * 3600
"""How long a browser that is not used keeps its session; registration may end it sooner."""


class Tokens(BaseModel):
    """What registration answers to a sign-in. ``expires_in``: seconds that the access token is good for."""

    person_id: str
    access_token: str
    expires_in: int
    refresh_token: str


@dataclass(frozen=True, slots=True)
class Cookies:
    """The session's cookies.

    Over https their names carry ``__Host-`` or ``__Secure-`` (RFC 6265bis, section 4.1.3), which a browser accepts
    from nobody but this host over https. The access token goes with requests from our pages and with links that lead
    here (``SameSite=Lax``), the refresh token only with our own pages' requests to the session itself.
    """

    https: bool

    @property
    def access(self) -> str:
        """The name of the access token's cookie."""
        return "__Host-mission-access" if self.https else "mission-access"

    @property
    def refresh(self) -> str:
        """The name of the refresh token's cookie."""
        return "__Secure-mission-refresh" if self.https else "mission-refresh"

    @property
    def csrf(self) -> str:
        """The name of the CSRF token's cookie, the only one that our pages' scripts read."""
        return "__Host-mission-csrf" if self.https else "mission-csrf"

    def begin(self, response: Response, tokens: Tokens, csrf_token: str) -> None:
        """Sets all three."""
        response.set_cookie(
            self.access, tokens.access_token, tokens.expires_in, httponly=True, secure=self.https, samesite="lax"
        )
        response.set_cookie(
            self.refresh,
            tokens.refresh_token,
            LASTING_SECONDS,
            path=SESSION_PATH,
            httponly=True,
            secure=self.https,
            samesite="strict",
        )
        response.set_cookie(self.csrf, csrf_token, LASTING_SECONDS, secure=self.https, samesite="strict")

    def end(self, response: Response) -> None:
        """Takes all three back."""
        response.delete_cookie(self.access, httponly=True, secure=self.https, samesite="lax")
        response.delete_cookie(self.refresh, SESSION_PATH, httponly=True, secure=self.https, samesite="strict")
        response.delete_cookie(self.csrf, secure=self.https, samesite="strict")

    def read(self, headers: Iterable[Header], name: str) -> str | None:
        """The cookie of this name, None when the request has none."""
        for key, content in headers:
            if key == b"cookie":
                for pair in content.decode("latin-1").split(";"):
                    found, _, text = pair.strip().partition("=")
                    if found == name:
                        return text
        return None
