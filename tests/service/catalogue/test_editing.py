"""Editors bring entries to the public and take them back; others cannot."""

from typing import Any

import httpx
import pytest

from contracts.catalogue import EntryDrafted, EntryPublished, EntrySubmitted, EntryWithdrawn
from shared.identity import Grant
from shared.ids import new_id
from shared.testing import Tokens, Topics, eventually
from tests.service.catalogue.conftest import Publish, body


async def test_an_entry_goes_from_draft_to_the_public_and_every_step_is_told(
    catalogue: httpx.AsyncClient, editor: dict[str, str], editor_id: str, topics: Topics
) -> None:
    answer = await catalogue.post("/catalogue/entries", json=body(title={"en": {"text": "First"}}), headers=editor)
    assert answer.status_code == 201
    draft = answer.json()
    entry = f"/catalogue/entries/{draft['id']}"
    assert answer.headers["location"] == f"{entry}/draft"
    assert (await catalogue.get(entry)).status_code == 404

    revision = body(
        code=draft["code"] if "code" in draft else draft["content"]["code"], title={"en": {"text": "Better"}}
    )
    changed = await catalogue.put(entry, json=revision, headers=editor | {"If-Match": answer.headers["etag"]})
    assert changed.status_code == 200
    assert changed.json()["version"] == 2

    submitted = await catalogue.post(f"{entry}/submission", headers=editor)
    assert submitted.json()["status"] == "in-review"
    returned = await catalogue.post(f"{entry}/return", json={"note": "Say for whom."}, headers=editor)
    assert (returned.json()["status"], returned.json()["note"]) == ("draft", "Say for whom.")
    await catalogue.post(f"{entry}/submission", headers=editor)
    published = await catalogue.post(f"{entry}/publication", headers=editor)
    assert published.json()["status"] == "published"

    async def readable() -> dict[str, Any] | None:
        shown = await catalogue.get(entry)
        return shown.json() if shown.status_code == 200 else None

    shown = await eventually(readable, "the entry is public")
    assert shown["title"]["text"] == "Better"

    withdrawn = await catalogue.post(f"{entry}/withdrawal", json={"reason": "outdated"}, headers=editor)
    assert withdrawn.json()["status"] == "withdrawn"

    async def told() -> list[Any] | None:
        facts = [each.event for each in await topics.read("catalogue.entries", subject=draft["id"])]
        return facts if len(facts) == 7 else None

    facts = await eventually(told, "all steps are on the topic")
    kinds = [EntryDrafted, EntryDrafted, EntrySubmitted, EntryDrafted, EntrySubmitted, EntryPublished, EntryWithdrawn]
    assert [type(fact) for fact in facts] == kinds
    assert facts[5].entry.title["en"].text == "Better"
    assert facts[5].reviewed_by == editor_id
    assert "Say for whom." not in "".join(fact.model_dump_json() for fact in facts)


async def test_what_is_public_stays_while_a_new_draft_is_written(
    catalogue: httpx.AsyncClient, editor: dict[str, str], publish: Publish
) -> None:
    entry = await publish(title={"en": {"text": "Public"}})
    path = f"/catalogue/entries/{entry['id']}"
    new = body(code=entry["content"]["code"], title={"en": {"text": "Not yet"}})
    changed = await catalogue.put(path, json=new, headers=editor | {"If-Match": f'"{entry["version"]}"'})
    assert (changed.json()["status"], changed.json()["public"]["title"]["en"]["text"]) == ("draft", "Public")
    draft = await catalogue.get(f"{path}/draft", headers=editor)
    assert draft.json()["content"]["title"]["en"]["text"] == "Not yet"
    assert (await catalogue.get(path)).json()["title"]["text"] == "Public"


async def test_two_editors_do_not_overwrite_each_other(
    catalogue: httpx.AsyncClient, editor: dict[str, str], publish: Publish
) -> None:
    entry = await publish()
    path = f"/catalogue/entries/{entry['id']}"
    new = body(code=entry["content"]["code"])
    seen = {"If-Match": f'"{entry["version"]}"'}
    assert (await catalogue.put(path, json=new, headers=editor)).status_code == 428
    assert (await catalogue.put(path, json=new, headers=editor | seen)).status_code == 200
    late = await catalogue.put(path, json=new, headers=editor | seen)
    assert (late.status_code, late.json()["code"]) == (412, "changed-meanwhile")


async def test_a_step_that_the_state_does_not_allow_is_refused(
    catalogue: httpx.AsyncClient, editor: dict[str, str], publish: Publish
) -> None:
    entry = await publish()
    again = await catalogue.post(f"/catalogue/entries/{entry['id']}/publication", headers=editor)
    assert (again.status_code, again.json()["code"]) == (409, "wrong-state")
    assert again.json()["params"] == {"status": "published", "action": "publish"}


async def test_only_editors_write_and_only_what_is_theirs(
    catalogue: httpx.AsyncClient, tokens: Tokens, publish: Publish, topics: Topics
) -> None:
    entry = await publish()
    path = f"/catalogue/entries/{entry['id']}"
    nobody = tokens.bearer(new_id("prs"), roles=["reviewer"])
    foreign = tokens.bearer(new_id("prs"), roles=[Grant("editor", "platform", "se-viable-cities")])
    assert (await catalogue.post("/catalogue/entries", json=body())).status_code == 401
    assert (await catalogue.post("/catalogue/entries", json=body(), headers=nobody)).status_code == 403
    assert (await catalogue.post("/catalogue/entries", json=body(), headers=foreign)).status_code == 403
    assert (await catalogue.post(f"{path}/withdrawal", json={"reason": "x"}, headers=foreign)).status_code == 403
    assert (await catalogue.get(f"{path}/draft", headers=foreign)).status_code == 403
    own = body(owner={"kind": "platform", "id": "se-viable-cities"})
    mine = await catalogue.post("/catalogue/entries", json=own, headers=foreign)
    assert mine.status_code == 201
    drafts = await catalogue.get("/catalogue/drafts?status=draft", headers=foreign)
    assert [item["id"] for item in drafts.json()["items"]] == [mine.json()["id"]]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"title": {}}, "body.title"),
        ({"title": {"xx-nowhere": {"text": "?"}}}, "body.title.xx-nowhere.[key]"),
        ({"title": {"en": {"text": "x" * 10_000}}}, "body.title.en.text"),
        ({"countries": ["XY"]}, "body.countries.0"),
        ({"code": "Not a code"}, "body.code"),
        ({"links": [{"kind": "homepage", "url": "javascript:alert(1)"}]}, "body.links.0.url"),
        ({"reviewed_on": "2026-02-30"}, "body.reviewed_on"),
        ({"relations": [{"kind": "uses", "entry": "no-such-entry"}]}, "body.relations.0.entry"),
        ({"colour": "red"}, "body.colour"),
    ],
)
async def test_an_entry_that_cannot_be_is_refused_with_the_field_that_is_wrong(
    catalogue: httpx.AsyncClient, editor: dict[str, str], fields: dict[str, Any], field: str
) -> None:
    answer = await catalogue.post("/catalogue/entries", json=body(**fields), headers=editor)
    assert answer.status_code == 422
    assert field in [error["field"] for error in answer.json()["errors"]]


async def test_a_code_is_taken_once_and_kept(
    catalogue: httpx.AsyncClient, editor: dict[str, str], publish: Publish
) -> None:
    entry = await publish()
    taken = await catalogue.post("/catalogue/entries", json=body(code=entry["content"]["code"]), headers=editor)
    assert (taken.status_code, taken.json()["code"]) == (409, "code-taken")
    seen = {"If-Match": f'"{entry["version"]}"'}
    renamed = await catalogue.put(f"/catalogue/entries/{entry['id']}", json=body(), headers=editor | seen)
    assert (renamed.status_code, renamed.json()["code"]) == (422, "code-fixed")


async def test_a_repeated_request_gets_the_first_answer_and_makes_one_entry(
    catalogue: httpx.AsyncClient, editor: dict[str, str]
) -> None:
    content = body()
    once = editor | {"Idempotency-Key": new_id("key")}
    first = await catalogue.post("/catalogue/entries", json=content, headers=once)
    second = await catalogue.post("/catalogue/entries", json=content, headers=once)
    assert (second.status_code, second.json()) == (201, first.json())
    other = await catalogue.post("/catalogue/entries", json=body(), headers=once)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-key-reused")
