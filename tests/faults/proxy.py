"""A TCP proxy on loopback whose links can be cut, slowed down and blackholed while they are used.

``python -m tests.faults.proxy '{"kafka/registration": [22092, 22080]}'``: what each link is called, the port that it
listens on, and the port that it leads to. A line ``<link> <mode>`` on standard input changes a link and is answered by
the same line once that holds; the program ends with its input.
"""

import asyncio
import json
import sys
from collections.abc import Mapping
from contextlib import suppress
from enum import StrEnum
from typing import Final

from infra.local import HOST

PIECE_BYTES: Final = 16 * 1024
SLOW_SECONDS: Final = 0.05
"""How much later each piece arrives on a slow link."""

READY: Final = "ready"


class Mode(StrEnum):
    """What a link does: pass everything on, refuse and break connections, pass on late, or keep silent."""

    OPEN = "open"
    CUT = "cut"
    SLOW = "slow"
    BLACKHOLE = "blackhole"


class Link:
    """One port that leads to another."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._mode = Mode.OPEN
        self._passes = asyncio.Event()
        self._passes.set()
        self._writers: set[asyncio.StreamWriter] = set()

    def change(self, mode: Mode) -> None:
        """Makes the link do this from now on, also with the connections that are open."""
        self._mode = mode
        if mode is Mode.BLACKHOLE:
            self._passes.clear()
            return
        self._passes.set()
        if mode is Mode.CUT:
            for writer in self._writers:
                writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carries one connection until one of its ends closes it."""
        try:
            if self._mode is Mode.CUT:
                raise ConnectionRefusedError
            await self._passes.wait()
            there_reader, there_writer = await asyncio.open_connection(HOST, self._target)
        except OSError:
            writer.transport.abort()
            return
        ends = {writer, there_writer}
        self._writers |= ends
        both = [
            asyncio.create_task(self._pump(reader, there_writer)),
            asyncio.create_task(self._pump(there_reader, writer)),
        ]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in both:
                task.cancel()
            await asyncio.gather(*both, return_exceptions=True)
            self._writers -= ends
            for end in ends:
                end.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while piece := await reader.read(PIECE_BYTES):
                if self._mode is Mode.SLOW:
                    await asyncio.sleep(SLOW_SECONDS)
                if not self._passes.is_set() and not (piece := await self._held(reader, piece)):
                    break
                writer.write(piece)
                await writer.drain()
            # The other end hung up, which nobody hears of either while nothing passes.
            await self._passes.wait()

    async def _held(self, reader: asyncio.StreamReader, piece: bytes) -> bytes:
        """What was sent while nothing passed. It arrives afterwards, and is lost with its sender: nothing then."""
        passes = asyncio.create_task(self._passes.wait())
        try:
            while True:
                more = asyncio.create_task(reader.read(PIECE_BYTES))
                await asyncio.wait({passes, more}, return_when=asyncio.FIRST_COMPLETED)
                if not more.done():
                    more.cancel()
                    await asyncio.gather(more, return_exceptions=True)
                    return piece
                if not more.result():
                    return b""
                piece += more.result()
        finally:
            passes.cancel()


async def serve(table: Mapping[str, tuple[int, int]]) -> None:
    """Carries all links until standard input ends."""
    links: dict[str, Link] = {}
    for name, (port, target) in table.items():
        links[name] = Link(target)
        await asyncio.start_server(links[name].serve, HOST, port)
    print(READY, flush=True)
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    while line := (await orders.readline()).decode():
        name, mode = line.split()
        links[name].change(Mode(mode))
        print(line, end="", flush=True)


class Proxy:
    """The running program, as the tests command it."""

    def __init__(self, table: Mapping[str, tuple[int, int]]) -> None:
        self._table = table
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()

    async def start(self) -> None:
        """Starts it and waits until every link is there."""
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.faults.proxy", json.dumps(self._table)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            # Ctrl-C is for the round alone, which still needs it.
            start_new_session=True,
        )
        await self._answer(READY)

    async def change(self, link: str, mode: Mode) -> None:
        """Changes a link, and returns when that holds."""
        async with self._turn:
            assert self._process is not None
            assert self._process.stdin is not None
            self._process.stdin.write(f"{link} {mode}\n".encode())
            await self._answer(f"{link} {mode}")

    async def _answer(self, wanted: str) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        line = (await self._process.stdout.readline()).decode().strip()
        assert line == wanted, f"the proxy answers {line!r} instead of {wanted!r}"

    async def stop(self) -> None:
        """Ends it."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            await self._process.wait()


if __name__ == "__main__":
    asyncio.run(serve(json.loads(sys.argv[1])))
