"""The load: offices that write through the gateway as people do, a national platform, and now and then a bad record.

Each client does one thing after the other. It repeats a request, with the same key, until it knows what became of it; a
few requests of which that is not known are left so, and what they were about is then left alone by that client.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from random import Random
from typing import Any, Final

import aiohttp

from tests.faults import outsider
from tests.faults.history import Operation, Outcome, Writer
from tests.faults.world import LETTER, Office, World, authority, renewed

TIMEOUT_SECONDS: Final = 8
INSIST_SECONDS: Final = 120
TOKEN_SECONDS: Final = 200
LEFT_UNKNOWN: Final = 12
"""So many requests at most are not repeated although nobody knows what became of them."""

MIX: Final = {"commit": 40, "seat": 30, "apply": 10, "sign-up": 8, "declare": 6}
"""How often an office does what."""


class Load:
    """All clients at their steady pace. ``rate`` is writes per second in all, as far as the platform keeps up."""

    def __init__(self, world: World, history: Writer, rng: Random, rate: float) -> None:
        self._world = world
        self._history = history
        self._rng = rng
        self._pause = len(world.offices) / rate
        self._tasks: list[asyncio.Task[None]] = []
        self._session: aiohttp.ClientSession | None = None
        self._left = 0
        self.over = asyncio.Event()

    async def start(self) -> None:
        """Lets everybody begin."""
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
        self._session = aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar())
        clients: list[Callable[[], Any]] = [
            kind(self, office, Random(self._rng.random())).run
            for kind in (Client, Colleague)
            for office in self._world.offices
        ]
        clients.append(outsider.Publisher(self._world, self._history, self.over).run)
        clients.append(outsider.Careless(self._history, self.over).run)
        self._tasks = [asyncio.create_task(client()) for client in clients]

    async def stop(self) -> None:
        """Lets everybody end what they have begun; what the platform does not answer in time stays unknown."""
        self.over.set()
        try:
            await asyncio.gather(*self._tasks)
        finally:
            for task in self._tasks:
                task.cancel()
            assert self._session is not None
            await self._session.close()

    def check(self) -> None:
        """Raises what ended a client too early."""
        for task in self._tasks:
            if task.done() and not self.over.is_set():
                task.result()

    def leave(self, rng: Random) -> bool:
        """Whether this request is one of the few that are not repeated."""
        if self._left == LEFT_UNKNOWN or rng.random() > 0.2:
            return False
        self._left += 1
        return True

    async def pause(self, begun: float, rng: Random, pace: float) -> None:
        """Waits until a client's next turn, unless the load is over before."""
        seconds = begun + pace * self._pause * rng.uniform(0.5, 1.5) - time.monotonic()
        if seconds > 0:
            try:
                async with asyncio.timeout(seconds):
                    await self.over.wait()
            except TimeoutError:
                pass

    async def ask(
        self, operation: Operation, method: str, path: str, headers: Mapping[str, str], token: Callable[[], Any]
    ) -> Operation:
        """Sends a request until its outcome is known, or it is left unknown."""
        assert self._session is not None
        rng = Random(operation.number)
        sent = {"Idempotency-Key": f"{operation.client}/{operation.number}", **headers}
        url = f"{self._world.door.url}/api/v1{path}"
        give_up = time.monotonic() + INSIST_SECONDS
        pause = 0.1
        while True:
            try:
                async with self._session.request(method, url, json=operation.body, headers=sent) as reply:
                    status, body = reply.status, await reply.json(content_type=None)
            except (aiohttp.ClientError, TimeoutError, ValueError) as error:
                status, body = 0, type(error).__name__
            answer = self._history.answered(operation, status, body)
            if answer.definite or time.monotonic() > give_up:
                return operation
            if answer.doubtful and self.leave(rng):
                return operation
            if status == 401:
                sent |= await token()
            await asyncio.sleep(pause)
            pause = min(pause * 2, 2.0)


class Client:
    """One office at work."""

    mix: Mapping[str, int] = MIX
    pace = 1.0

    def __init__(self, load: Load, office: Office, rng: Random) -> None:
        self._load = load
        self._world = load._world
        self._office = office
        self._name = office.name
        self._rng = rng
        self._headers: Mapping[str, str] = {}
        self._signed_in = -float(TOKEN_SECONDS)
        self._seats: dict[str, str] = {}
        self._application = ""
        self._closed: set[str] = set()
        self._count = 0

    async def run(self) -> None:
        """Works until the load is over."""
        await asyncio.sleep(self._rng.random() * self._load._pause)
        kinds, weights = list(self.mix), list(self.mix.values())
        while not self._load.over.is_set():
            begun = time.monotonic()
            if begun - self._signed_in > TOKEN_SECONDS:
                await self._sign_in()
            kind = self._rng.choices(kinds, weights)[0]
            self._count += 1
            await getattr(self, f"_{kind.replace('-', '_')}")()
            await self._load.pause(begun, self._rng, self.pace)

    async def _sign_in(self) -> Mapping[str, str]:
        self._headers = await renewed(self._office)
        self._signed_in = time.monotonic()
        return self._headers

    async def _ask(self, kind: str, target: str, method: str, path: str, body: Any = None) -> Operation:
        operation = self._load._history.asks(self._name, kind, target, body)
        asked = await self._load.ask(operation, method, path, self._headers, self._sign_in)
        if asked.outcome is Outcome.UNKNOWN:
            self._closed.add(target)
        return asked

    async def _commit(self) -> None:
        city = self._office.city
        if city not in self._closed:
            evidence = f"Decision {self._office.name}/{self._count}"
            body = {"neutral_by": 2050, "committed_on": "2024-05-01", "evidence": evidence}
            await self._ask("commit", city, "PUT", f"/cities/{city}/commitment", body)

    async def _seat(self) -> None:
        session = self._rng.choice(self._world.sessions)
        if session in self._closed:
            return
        if booking := self._seats.pop(session, None):
            cancelled = await self._ask("cancel", booking, "DELETE", f"/bookings/{booking}")
            if cancelled.outcome is Outcome.UNKNOWN:
                self._closed.add(session)
            return
        body = {"city_id": self._office.city}
        booked = await self._ask("book", session, "POST", f"/sessions/{session}/bookings", body)
        if booked.outcome is Outcome.ACCEPTED:
            self._seats[session] = booked.answer["id"]

    async def _apply(self) -> None:
        if self._world.call in self._closed or self._application in self._closed:
            return
        body: dict[str, Any] = {"answers": {"number": self._count}}
        if self._application:
            await self._ask("replace", self._application, "PUT", f"/applications/{self._application}", body)
            return
        body |= {"city_id": self._office.city}
        applied = await self._ask("apply", self._world.call, "POST", f"/calls/{self._world.call}/applications", body)
        if applied.outcome is Outcome.ACCEPTED:
            self._application = applied.answer["id"]

    async def _sign_up(self) -> None:
        mail = f"{self._office.name}.{self._count}@people.example"
        body = {
            "mail_address": mail,
            "given_name": "Climate",
            "family_name": "Officer",
            "locale": "en",
            "time_zone": "UTC",
        }
        await self._ask("sign-up", mail, "POST", "/auth/sign-up", body)

    async def _declare(self) -> None:
        name = f"Illustrative {self._office.name}/{self._count} of {datetime.now(UTC):%H%M%S}"
        body = {"authority": authority(name, self._world.place), "evidence": LETTER}
        await self._ask("declare", name, "POST", "/cities", body)


class Colleague(Client):
    """Somebody who changes another part of the same city at the same time, now and then."""

    mix = {"profile": 1}
    pace = 4.0

    def __init__(self, load: Load, office: Office, rng: Random) -> None:
        super().__init__(load, office, rng)
        self._name = f"{office.name}/colleague"

    async def _profile(self) -> None:
        city = self._office.city
        if city not in self._closed:
            await self._ask("profile", city, "PUT", f"/cities/{city}/profile", {"challenges": [f"c-{self._count}"]})
