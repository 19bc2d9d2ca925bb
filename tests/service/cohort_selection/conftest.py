"""The selection service, served on the real stack with a clock that can be moved."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from services.cohort_selection.main import create_app
from shared.settings import Settings
from shared.testing import Tokens, Topics, serving
from tests.service.cohort_selection.desk import Desk


@pytest.fixture
async def desk(
    settings_for: Callable[..., Settings], topics: Topics, tokens: Tokens, tmp_path: Path
) -> AsyncIterator[Desk]:
    """The running service, with countries known."""
    clock_file = tmp_path / "clock.json"
    app = create_app(settings_for("cohort-selection", clock_file=clock_file))
    async with serving(app) as client:
        desk = Desk(client, app.state.service, topics, tokens, clock_file)
        await desk.countries()
        yield desk
