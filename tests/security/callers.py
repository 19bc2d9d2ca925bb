"""Who calls: one person for each right that the platform knows, with a token as registration signs them."""

from dataclasses import dataclass, field, replace

from shared.identity import Grant
from shared.ids import new_id
from shared.testing import Tokens
from tests.security.matrix import ANONYMOUS

OWN_PROGRAMME, OTHER_PROGRAMME = "twinning-here", "twinning-there"
OWN_COUNTRY, OTHER_COUNTRY = "PT", "SE"
OWN_PLATFORM, OTHER_PLATFORM = "pt-illustrative-here", "se-illustrative-there"
LASTING = 3600


@dataclass(frozen=True)
class Caller:
    """Somebody with rights; ``person`` is empty for a caller without a token."""

    name: str
    person: str
    headers: dict[str, str] = field(repr=False)
    cities: tuple[str, ...] = ()
    grants: tuple[Grant, ...] = ()


def grants(city: str) -> dict[str, tuple[Grant, ...]]:
    """What each caller of the matrix was granted; the member of the own city has its membership instead."""
    country, programme = ("country", OWN_COUNTRY), ("programme", OWN_PROGRAMME)
    return {
        ANONYMOUS: (),
        "person": (),
        "member": (),
        "helpdesk": (Grant("helpdesk"),),
        "helpdesk-country": (Grant("helpdesk", *country),),
        "manager": (Grant("programme-manager"),),
        "manager-programme": (Grant("programme-manager", *programme),),
        "reviewer": (Grant("reviewer"),),
        "editor": (Grant("editor"),),
        "editor-city": (Grant("editor", "city", city),),
        "editor-platform": (Grant("editor", "platform", OWN_PLATFORM),),
        "organiser": (Grant("organiser"),),
        "organiser-programme": (Grant("organiser", *programme),),
        "administrator": (Grant("administrator"),),
        "administrator-country": (Grant("administrator", *country),),
        "operator": (Grant("operator"),),
        "operator-country": (Grant("operator", *country),),
    }


def make(tokens: Tokens, name: str, granted: tuple[Grant, ...], *cities: str, person: str | None = None) -> Caller:
    """A caller with these rights."""
    person = person or new_id("prs")
    headers = tokens.bearer(person, cities=cities, roles=granted, lifetime=LASTING)
    return Caller(name, person, headers, cities, granted)


def everybody(tokens: Tokens, city: str) -> dict[str, Caller]:
    """All callers by name; ``city`` is the own one."""
    found = {
        name: make(tokens, name, granted, *([city] if name == "member" else []))
        for name, granted in grants(city).items()
    }
    found[ANONYMOUS] = replace(found[ANONYMOUS], person="", headers={})
    return found
