"""Whatever somebody sends, at whatever pace: a clear answer, a closed connection, and memory that stays as it was."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from functools import partial
from typing import Any, Final

import psutil
import pytest
import pytest_asyncio

from contracts.registry import STORING
from infra.local import HOST
from services.gateway.routes import PREFIX
from shared.connections import MAX_HEADERS
from tests.e2e.running import Platform
from tests.security.world import World

pytestmark = pytest.mark.asyncio(loop_scope="package")

DOORS: Final = ("gateway", *STORING)
MEGABYTE: Final = 1024 * 1024
GROWTH: Final = 48 * MEGABYTE
"""Less than what is sent here would take if it were kept, and more than what an answer takes."""

Write = Callable[[asyncio.StreamWriter], Coroutine[Any, Any, None]]


def target(door: str) -> str:
    """A path that takes a body at this door, which brings it to a service or is one."""
    return f"{PREFIX}/registration/dead-letters/decisions" if door == "gateway" else f"/{door}/dead-letters/decisions"


def head(world: World, door: str, *more: str) -> bytes:
    """The head of a request that its sender may make."""
    token = world.callers["operator"].headers["Authorization"]
    lines = (f"POST {target(door)} HTTP/1.1", "Host: platform.example", f"Authorization: {token}", *more)
    return "\r\n".join((*lines, "Content-Type: application/json", "", "")).encode()


async def answered(world: World, door: str, write: Write) -> tuple[int, dict[str, Any]]:
    """Status and problem that the door answers before it closes the connection."""
    reader, writer = await asyncio.open_connection(HOST, world.stack.ports.service(door))
    sending = asyncio.create_task(write(writer))
    try:
        async with asyncio.timeout(60):
            answer = await reader.readuntil(b"\r\n\r\n")
            fields = dict(line.split(b": ", 1) for line in answer.lower().split(b"\r\n")[1:] if line)
            content = await reader.readexactly(int(fields[b"content-length"]))
            if fields.get(b"connection") == b"close":
                assert await reader.read() == b""
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        writer.close()
    assert fields[b"content-type"] == b"application/problem+json", answer
    return int(answer.split()[1]), json.loads(content)


def whole(content: bytes) -> Write:
    """Sends all at once."""

    async def write(writer: asyncio.StreamWriter) -> None:
        writer.write(content)
        await writer.drain()

    return write


def slowly(content: bytes) -> Write:
    """Sends the beginning, then a byte now and then for ever."""

    async def write(writer: asyncio.StreamWriter) -> None:
        writer.write(content)
        while True:
            await asyncio.sleep(0.2)
            writer.write(b"a")
            await writer.drain()

    return write


def endlessly(content: bytes, piece: bytes) -> Write:
    """Sends the beginning, then pieces as fast as they are taken, 64 MB at most."""

    async def write(writer: asyncio.StreamWriter) -> None:
        writer.write(content)
        for _ in range(64 * MEGABYTE // len(piece)):
            writer.write(piece)
            await writer.drain()

    return write


@pytest_asyncio.fixture(autouse=True, loop_scope="package")
async def memory(platform: Platform) -> AsyncIterator[None]:
    """No process grows by what it is sent."""
    processes = {door: platform.process(f"{door}-0").process for door in DOORS}
    before = {door: process.memory_info().rss for door, process in processes.items() if process}
    yield
    after = {door: psutil.Process(process.pid).memory_info().rss for door, process in processes.items() if process}
    assert len(after) == len(DOORS)
    assert [door for door in DOORS if after[door] - before[door] > GROWTH] == []


async def everywhere(world: World, write: Callable[[str], Write]) -> dict[str, tuple[int, str]]:
    """Status and code at each door, asked at once."""
    found = await asyncio.gather(*(answered(world, door, write(door)) for door in DOORS))
    return {door: (status, problem["code"]) for door, (status, problem) in zip(DOORS, found, strict=True)}


def all_doors(status: int, code: str) -> dict[str, tuple[int, str]]:
    """The same at each door."""
    return dict.fromkeys(DOORS, (status, code))


async def test_a_head_that_does_not_end_is_given_up(world: World) -> None:
    found = await everywhere(world, lambda door: slowly(head(world, door)[:-4] + b"\r\nX-Slow: "))
    assert found == all_doors(408, "too-slow")


async def test_a_body_that_does_not_end_is_given_up(world: World) -> None:
    found = await everywhere(world, lambda door: slowly(head(world, door, "Content-Length: 5000") + b'{"why": "'))
    assert found == all_doors(408, "too-slow")


async def test_a_connection_on_which_nothing_comes_is_closed(world: World) -> None:
    async def closed(door: str) -> bytes:
        reader, writer = await asyncio.open_connection(HOST, world.stack.ports.service(door))
        try:
            async with asyncio.timeout(60):
                return await reader.read()
        finally:
            writer.close()

    assert set(await asyncio.gather(*map(closed, DOORS))) == {b""}


async def test_a_head_without_measure_is_refused(world: World) -> None:
    many = [f"X-Field-{number}: 1" for number in range(MAX_HEADERS + 1)]
    assert await everywhere(world, lambda door: whole(head(world, door, *many))) == all_doors(431, "head-too-large")
    long = await everywhere(world, lambda door: endlessly(head(world, door)[:-4] + b"\r\nX-Long: ", b"a" * 65_536))
    assert long == all_doors(431, "head-too-large")
    address = await everywhere(world, lambda door: endlessly(b"GET /", b"a" * 65_536))
    assert address == all_doors(431, "head-too-large")


async def test_what_is_no_request_is_refused(world: World) -> None:
    assert await everywhere(world, lambda door: whole(b"\x16\x03\x01\x02\x00\x01\x00")) == all_doors(
        400, "malformed-request"
    )
    both = ("Content-Length: 5", "Transfer-Encoding: chunked")
    found = await everywhere(world, lambda door: whole(head(world, door, *both) + b"0\r\n\r\n"))
    assert {status for status, _ in found.values()} == {400}, "it could be read as two requests"


async def test_a_body_above_the_limit_is_refused(world: World) -> None:
    size = 10 * MEGABYTE
    announced = await everywhere(world, lambda door: whole(head(world, door, f"Content-Length: {size}") + b" " * size))
    assert announced == all_doors(413, "too-large")
    piece = b"10000\r\n" + b" " * 65_536 + b"\r\n"
    chunked = await everywhere(world, lambda door: endlessly(head(world, door, "Transfer-Encoding: chunked"), piece))
    assert chunked == all_doors(413, "too-large")


def _with_body(world: World, body: bytes, door: str) -> Write:
    return whole(head(world, door, f"Content-Length: {len(body)}") + body)


async def test_a_body_that_is_deep_or_packed_is_refused(world: World) -> None:
    for deep in (b"[" * 500_000, b'{"a":' * 100_000, b'{"letters":' + b"[" * 5_000 + b"]" * 5_000 + b"}"):
        found = await everywhere(world, partial(_with_body, world, deep))
        assert {status for status, _ in found.values()} <= {400, 422}
    bomb = gzip.compress(bytes(64 * MEGABYTE))
    packed = ("Content-Encoding: gzip", f"Content-Length: {len(bomb)}")
    found = await everywhere(world, lambda door: whole(head(world, door, *packed) + bomb))
    assert found == all_doors(415, "encoding-unsupported")


async def test_the_doors_stay_open_while_somebody_holds_many_connections(world: World) -> None:
    held = [await asyncio.open_connection(HOST, world.stack.ports.service(door)) for door in DOORS for _ in range(50)]
    try:
        for _, writer in held:
            writer.write(b"GET / HTTP/1.1\r\nX-Slow: ")
        for door in DOORS:
            assert (await world.http.get(f"http://{HOST}:{world.stack.ports.service(door)}/health/ready")).status_code
        async with asyncio.timeout(60):
            await asyncio.gather(*(reader.read() for reader, _ in held))
    finally:
        for _, writer in held:
            writer.close()
