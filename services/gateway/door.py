"""What every request passes before anything else happens: when it came, from whom, how often, and where to.

Plain ASGI, inside the telemetry's middleware and around everything else.
"""

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.gateway import csrf, headers
from services.gateway.cookies import SESSION_PATH
from services.gateway.limits import Limiter, bucket_of
from services.gateway.proxy import Proxy, too_large
from services.gateway.routes import PREFIX, service_for
from services.gateway.sessions import REGISTRATION, Sessions, is_form
from services.gateway.settings import GatewaySettings
from shared import problem_answers
from shared.identity import Caller, KeyRing, not_signed_in, stamp_arrival
from shared.problems import Problem
from shared.service import Service


class Passed:
    """A route for the metrics' labels: all paths below one segment count as one."""

    def __init__(self, segment: str) -> None:
        self.path = f"{PREFIX}/{segment}"


class Door:
    """ASGI middleware: admits a request and brings it to its service, or to the gateway's own pages (``app``)."""

    def __init__(self, app: ASGIApp, settings: GatewaySettings, proxy: Proxy, sessions: Sessions) -> None:
        self._app = app
        self._settings = settings
        self._proxy = proxy
        self._sessions = sessions
        self._key = settings.gateway_key.get_secret_value()
        self._addresses = Limiter(settings.address_rate, settings.address_burst)
        self._people = Limiter(settings.person_rate, settings.person_burst)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http" or scope["path"].startswith("/health/"):
            await self._app(scope, receive, send)
            return

        running: Service = scope["app"].state.service

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = list(message["headers"])
                if running.stopping:
                    # The next request goes to whoever listens then.
                    given.append((b"connection", b"close"))
                message["headers"] = headers.secured(given, https=self._settings.https)
            await send(message)

        try:
            service = self._admit(scope, running)
        except Problem as problem:
            await problem_answers.response(problem)(scope, receive, answer)
            return
        if service is None:
            await self._app(scope, receive, answer)
        elif service == REGISTRATION and scope["method"] == "POST" and is_form(scope["headers"]):
            response = await self._sessions.press(scope, receive)
            await response(scope, receive, answer)
        else:
            await self._proxy(scope, receive, answer, service)

    def _admit(self, scope: Scope, running: Service) -> str | None:
        """The service that the request goes to, None for our own pages. Raises the problem for one that may not in."""
        scope["arrival"] = stamp_arrival(self._key, running.clock.now())
        peer = scope["client"][0] if scope["client"] else ""
        address = headers.client_address(peer, scope["headers"], self._settings.trusted_proxies)
        scope["client_address"] = address
        now = time.monotonic()
        scope["caller_bucket"] = bucket_of(address)
        _check(self._addresses, scope["caller_bucket"], now)
        if scope["path"] == "/metrics" and not headers.within(address, self._settings.metrics_from):
            raise Problem(404, "not-found", "Not Found")
        length = headers.value(scope["headers"], b"content-length")
        if length is not None and length.isdigit() and int(length) > self._settings.max_body_bytes:
            raise too_large(self._settings.max_body_bytes)
        caller = self._caller(scope, running.keys)
        if caller is not None:
            scope["caller_bucket"] = caller.id
            _check(self._people, caller.id, now)
        target = service_for(scope["path"])
        if target is None:
            return None
        service, segment = target
        scope["route"] = Passed(segment)
        return service

    def _caller(self, scope: Scope, keys: KeyRing) -> Caller | None:
        """Whose token the request carries, None without one. Raises a 401 problem for a bad token.

        Services verify it again; here it is refused early, and who sent it is known for the limits.
        """
        if scope["path"].startswith(SESSION_PATH) and scope["method"] not in csrf.SAFE_METHODS:
            # Where sessions begin and end the access token may be over; these endpoints look for themselves.
            return None
        header = headers.value(scope["headers"], b"authorization")
        if header is None:
            return self._by_cookie(scope, keys)
        scheme, _, token = header.decode("latin-1").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise not_signed_in("The Authorization header must be 'Bearer <token>'.", "token-invalid")
        return _verified(token.strip(), keys)

    def _by_cookie(self, scope: Scope, keys: KeyRing) -> Caller | None:
        """Whose cookies the request carries, when it may act by them; services get the cookie's token as a bearer's."""
        given: list[headers.Header] = scope["headers"]
        unsafe = scope["method"] not in csrf.SAFE_METHODS
        if unsafe and is_form(given):
            csrf.check_origin(given, self._settings.origin)
            return None
        cookies = self._sessions.cookies
        token = cookies.read(given, cookies.access)
        if token is None:
            return None
        caller = _verified(token, keys)
        if unsafe:
            csrf.check_origin(given, self._settings.origin)
            person = caller.person if caller else None
            csrf.check_token(given, cookies.read(given, cookies.csrf), self._key, person)
        scope["headers"] = [*given, (b"authorization", f"Bearer {token}".encode("latin-1"))]
        return caller


def _verified(token: str, keys: KeyRing) -> Caller | None:
    """Whose token this is, None while no keys are known and services have to decide."""
    return keys.verify(token) if keys.ready.is_set() else None


def _check(limiter: Limiter, caller: str, now: float) -> None:
    wait = limiter.wait(caller, now)
    if wait:
        seconds = int(wait) + 1
        raise Problem(
            429,
            "too-many-requests",
            f"Too many requests; try again in {seconds} s.",
            params={"seconds": seconds},
            headers={"Retry-After": str(seconds)},
        )
