"""The catalogue: written, reviewed, published, found, withdrawn."""

from tests.e2e.forms import entry
from tests.e2e.happy_paths.world import World


def walk(world: World) -> None:
    """Everything that concerns entries."""
    api, editor = world.api, world.people["editor"]
    whole = entry("heat-map-illustrative")
    id = api.do("POST /catalogue/entries", editor, whole)["id"]
    revised = whole | {"languages": ["en"]}
    api.do("PUT /catalogue/entries/{entry}", editor, revised, headers={"If-Match": '"1"'}, entry=id)
    api.do("POST /catalogue/entries/{entry}/submission", editor, entry=id)
    api.do("POST /catalogue/entries/{entry}/return", editor, {"note": "Say where the data come from."}, entry=id)
    api.do("POST /catalogue/entries/{entry}/submission", editor, entry=id)
    api.do("GET /catalogue/drafts", editor)
    api.do("GET /catalogue/entries/{entry}/draft", editor, entry=id)
    api.do("POST /catalogue/entries/{entry}/publication", editor, entry=id)
    api.do("GET /catalogue/entries", query={"q": "heat"})
    api.do("GET /catalogue/entries/{entry}", soon=True, entry=id)
    other = api.do("POST /catalogue/entries", editor, entry("old-map-illustrative"))["id"]
    api.do("POST /catalogue/entries/{entry}/withdrawal", editor, {"reason": "outdated"}, entry=other)
