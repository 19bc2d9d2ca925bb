"""What is asked for is found by an index, and a release may declare an index otherwise than the last."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from pymongo import IndexModel

from contracts.registry import STORING
from infra.local.stack import LocalStack
from mission.doctor.stores import collections, declared
from shared.clock import Clock
from shared.store import ANY_TEXT, Collection, Document, Store
from tests.integration import backbone


@pytest.fixture
async def store(stack: LocalStack, request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    """A service's store: the catalogue's, unless a test names another one."""
    service = getattr(request, "param", "catalogue")
    settings = backbone.settings(stack, service)
    opened = Store(settings.mongo_url.get_secret_value(), settings.database, service, Clock())
    yield opened
    opened.close()


def asking(index: Mapping[str, Any]) -> dict[str, Any]:
    """A query for one value in each field of an index, among the documents that it holds."""
    fixed = {name: value for name, value in index.get("partialFilterExpression", {}).items() if value != ANY_TEXT}
    return {**dict.fromkeys(index["key"], "something"), **fixed}


@pytest.mark.parametrize("store", sorted(STORING), indirect=True)
async def test_a_query_for_the_fields_of_an_index_does_not_read_the_whole_collection(store: Store) -> None:
    await store.prepare(collections(store.service))
    for name, each in declared(store.service, store.present).items():
        for index in each.values():
            find = {"find": name, "filter": asking(index)}
            plan = (await store.db.command("explain", find, verbosity="queryPlanner"))["queryPlanner"]["winningPlan"]
            assert "COLLSCAN" not in str(plan), f"{name}: {index['name']} is no help for {find['filter']}"


async def test_an_index_that_is_declared_otherwise_takes_the_place_of_the_old_one(store: Store) -> None:
    def things(**options: Any) -> Collection[Document]:
        kept = IndexModel([("kept", 1)])
        return Collection("test_indexed", Document, indexes=[kept, IndexModel([("changed", 1)], **options)])

    await store.prepare([things(partialFilterExpression={"changed": {"$type": "string"}})])
    await store.prepare([things(partialFilterExpression={"changed": ANY_TEXT})])
    present = await store.raw("test_indexed").index_information()
    assert set(present) == {"_id_", "kept_1", "changed_1"}
    assert present["changed_1"]["partialFilterExpression"] == {"changed": ANY_TEXT}
