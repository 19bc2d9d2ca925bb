"""The platform's public HTTP door, as the story's people use it."""

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final, Self

import aiohttp

from mission.demo.errors import Untrue

CONCURRENCY: Final = 24
PATIENCE_SECONDS: Final = 30
"""How long a request is repeated that the platform asks to repeat."""

SOONEST_SECONDS: Final = 0.05
CREATING: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class Refused(Untrue):
    """The platform answered with a problem. ``problem`` is the RFC 9457 object."""

    def __init__(self, method: str, path: str, status: int, problem: Mapping[str, Any]) -> None:
        detail = problem.get("detail") or "no reason given"
        reasons = "; ".join(f"{each.get('field')}: {each.get('message')}" for each in problem.get("errors") or ())
        super().__init__(f"{method} {path} was answered {status}: {detail}{f' ({reasons})' if reasons else ''}")
        self.status = status
        self.problem = problem

    @property
    def code(self) -> str:
        """The problem's stable code."""
        return str(self.problem.get("code", ""))

    @property
    def codes(self) -> set[str]:
        """The codes of all its reasons."""
        return {str(each.get("code")) for each in self.problem.get("errors") or ()}


class Door:
    """One client for everybody. Counts what it asked, and how it was answered."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._slots = asyncio.Semaphore(CONCURRENCY)
        self._session: aiohttp.ClientSession | None = None
        self.answers: Counter[int] = Counter()
        self.lost = 0
        self.waited = 0

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=4),
            timeout=aiohttp.ClientTimeout(total=60),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    @property
    def session(self) -> aiohttp.ClientSession:
        """The shared pool of connections."""
        assert self._session is not None, "use the door as a context manager"
        return self._session

    async def ask(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        json: Any = None,
        params: Mapping[str, str | int] | None = None,
        language: str = "en",
        headers: Mapping[str, str] | None = None,
        once: bool = True,
    ) -> Any:
        """Sends a request and returns the JSON of its answer, or its text when it is of another type.

        A changing request has an ``Idempotency-Key`` (``once``), so it may be repeated. Where the platform asks to come
        again (429, 503, ``not-yet-known``) this does, as a well-mannered client. Raises :class:`Refused` for a problem.
        """
        sent = {"Accept-Language": language, "Accept": "application/json", **(headers or {})}
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        if method in CREATING and once:
            sent.setdefault("Idempotency-Key", uuid.uuid4().hex)
        url = path if path.startswith("http") else f"{self.url}/api/v1{path}"
        deadline = time.monotonic() + PATIENCE_SECONDS
        pause = SOONEST_SECONDS
        while True:
            async with self._slots:
                status, answer, again = await self._once(method, url, sent, json, params)
            if status < 400:
                return answer
            problem = answer if isinstance(answer, dict) else {"detail": str(answer)[:200]}
            if not (again or problem.get("code") == "not-yet-known") or time.monotonic() > deadline:
                raise Refused(method, path, status, problem)
            self.waited += 1
            await asyncio.sleep(pause if status == 409 else max(pause, again))
            pause = min(pause * 2, 1.0)

    async def _once(
        self, method: str, url: str, headers: Mapping[str, str], json: Any, params: Mapping[str, str | int] | None
    ) -> tuple[int, Any, float]:
        try:
            async with self.session.request(method, url, headers=headers, json=json, params=params) as answer:
                self.answers[answer.status] += 1
                kind = answer.content_type
                content = await (answer.json(content_type=None) if kind.endswith("json") else answer.text())
                again = float(answer.headers.get("Retry-After", 0)) if answer.status in (429, 503) else 0.0
                return answer.status, content, again
        except (aiohttp.ClientError, TimeoutError) as error:
            self.lost += 1
            raise Untrue(f"{method} {url} got no answer: {error or type(error).__name__}.") from error

    async def pages(
        self,
        path: str,
        *,
        token: str | None = None,
        params: Mapping[str, str | int] | None = None,
        language: str = "en",
        limit: int = 200,
    ) -> AsyncIterator[Any]:
        """Every item of a paged list."""
        asked: dict[str, str | int] = {"limit": limit, **(params or {})}
        while True:
            page = await self.ask("GET", path, token=token, params=asked, language=language)
            for item in page["items"]:
                yield item
            if not page.get("next"):
                return
            asked["cursor"] = page["next"]


async def until(
    condition: Callable[[], Any], sentence: str, *, seconds: float = 30, every: float = SOONEST_SECONDS
) -> Any:
    """Asks again until the (asynchronous) condition's value is true, and returns it.

    Raises :class:`Untrue` with the sentence when that takes too long.
    """
    deadline = time.monotonic() + seconds
    while True:
        if value := await condition():
            return value
        if time.monotonic() > deadline:
            raise Untrue(sentence)
        await asyncio.sleep(every)
