"""Every caller, every operation, own and foreign objects, through both doors: exactly as the reviewed file says."""

import asyncio
from dataclasses import dataclass
from typing import Final, get_args

import httpx
import pytest

from services.gateway.routes import PREFIX
from services.registration.api.grants import RoleName
from tests.security.asking import accounts, calendar, catalogue, cities, operations, selection
from tests.security.asking.table import TABLE, Asked
from tests.security.callers import grants
from tests.security.matrix import Cell, Matrix
from tests.security.world import World

pytestmark = pytest.mark.asyncio(loop_scope="package")

MATRIX: Final = Matrix()
ASKING: Final = (accounts, calendar, catalogue, cities, operations, selection)
"""Each fills the table of requests when it is imported."""

AT_ONCE: Final = 8
SAFE: Final = ("GET",)
HERE_ALONE: Final = "/session"
"""Browsers' sessions are the gateway's own, so there is no other door to them."""


@dataclass(frozen=True)
class Door:
    """A way in."""

    name: str
    direct: bool


DOORS = (Door("gateway", False), Door("service", True))


async def test_every_cell_can_be_tried() -> None:
    assert TABLE.keys() == MATRIX.rows.keys(), TABLE.keys() ^ MATRIX.rows.keys()
    assert len(MATRIX.cells) > 2_500


async def test_every_role_has_a_caller() -> None:
    callers = grants("city")
    assert callers.keys() == MATRIX.callers.keys()
    assert {grant.role for granted in callers.values() for grant in granted} == set(get_args(RoleName))


async def test_every_operation_has_a_row(world: World) -> None:
    document = (await world.http.get(f"{world.stack.public_url}{PREFIX}/openapi.json")).json()
    found = {f"{method.upper()} {path.removeprefix(PREFIX)}" for path, of in document["paths"].items() for method in of}
    assert found == MATRIX.operations, "write the rows of new operations into tests/security/matrix.toml"


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)
async def test_no_cell_is_more_open_or_more_closed_than_the_matrix_says(world: World, door: Door) -> None:
    cells = [cell for cell in MATRIX.cells if not (door.direct and cell.path.startswith(HERE_ALONE))]
    shared: dict[tuple[str, str], asyncio.Task[Asked]] = {}
    turn = asyncio.Semaphore(AT_ONCE)

    def ask(cell: Cell) -> asyncio.Task[Asked]:
        """The cell's request. Objects that nothing changes are shared by all cells of a row."""
        entry, caller = TABLE[cell.row], world.callers[cell.caller]
        fresh = entry.personal or (cell.allowed and cell.method not in SAFE)
        if fresh or (cell.row, cell.side) not in shared:
            task = asyncio.ensure_future(entry.make(world, caller, cell.side))
            if fresh:
                return task
            shared[cell.row, cell.side] = task
        return shared[cell.row, cell.side]

    async def wrong(cell: Cell) -> str | None:
        async with turn:
            try:
                asked = await ask(cell)
            except Exception as error:
                return f"{cell}: could not be prepared: {error!r}"
            return await judged(world, door, cell, asked)

    found = [line for line in await asyncio.gather(*map(wrong, cells)) if line]
    assert not found, f"{len(found)} of {len(cells)} cells:\n" + "\n".join(found)


async def judged(world: World, door: Door, cell: Cell, asked: Asked) -> str | None:
    """What the matrix and the platform disagree about, None when they do not."""
    caller = asked.instead or world.callers[cell.caller]
    url = world.url(cell.path.format(**asked.path), direct=door.direct)
    headers = {**caller.headers, **asked.headers}
    request = world.http.build_request(cell.method, url, json=asked.body, params=asked.query or None, headers=headers)
    answer = await world.http.send(request, stream=True)
    try:
        said = answer.status_code
        if (said == cell.status) or (cell.allowed and answer.is_success):
            return None
        detail = (await answer.aread()).decode()[:300]
        return f"{cell}: {said} instead of {cell.status if not cell.allowed else 'a success'}: {detail}"
    except httpx.HTTPError as error:
        return f"{cell}: {error!r}"
    finally:
        await answer.aclose()
