"""A national platform's entry, made from what the directory says of it."""

from collections.abc import Mapping
from typing import Final

from contracts.catalogue import Entry, EntryLink, EntryOwner
from contracts.common import Audience, Text, TextOrigin
from contracts.national_platforms import PlatformListed

KIND: Final = "national-platform"
OWNER_KIND: Final = "platform"

SUMMARIES: Final = {
    "en": "Brings cities in {country} together with national partners: help with policy and money, useful tools,"
    " learning from one another, and a line to the European level. Its events stand in the platform's calendar.",
    "pt": "Reúne cidades e parceiros nacionais ({country}): apoio em políticas e financiamento, ferramentas úteis,"
    " aprendizagem entre pares e ligação ao nível europeu. Os seus eventos constam do calendário da plataforma.",
    "de": "Bringt Städte und nationale Partner zusammen ({country}): Hilfe bei Politik und Finanzierung, nützliche"
    " Werkzeuge, Lernen voneinander und ein Draht zur europäischen Ebene. Termine stehen im Kalender der Plattform.",
}


def platform_entry(listed: PlatformListed, country_names: Mapping[str, str]) -> Entry:
    """The entry of a platform; ``country_names`` are its country's name by language."""
    summary = {
        language: Text(text=text.format(country=country_names[language]), origin=TextOrigin.MACHINE)
        for language, text in SUMMARIES.items()
    }
    return Entry(
        code=listed.platform,
        kind=KIND,
        title={"en": Text(text=listed.name)},
        summary=summary,
        owner=EntryOwner(kind=OWNER_KIND, id=listed.platform),
        audiences=(Audience.NATIONAL,),
        languages=listed.languages,
        countries=(listed.country,),
        programmes=("national-platforms",),
        links=(EntryLink(kind="homepage", url=listed.website),) if listed.website else (),
    )
