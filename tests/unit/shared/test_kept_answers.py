"""What is kept of public answers, and when it is made anew."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request, Response

from shared import kept_answers
from shared.clock import Clock
from shared.kept_answers import Keeping, KeptAnswers, keep

NOON = datetime(2026, 3, 5, 12, tzinfo=UTC)


class Hands(Clock):
    """A clock whose time is set."""

    def __init__(self) -> None:
        super().__init__()
        self.moment = NOON

    def now(self) -> datetime:
        return self.moment


class Shop:
    """An app with one page that many read, and how often it was made."""

    def __init__(self) -> None:
        self.kept, self.clock, self.made = KeptAnswers(), Hands(), 0
        self.until: datetime | None = None
        self.during: Callable[[], None] = lambda: None
        self.size = 10
        app = FastAPI()

        @app.get("/page")
        async def page(request: Request, many: bool = True) -> Response:
            self.made += 1
            self.during()
            if many:
                keep(request, self.until)
            return Response(f"{self.made} ".ljust(self.size), headers={"ETag": f'"{self.made}"'})

        @app.get("/broken")
        async def broken(request: Request) -> Response:
            self.made += 1
            keep(request)
            return Response("", 503)

        @app.post("/page")
        async def change() -> None:
            pass

        app.add_middleware(Keeping, kept=self.kept, clock=self.clock)
        transport = httpx.ASGITransport(app)
        self.client = httpx.AsyncClient(transport=transport, base_url="http://shop.example")

    async def read(self, path: str = "/page", **headers: str) -> str:
        """The page's number."""
        answer = await self.client.get(path, headers=headers)
        return answer.text.strip()


@pytest.fixture
def shop() -> Shop:
    return Shop()


async def test_the_same_question_gets_the_same_answer_until_something_changes(shop: Shop) -> None:
    first = await shop.client.get("/page?q=1")
    again = await shop.client.get("/page?q=1")
    assert (again.text, again.status_code, again.headers) == (first.text, first.status_code, first.headers)
    assert shop.made == 1
    shop.kept.forget()
    assert await shop.read("/page?q=1") == "2"


@pytest.mark.parametrize(
    ("path", "headers"),
    [("/page?q=2", {}), ("/page", {"Accept-Language": "pt"}), ("/page", {"If-None-Match": '"1"'})],
    ids=str,
)
async def test_another_question_gets_an_answer_of_its_own(shop: Shop, path: str, headers: dict[str, str]) -> None:
    assert await shop.read() == "1"
    assert await shop.read(path, **headers) == "2"
    assert await shop.read() == "1"


@pytest.mark.parametrize("given", [{"Authorization": "Bearer forged"}, {"Transfer-Encoding": "chunked"}], ids=str)
async def test_who_shows_credentials_or_sends_a_body_is_looked_at(shop: Shop, given: dict[str, str]) -> None:
    assert await shop.read() == "1"
    assert await shop.read(**given) == "2"
    assert await shop.read() == "1", "and what is answered to them is kept for nobody"


async def test_what_is_right_for_a_time_is_made_anew_afterwards(shop: Shop) -> None:
    shop.until = NOON + timedelta(minutes=1)
    assert await shop.read() == "1"
    shop.clock.moment = NOON + timedelta(seconds=59)
    assert await shop.read() == "1"
    shop.clock.moment = NOON + timedelta(seconds=60)
    assert await shop.read() == "2"


async def test_an_answer_that_a_change_overtook_is_not_kept(shop: Shop) -> None:
    shop.during = shop.kept.forget
    assert await shop.read() == "1"
    assert await shop.read() == "2"


async def test_who_writes_reads_what_was_written(shop: Shop) -> None:
    assert await shop.read() == "1"
    await shop.client.post("/page")
    assert await shop.read() == "2"


async def test_nothing_is_kept_while_changes_are_not_heard_of(shop: Shop) -> None:
    shop.kept.deaf = True
    assert [await shop.read(), await shop.read()] == ["1", "2"]


@pytest.mark.parametrize("path", ["/page?many=false", "/broken"])
async def test_only_good_answers_that_may_be_kept_are_kept(shop: Shop, path: str) -> None:
    await shop.read(path)
    await shop.read(path)
    assert shop.made == 2


async def test_what_is_kept_has_a_limit(shop: Shop, monkeypatch: Any) -> None:
    monkeypatch.setattr(kept_answers, "MAX_BYTES", 10_000)
    monkeypatch.setattr(kept_answers, "MAX_ANSWER_BYTES", 6_000)
    shop.size = 3_000
    assert [await shop.read(f"/page?q={number}") for number in (1, 2, 1, 3)] == ["1", "2", "1", "3"]
    assert await shop.read("/page?q=1") == "1"
    assert await shop.read("/page?q=2") == "4", "the one that was asked for the longest ago has gone"
    shop.size = 6_000
    assert await shop.read("/page?q=4") == "5"
    assert await shop.read("/page?q=4") == "6", "one that is too large is never kept"
