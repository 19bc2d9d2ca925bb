"""Everybody reads the public catalogue, in their language."""

from typing import Any

import httpx

from services.catalogue.main import create_app
from shared.ids import new_id
from shared.testing import eventually, serving
from tests.service.catalogue.conftest import Publish
from tests.service.conftest import SettingsFor


async def listed(client: httpx.AsyncClient, count: int, **query: Any) -> dict[str, Any]:
    """The list, once it holds so many entries."""

    async def whole() -> dict[str, Any] | None:
        answer = await client.get("/catalogue/entries", params=query)
        assert answer.status_code == 200, answer.text
        page: dict[str, Any] = answer.json()
        return page if page["total"] == count else None

    return await eventually(whole, f"{count} entries fit {query}")


async def test_words_without_accents_find_texts_with_them_in_any_language(
    catalogue: httpx.AsyncClient, publish: Publish
) -> None:
    word = "é" + new_id("w")[-10:]
    entry = await publish(title={"en": {"text": "Plan"}, "pt": {"text": f"Ação {word}", "origin": "machine"}})
    page = await listed(catalogue, 1, q=word.replace("é", "E"))
    assert page["items"][0]["id"] == entry["id"]


async def test_a_reader_gets_its_language_or_is_told_that_it_is_another(
    catalogue: httpx.AsyncClient, publish: Publish
) -> None:
    entry = await publish(title={"en": {"text": "Plan"}, "pt": {"text": "Plano", "origin": "machine"}})
    path = f"/catalogue/entries/{entry['id']}"

    async def title(languages: str) -> dict[str, Any]:
        shown: dict[str, Any] = (await catalogue.get(path, headers={"Accept-Language": languages})).json()["title"]
        return shown

    await listed(catalogue, 1, q=entry["content"]["code"])
    plano = {"text": "Plano", "language": "pt", "origin": "machine", "fallback": False}
    assert await title("pt-BR, en;q=0.5") == plano
    assert await title("en;q=0.2, pt;q=0.9") == plano
    assert await title("sv") == {"text": "Plan", "language": "en", "origin": "human", "fallback": True}
    assert (await catalogue.get(path)).json()["title"]["fallback"] is False


async def test_an_unchanged_answer_is_not_sent_again(catalogue: httpx.AsyncClient, publish: Publish) -> None:
    entry = await publish()
    code = entry["content"]["code"]
    await listed(catalogue, 1, q=code)
    for path in (f"/catalogue/entries/{code}", f"/catalogue/entries?q={code}"):
        first = await catalogue.get(path)
        assert "public" in first.headers["cache-control"]
        assert first.headers["vary"] == "Accept-Language"
        again = await catalogue.get(path, headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        other = await catalogue.get(path, headers={"If-None-Match": '"something-else"'})
        assert other.status_code == 200


async def test_a_list_is_narrowed_by_facets_and_paged_to_its_end(
    catalogue: httpx.AsyncClient, publish: Publish
) -> None:
    programme = new_id("p").replace("_", "-")
    for number in range(5):
        await publish(
            title={"en": {"text": f"Entry {number}"}},
            kind="course" if number % 2 else "tool",
            programmes=[programme],
            domains=["mobility"],
        )
    page = await listed(catalogue, 5, programme=programme)
    assert {"value": "tool", "count": 3} in page["facets"]["kind"]
    assert {"value": "course", "count": 2} in page["facets"]["kind"]
    assert (await listed(catalogue, 2, programme=programme, kind="course"))["facets"]["domain"] == [
        {"value": "mobility", "count": 2}
    ]
    titles: list[str] = []
    query: dict[str, Any] = {"programme": programme, "limit": 2}
    while True:
        page = (await catalogue.get("/catalogue/entries", params=query)).json()
        titles += [item["title"]["text"] for item in page["items"]]
        if page["next"] is None:
            break
        query["cursor"] = page["next"]
    assert titles == [f"Entry {number}" for number in range(5)]


async def test_a_cursor_of_another_list_or_a_tampered_one_is_refused(
    catalogue: httpx.AsyncClient, publish: Publish
) -> None:
    programme = new_id("p").replace("_", "-")
    for _ in range(2):
        await publish(programmes=[programme])
    await listed(catalogue, 2, programme=programme)
    first = await catalogue.get("/catalogue/entries", params={"programme": programme, "limit": 1})
    cursor = first.json()["next"]
    for query in ({"limit": 1, "cursor": cursor}, {"programme": programme, "cursor": "A" + cursor}):
        answer = await catalogue.get("/catalogue/entries", params=query)
        assert (answer.status_code, answer.json()["code"]) == (400, "cursor-invalid")


async def test_an_empty_list_says_what_to_do(catalogue: httpx.AsyncClient) -> None:
    page = (await catalogue.get("/catalogue/entries", params={"q": new_id("nothing")})).json()
    assert page["items"] == []
    assert "helpdesk" in page["hint"]


async def test_a_withdrawn_entry_leads_to_what_replaces_it(
    catalogue: httpx.AsyncClient, publish: Publish, editor: dict[str, str]
) -> None:
    old, new = await publish(), await publish()
    path = f"/catalogue/entries/{old['id']}"
    successor = new["content"]["code"]
    answer = await catalogue.post(
        f"{path}/withdrawal", json={"reason": "moved", "replaced_by": successor}, headers=editor
    )
    assert answer.status_code == 200

    async def gone() -> httpx.Response | None:
        shown = await catalogue.get(path)
        return shown if shown.status_code == 410 else None

    assert (await eventually(gone, "it is gone")).json()["params"] == {"replaced_by": new["id"]}


async def test_relations_are_shown_in_both_directions(catalogue: httpx.AsyncClient, publish: Publish) -> None:
    whole = await publish(title={"en": {"text": "Whole"}})
    part = await publish(title={"en": {"text": "Part"}}, relations=[{"kind": "part-of", "entry": whole["id"]}])
    await listed(catalogue, 1, q=part["content"]["code"])
    (forth,) = (await catalogue.get(f"/catalogue/entries/{part['id']}")).json()["related"]
    assert (forth["kind"], forth["reverse"], forth["title"]["text"]) == ("part-of", False, "Whole")
    (back,) = (await catalogue.get(f"/catalogue/entries/{whole['id']}")).json()["related"]
    assert (back["kind"], back["reverse"], back["title"]["text"]) == ("part-of", True, "Part")


async def test_another_instance_shows_a_publication_and_one_that_starts_later_has_it_too(
    catalogue: httpx.AsyncClient, publish: Publish, settings_for: SettingsFor
) -> None:
    async with serving(create_app(settings_for("catalogue", instance=1))) as second:
        entry = await publish()
        await listed(second, 1, q=entry["content"]["code"])
    async with serving(create_app(settings_for("catalogue", instance=2))) as third:
        assert (await third.get(f"/catalogue/entries/{entry['id']}")).status_code == 200
