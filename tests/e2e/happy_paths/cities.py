"""Cities: declared, approved, changed, joined, left, merged."""

from tests.e2e.forms import EVIDENCE, authority, declaration
from tests.e2e.happy_paths.world import World

COMMITMENT = {"neutral_by": 2040, "committed_on": "2024-05-01", "evidence": "Decision of the council"}
REASON = {"reason": {"code": "not-enough-evidence"}}


def walk(world: World) -> None:
    """Everything that concerns cities."""
    api = world.api
    api.do("GET /places", query={"q": "lis", "country": "PT"})
    api.do("GET /countries")
    _own_city(world)
    _members(world)
    _helpdesk(world)


def _own_city(world: World) -> None:
    api, member, city = world.api, world.people["member"], world.city
    api.do("GET /cities", query={"country": "PT"})
    api.do("GET /cities/{city}", member, city=city)
    api.do("GET /cities/{city}/next-steps", member, city=city)
    name, place = "Município de Leiria", world.places("Leiria", "PT")
    api.do("PUT /cities/{city}/authority", member, authority(name, place), city=city)
    api.do("PUT /cities/{city}/profile", member, {"domains": ["mobility"]}, city=city)
    api.do("PUT /cities/{city}/commitment", member, COMMITMENT, city=city)
    api.do("DELETE /cities/{city}/commitment", member, city=city)
    api.do("PUT /cities/{city}/mailbox", member, {"mail_address": "climate@leiria.example"}, city=city)
    api.do("DELETE /cities/{city}/mailbox", member, city=city)
    api.do("POST /cities/{city}/onboarding/exploration", member, city=city)


def _members(world: World) -> None:
    api, member, helpdesk, city = world.api, world.people["member"], world.people["helpdesk"], world.city
    api.do("POST /cities/{city}/invitations", member, {"mail_address": "colleague@leiria.example"}, city=city)
    newcomer, leaver = world.somebody("newcomer"), world.somebody("leaver")
    asked = api.do("POST /cities/{city}/memberships", newcomer, {"evidence": EVIDENCE}, city=city)["id"]
    api.do("GET /cities/{city}/members", member, city=city)
    api.do("GET /memberships", helpdesk)
    api.do("POST /memberships/{membership}/{decision}", helpdesk, REASON, membership=asked, decision="refusal")
    asked = api.do("POST /cities/{city}/memberships", leaver, {}, city=city)["id"]
    api.do("POST /memberships/{membership}/approval", helpdesk, {"evidence": EVIDENCE}, membership=asked)
    api.do("DELETE /me/memberships/{membership}", leaver, membership=asked)


def _helpdesk(world: World) -> None:
    api, helpdesk = world.api, world.people["helpdesk"]
    status = {"kind": "mission-city", "valid_from": "2022-04-28", "source": "illustrative"}
    api.do("PUT /cities/{city}/statuses", helpdesk, {"statuses": [status]}, city=world.city)
    name, place = "Torres Vedras", world.places("Torres Vedras", "PT")
    registered = {"authority": authority(name, place), "origin": "official-list"}
    official = api.do("POST /helpdesk/cities", helpdesk, registered)["id"]
    body = declaration("Peniche", world.places("Peniche", "PT"))
    declared = api.do("POST /cities", world.somebody("declares"), body)["city"]["id"]
    api.do("GET /helpdesk/cities", helpdesk)
    api.do("POST /helpdesk/cities/{city}/merge", helpdesk, {"into": official}, city=declared)
