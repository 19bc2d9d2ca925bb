"""What editors send."""

from datetime import date
from typing import Annotated, Any, Final

from babel import Locale
from pydantic import AfterValidator, ConfigDict, Field, StringConstraints

from contracts.catalogue import Entry
from contracts.common import (
    Audience,
    CountryCode,
    EmissionDomain,
    LanguageTag,
    Lever,
    Slug,
    TextOrigin,
    WebAddress,
)
from shared.bodies import Body

ENGLISH = Locale("en")


def _known_language(tag: str) -> str:
    if tag.lower().split("-")[0] not in ENGLISH.languages:
        raise ValueError(f"{tag} is not a language (BCP 47)")
    return tag


def _known_country(code: str) -> str:
    if code not in ENGLISH.territories:
        raise ValueError(f"{code} is not a country (ISO 3166-1)")
    return code


Language = Annotated[LanguageTag, AfterValidator(_known_language)]
Country = Annotated[CountryCode, AfterValidator(_known_country)]
Reference = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(?:[-._][a-z0-9]+)*$", max_length=80)]
"""An entry's id or code."""


class ShortTextIn(Body):
    """A title or label in one language, and whether a person or a machine made it."""

    text: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    origin: TextOrigin = TextOrigin.HUMAN


class TextIn(Body):
    """A text in one language, and whether a person or a machine made it."""

    text: Annotated[str, StringConstraints(min_length=1, max_length=5000)]
    origin: TextOrigin = TextOrigin.HUMAN


ONLY_LANGUAGES: Final[dict[str, Any]] = {"additionalProperties": False}
ShortTexts = Annotated[
    dict[Language, ShortTextIn], Field(min_length=1, max_length=60, json_schema_extra=ONLY_LANGUAGES)
]
Texts = Annotated[dict[Language, TextIn], Field(min_length=1, max_length=60, json_schema_extra=ONLY_LANGUAGES)]


class OwnerIn(Body):
    """Who answers for the entry: ``mission``, ``programme``, ``city`` or ``platform``, with its id."""

    kind: Annotated[Slug, Field(examples=["mission"])] = "mission"
    id: Annotated[str, StringConstraints(min_length=1, max_length=120)] | None = None


class LinkIn(Body):
    """A link, such as ``homepage``, ``launch``, ``sign-up`` or ``recording``."""

    kind: Slug
    url: WebAddress
    label: ShortTexts | None = None
    language: Language | None = None


class RelationIn(Body):
    """How the entry relates to another: ``part-of``, ``uses``, ``about``, …; ``entry`` is the other's id or code."""

    kind: Slug
    entry: Reference


EXAMPLE: Final[dict[str, Any]] = {
    "code": "heat-map",
    "kind": "tool",
    "title": {"en": {"text": "Heat map"}, "pt": {"text": "Mapa de calor", "origin": "machine"}},
    "summary": {"en": {"text": "Shows where buildings lose heat."}},
    "audiences": ["mission-minded-cities"],
    "languages": ["en"],
    "domains": ["built-environment"],
    "links": [{"kind": "homepage", "url": "https://example.org/heat-map"}],
}


class EntryIn(Body):
    """An entry's whole content. ``needs`` is what one needs before one starts."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    code: Annotated[Slug, Field(description="Its readable name in addresses; fixed from the start")]
    kind: Annotated[Slug, Field(examples=["tool", "programme", "service"])]
    title: ShortTexts
    summary: Texts
    needs: Texts | None = None
    owner: OwnerIn = OwnerIn()
    audiences: Annotated[list[Audience], Field(min_length=1, max_length=10)] = [Audience.EVERYONE]
    languages: Annotated[list[Language], Field(max_length=60)] = []
    countries: Annotated[list[Country], Field(max_length=60)] = []
    domains: Annotated[list[EmissionDomain], Field(max_length=20)] = []
    levers: Annotated[list[Lever], Field(max_length=20)] = []
    topics: Annotated[list[Slug], Field(max_length=30)] = []
    programmes: Annotated[list[Slug], Field(max_length=30)] = []
    links: Annotated[list[LinkIn], Field(max_length=30)] = []
    relations: Annotated[list[RelationIn], Field(max_length=60)] = []
    licence: Annotated[str, StringConstraints(min_length=1, max_length=120)] | None = None
    reviewed_on: date | None = None

    def content(self) -> Entry:
        """The content as the catalogue keeps it, without the relations, which are looked up first."""
        values = self.model_dump(exclude={"relations"})
        for name, value in values.items():
            if isinstance(value, list) and name != "links":
                values[name] = tuple(dict.fromkeys(value))
        return Entry.model_validate(values)

    def related(self) -> list[tuple[str, str]]:
        """The relations as kind and the other entry's id or code."""
        return [(relation.kind, relation.entry) for relation in self.relations]


class SendBackIn(Body):
    """What the author should change."""

    note: Annotated[str, StringConstraints(min_length=1, max_length=2000)]


class WithdrawIn(Body):
    """Why the entry goes, and the id or code of the entry that its readers are led to."""

    reason: Annotated[Slug, Field(examples=["outdated", "moved", "mistaken"])]
    note: Annotated[str, StringConstraints(min_length=1, max_length=2000)] | None = None
    replaced_by: Reference | None = None
