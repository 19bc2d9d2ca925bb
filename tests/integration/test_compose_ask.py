"""How an operator's questions reach a database that only its own service's container can reach."""

import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from pymongo import MongoClient

from infra.compose.stack import ComposeStack
from infra.databases import database
from infra.local.errors import LocalError
from infra.local.stack import LocalStack

SERVICE = "catalogue"


class OnThisMachine(ComposeStack):
    """The same program and the same pipe, without a container around them."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        super().__init__()
        self._settings = settings

    def inside(self, service: str, *command: str) -> list[str]:
        return [sys.executable, *command[1:]]

    def environment(self) -> dict[str, str]:
        return os.environ | self._settings


def test_questions_and_answers_keep_their_types(stack: LocalStack) -> None:
    moment = datetime(2030, 1, 31, 10, 0, 0, 5_000, UTC)
    with MongoClient[dict[str, Any]](stack.mongo.url(SERVICE)) as client:
        client[database(SERVICE)].asked.insert_many([{"_id": 1, "at": moment}, {"_id": 2, "at": None}])
    later: dict[str, Any] = {"find": "asked", "filter": {"at": {"$gte": moment}}}
    found, count = OnThisMachine(stack.settings_for(SERVICE)).ask(SERVICE, later, {"count": "asked"})
    assert found["cursor"]["firstBatch"] == [{"_id": 1, "at": moment}]
    assert count["n"] == 2


def test_a_database_that_refuses_is_one_sentence(stack: LocalStack) -> None:
    settings = stack.settings_for(SERVICE) | {"MISSION_MONGO_DATABASE": "registration"}
    with pytest.raises(LocalError, match=r"^catalogue cannot ask its database; .*not authorized"):
        OnThisMachine(settings).ask(SERVICE, {"find": "cities"})
