"""The instances of the services, in turn, and the connections to them."""

import time
from collections.abc import Mapping, Sequence
from typing import Final

import aiohttp

REST_SECONDS: Final = (0.5, 1.0, 2.0, 5.0)
"""How long an instance that could not take a request is asked last; longer each time that it still cannot."""

KEEP_ALIVE_SECONDS: Final = 4.0
"""Below uvicorn's 5 s, so that an idle connection is given up here first and no request meets one that is closing."""

UNPROMPTED: Final = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
"""Headers that aiohttp would add by itself; only what the client said is handed on."""


class Upstreams:
    """Where each service is. ``addresses`` maps a service to the base addresses of its instances."""

    def __init__(self, addresses: Mapping[str, Sequence[str]], connect_seconds: float) -> None:
        self._addresses = {service: [address.rstrip("/") for address in each] for service, each in addresses.items()}
        self._turn = dict.fromkeys(self._addresses, 0)
        self._resting: dict[str, float] = {}
        self._misses: dict[str, int] = {}
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=connect_seconds)
        self._client: aiohttp.ClientSession | None = None

    @property
    def client(self) -> aiohttp.ClientSession:
        """The client of all instances; it hands bodies on as they are, follows nothing and keeps no cookies."""
        if self._client is None:
            self._client = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_SECONDS),
                timeout=self._timeout,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                skip_auto_headers=UNPROMPTED,
            )
        return self._client

    async def close(self) -> None:
        """Closes all connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    def in_turn(self, service: str) -> list[str]:
        """The service's instances in the order to try them: the next in turn first, those that rest last."""
        addresses = self._addresses.get(service, [])
        if len(addresses) < 2:
            return addresses
        first = self._turn[service]
        self._turn[service] = (first + 1) % len(addresses)
        ordered = addresses[first:] + addresses[:first]
        if self._resting:
            now = time.monotonic()
            ordered.sort(key=lambda address: self._resting.get(address, 0) > now)
        return ordered

    def rest(self, address: str) -> None:
        """Takes note that an instance could not take a request."""
        misses = self._misses.get(address, 0)
        self._misses[address] = misses + 1
        self._resting[address] = time.monotonic() + REST_SECONDS[min(misses, len(REST_SECONDS) - 1)]

    def answered(self, address: str) -> None:
        """Takes note that an instance took a request."""
        if self._resting:
            self._resting.pop(address, None)
            self._misses.pop(address, None)
