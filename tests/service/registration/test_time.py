"""What time alone does: links expire, unverified people are forgotten. An instance whose clock is ahead shows it."""

import json
from pathlib import Path

import pytest

from infra.local.stack import LocalStack
from services.registration.main import create_app
from shared.testing import eventually, serving
from tests.service.registration.conftest import Platform, address, settings

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def test_time_passes(platform: Platform, stack: LocalStack, tmp_path: Path) -> None:
    person, mail = await platform.person(), address()
    await platform.sign_up(mail)
    link = await platform.mailboxes.latest(mail, "verify-mail")
    forgotten = platform.mailboxes.people[mail].person_id
    ahead = tmp_path / "clock.json"
    ahead.write_text(json.dumps({"offset_seconds": 5 * 24 * 3600}))

    async with serving(create_app(settings(stack, 2, clock_file=ahead))) as later:
        late = await later.post(link)
        assert (late.status_code, late.json()["code"]) == (410, "link-expired")
        page = await later.get(link, headers={"Accept": "text/html"})
        assert page.status_code == 410

        ahead.write_text(json.dumps({"offset_seconds": 400 * 24 * 3600}))

        async def erased() -> bool:
            facts = await platform.topics.read("registration.people", subject=forgotten)
            return facts[-1].event is None

        await eventually(erased, "who never verified the address is forgotten")
        assert (await later.post(link)).status_code == 404
        # Neither tokens nor the keys that sign them live by that clock.
        assert (await later.get("/me", headers=person.headers)).status_code == 200
        refreshed = await later.post("/auth/refresh", json={"refresh_token": person.refresh_token})
        assert refreshed.status_code == 200
