"""A running catalogue, an editor, and how to publish an entry."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest

from services.catalogue.main import create_app
from shared.ids import new_id
from shared.testing import Tokens, serving
from tests.service.conftest import SettingsFor

Publish = Callable[..., Awaitable[dict[str, Any]]]


def body(**fields: Any) -> dict[str, Any]:
    """A valid entry, with a code of its own."""
    return {
        "code": new_id("x").replace("_", "-"),
        "kind": "tool",
        "title": {"en": {"text": "Heat map"}},
        "summary": {"en": {"text": "Shows where heat is lost."}},
    } | fields


@pytest.fixture
async def catalogue(settings_for: SettingsFor, tokens: Tokens) -> AsyncIterator[httpx.AsyncClient]:
    """The service, at work."""
    async with serving(create_app(settings_for("catalogue"))) as client:
        yield client


@pytest.fixture
def editor_id() -> str:
    """The person who edits."""
    return new_id("prs")


@pytest.fixture
def editor(tokens: Tokens, editor_id: str) -> dict[str, str]:
    """The headers of an editor of everything."""
    return tokens.bearer(editor_id, roles=["editor"])


@pytest.fixture
def publish(catalogue: httpx.AsyncClient, editor: dict[str, str]) -> Publish:
    """``await publish(title=…)``: writes, submits and publishes an entry; gives its working copy."""

    async def make(**fields: Any) -> dict[str, Any]:
        answer = await catalogue.post("/catalogue/entries", json=body(**fields), headers=editor)
        assert answer.status_code == 201, answer.text
        id = answer.json()["id"]
        for step in ("submission", "publication"):
            answer = await catalogue.post(f"/catalogue/entries/{id}/{step}", headers=editor)
            assert answer.status_code == 200, answer.text
        shown: dict[str, Any] = answer.json()
        return shown

    return make
