"""What the gateway adds to an answer, and how many it hands on: beside the same gateway on httpx.

Behind it stands a server that does next to nothing, so that what is seen is the gateway's. For comparison a proxy that
is aiohttp's client and nothing else does the same.
"""

import json
import statistics
from typing import Final

from bench.figures import Figure, interleaved
from bench.ground import Ground
from bench.http import ask
from services.gateway.routes import PREFIX

BYTES: Final = 2000
PATH: Final = "/catalogue/entries/one"
ROUNDS: Final = 5
SECONDS: Final = 3.0
CONNECTIONS: Final = 32


async def measure(ground: Ground, share: float) -> list[Figure]:
    """One caller for the time that it adds, many for the throughput."""
    seconds = SECONDS * share
    async with ground.bare("web:Stub", bytes=str(BYTES)) as stub:
        settings = {"upstreams": json.dumps({"catalogue": [stub]}), "address_rate": "0"}
        async with (
            ground.bare("web:Forwarding", upstream=stub) as forwarding,
            ground.ours("services.gateway.main:create_app", "gateway", "/health/live", 0, **settings) as gateway,
            ground.ours("bench.bare.httpx_gateway:create_app", "gateway", "/health/live", 1, **settings) as on_httpx,
        ):
            public, direct = f"{gateway}{PREFIX}{PATH}", stub + PATH

            async def added(side: str, _: int) -> float:
                """Milliseconds at the median above those of the server itself, asked just before."""
                alone = statistics.median(await ask(direct, 1, seconds / 2))
                through = public if side == "ours" else forwarding + PATH
                return 1000 * (statistics.median(await ask(through, 1, seconds / 2)) - alone)

            async def handed_on(side: str, _: int) -> float:
                """Answers per second."""
                url = public if side == "ours" else f"{on_httpx}{PREFIX}{PATH}"
                return len(await ask(url, CONNECTIONS, seconds)) / seconds

            ours, alone = await interleaved(ROUNDS, added)
            throughput = await interleaved(ROUNDS, handed_on)
    return [
        Figure("the gateway adds, p50", "1 caller", "ms", ours, reach=0.8),
        Figure("the gateway adds, beside aiohttp's client", "1 caller", "ms", ours, alone),
        Figure(
            "the gateway hands on, beside itself on httpx", f"{CONNECTIONS} callers", "/s", *throughput, 4, "at least"
        ),
    ]
