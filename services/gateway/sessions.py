"""Signing in and out for browsers: registration issues tokens, the gateway turns them into cookies."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError
from starlette.responses import RedirectResponse, Response
from starlette.types import Message, Receive, Scope

from services.gateway import csrf
from services.gateway.cookies import Cookies, Tokens
from services.gateway.headers import Header, value
from services.gateway.proxy import Proxy
from services.gateway.routes import PREFIX
from services.gateway.settings import GatewaySettings

REGISTRATION: Final = "registration"
SIGN_IN: Final = "/auth/token"
REFRESH: Final = "/auth/refresh"
SIGN_OUT: Final = "/auth/sign-out"
SIGN_IN_LINK: Final = "/links"

FORM: Final = b"application/x-www-form-urlencoded"
HANDED_ON: Final = (b"accept-language", b"user-agent")


@dataclass(frozen=True, slots=True)
class Answer:
    """A service's whole answer."""

    status: int
    headers: list[Header]
    content: bytes

    def as_response(self) -> Response:
        """The answer as it came."""
        response = Response(self.content, self.status)
        response.raw_headers = self.headers
        return response


def is_form(headers: list[Header]) -> bool:
    """Whether a request is the POST of a page's plain form."""
    return (value(headers, b"content-type") or b"").startswith(FORM)


class Sessions:
    """Browsers' sessions. It keeps none of them: all that there is to know is in the browser's cookies."""

    def __init__(self, settings: GatewaySettings, proxy: Proxy) -> None:
        self._proxy = proxy
        self._key = settings.gateway_key.get_secret_value()
        self.cookies = Cookies(settings.https)
        self._refreshing: dict[str, asyncio.Task[Answer]] = {}

    async def ask(self, scope: Scope, path: str, body: Mapping[str, Any]) -> Answer:
        """Posts to registration as part of this request."""
        content = json.dumps(body).encode()
        headers = [(name, text) for name, text in scope["headers"] if name in HANDED_ON]
        headers += [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
        raw_path = (PREFIX + path).encode()
        asked = {**scope, "method": "POST", "raw_path": raw_path, "query_string": b"", "headers": headers}

        async def receive() -> Message:
            return {"type": "http.request", "body": content, "more_body": False}

        return await self._exchange(asked, receive)

    async def _exchange(self, scope: Scope, receive: Receive) -> Answer:
        start: Message = {}
        pieces: list[bytes] = []

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
            else:
                pieces.append(message.get("body", b""))

        await self._proxy(scope, receive, send, REGISTRATION)
        return Answer(start["status"], list(start["headers"]), b"".join(pieces))

    async def refresh(self, scope: Scope, refresh_token: str) -> Answer:
        """New tokens for a refresh token, which works once.

        Two tabs of one browser may ask at the same moment with the same one; they get the same answer, because a
        second use would look like a theft and end the session.
        """
        running = self._refreshing.get(refresh_token)
        if running is None:
            running = asyncio.create_task(self.ask(scope, REFRESH, {"refresh_token": refresh_token}))
            self._refreshing[refresh_token] = running
            running.add_done_callback(lambda _: self._refreshing.pop(refresh_token, None))
        return await asyncio.shield(running)

    def opened(self, answer: Answer) -> tuple[Tokens, str] | None:
        """The tokens that an answer of registration brings and a CSRF token for them; None when it brings none."""
        if answer.status != 200:
            return None
        try:
            tokens = Tokens.model_validate_json(answer.content)
        except ValidationError:
            return None
        return tokens, csrf.new_token(self._key, tokens.person_id)

    async def press(self, scope: Scope, receive: Receive) -> Response:
        """Hands on the button of a mailed page; one that signs in brings cookies and the way to the front page."""
        answer = await self._exchange(scope, receive)
        opened = self.opened(answer)
        if opened is None:
            return answer.as_response()
        response = RedirectResponse("/", 303)
        self.cookies.begin(response, *opened)
        return response
