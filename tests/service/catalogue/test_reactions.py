"""What happens in the catalogue when something happens elsewhere."""

from datetime import date
from typing import Any

import httpx

from contracts.national_platforms import PlatformListed
from contracts.registration import CityMerged, PersonErased, PersonMerged
from shared.ids import new_id
from shared.testing import Topics, eventually
from tests.service.catalogue.conftest import Publish, body


async def public(client: httpx.AsyncClient, code: str, **wanted: Any) -> dict[str, Any]:
    """The public entry, once it has these values."""

    async def there() -> dict[str, Any] | None:
        answer = await client.get(f"/catalogue/entries/{code}")
        shown: dict[str, Any] = answer.json()
        return shown if answer.status_code == 200 and wanted.items() <= shown.items() else None

    return await eventually(there, f"{code} is public with {wanted}")


async def working_copy(client: httpx.AsyncClient, headers: dict[str, str], id: str, **wanted: Any) -> dict[str, Any]:
    """The working copy, once it has these values."""

    async def there() -> dict[str, Any] | None:
        shown: dict[str, Any] = (await client.get(f"/catalogue/entries/{id}/draft", headers=headers)).json()
        return shown if wanted.items() <= shown.items() else None

    return await eventually(there, f"{id} has {wanted}")


def listing(platform: str, **changes: Any) -> PlatformListed:
    values: dict[str, Any] = {
        "platform": platform,
        "name": "Illustrative Platform",
        "kind": "platform",
        "country": "SE",
        "sources": (f"https://{platform}.example.org",),
        "since": date(2026, 1, 1),
        "languages": ("sv",),
    }
    return PlatformListed(**values | changes)


async def test_a_listed_platform_gets_an_entry_that_follows_the_directory(
    catalogue: httpx.AsyncClient, topics: Topics, editor: dict[str, str]
) -> None:
    platform = f"se-{new_id('x')[-8:]}"
    await topics.publish(listing(platform))
    shown = await public(catalogue, platform, revision=1)
    assert (shown["kind"], shown["countries"], shown["languages"]) == ("national-platform", ["SE"], ["sv"])
    assert "Sweden" in shown["summary"]["text"]
    german = await catalogue.get(f"/catalogue/entries/{platform}", headers={"Accept-Language": "de"})
    assert "Schweden" in german.json()["summary"]["text"]
    assert german.json()["summary"]["origin"] == "machine"

    await topics.publish(listing(platform, website="https://platform.example.org"))
    shown = await public(catalogue, platform, revision=2)
    assert [link["url"] for link in shown["links"]] == ["https://platform.example.org"]

    copy = await working_copy(catalogue, editor, platform)
    edited = body(code=platform, title={"en": {"text": "Edited by people"}})
    seen = {"If-Match": f'"{copy["version"]}"'}
    assert (
        await catalogue.put(f"/catalogue/entries/{platform}", json=edited, headers=editor | seen)
    ).status_code == 200
    for step in ("submission", "publication"):
        await catalogue.post(f"/catalogue/entries/{platform}/{step}", headers=editor)
    other = f"se-{new_id('x')[-8:]}"
    await topics.publish(listing(platform, name="Renamed"), listing(other))
    await public(catalogue, other)
    assert (await public(catalogue, platform, revision=3))["title"]["text"] == "Edited by people"


async def test_a_merged_citys_entries_belong_to_the_city_that_it_is(
    catalogue: httpx.AsyncClient, topics: Topics, publish: Publish, editor: dict[str, str]
) -> None:
    old, new = new_id("city"), new_id("city")
    entry = await publish(owner={"kind": "city", "id": old})
    await topics.publish(CityMerged(city_id=old, into_city_id=new))
    await public(catalogue, entry["id"], owner={"kind": "city", "id": new}, revision=2)
    late = await catalogue.post("/catalogue/entries", json=body(owner={"kind": "city", "id": old}), headers=editor)
    assert late.json()["content"]["owner"] == {"kind": "city", "id": new}


async def test_a_merged_person_keeps_its_entries_and_an_erased_one_is_named_nowhere(
    catalogue: httpx.AsyncClient, topics: Topics, publish: Publish, editor: dict[str, str], editor_id: str
) -> None:
    entry = await publish()
    assert (entry["author"], entry["reviewed_by"]) == (editor_id, editor_id)
    today = new_id("prs")
    await topics.publish(PersonMerged(person_id=editor_id, into_person_id=today))
    await working_copy(catalogue, editor, entry["id"], author=today, reviewed_by=today)
    late = await catalogue.post("/catalogue/entries", json=body(), headers=editor)
    assert late.json()["author"] == today

    await topics.publish(PersonErased(person_id=today))
    await working_copy(catalogue, editor, entry["id"], author=None, reviewed_by=None)
    await public(catalogue, entry["id"])
    last = await catalogue.post("/catalogue/entries", json=body(), headers=editor)
    assert last.json()["author"] is None
