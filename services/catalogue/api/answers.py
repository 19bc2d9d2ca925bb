"""What readers and editors get."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Self

from pydantic import BaseModel

from contracts.catalogue import EntryOwner
from contracts.common import Audience, EmissionDomain, Lever, LocalisedText, TextOrigin, best_text
from services.catalogue.domain.search import Public, Shelf
from shared.paging import Page


class TextShown(BaseModel):
    """A text in the best language for the reader.

    ``fallback`` says that it is in none of the languages that the reader asked for, ``origin`` who made it.
    """

    text: str
    language: str
    origin: TextOrigin
    fallback: bool

    @classmethod
    def of(cls, texts: LocalisedText, languages: Sequence[str]) -> Self:
        """The text for a reader of these languages, the most wanted first; without any wish nothing is a fallback."""
        tag, text = best_text(texts, languages)
        wanted = {language.lower().split("-")[0] for language in languages}
        fallback = bool(wanted) and tag.lower().split("-")[0] not in wanted
        return cls(text=text.text, language=tag, origin=text.origin, fallback=fallback)


class LinkShown(BaseModel):
    """A link of an entry; ``language`` is that of the page behind it, when it is known."""

    kind: str
    url: str
    label: TextShown | None
    language: str | None


class EntryListed(BaseModel):
    """A public entry in a list."""

    id: str
    code: str
    kind: str
    title: TextShown
    summary: TextShown
    audiences: tuple[Audience, ...]
    languages: tuple[str, ...]
    countries: tuple[str, ...]
    domains: tuple[EmissionDomain, ...]
    levers: tuple[Lever, ...]
    programmes: tuple[str, ...]
    links: list[LinkShown]
    published_at: datetime

    @classmethod
    def of(cls, public: Public, languages: Sequence[str]) -> Self:
        """The entry for a reader of these languages."""
        return cls(**_listed(public, languages))


class RelatedShown(BaseModel):
    """Another public entry; ``kind`` says how the one points to the other, ``reverse`` that it points here."""

    kind: str
    reverse: bool
    id: str
    code: str
    title: TextShown


class EntryShown(EntryListed):
    """A public entry with everything that there is to know. ``texts_in``: the languages that it is written in."""

    needs: TextShown | None
    owner: EntryOwner
    topics: tuple[str, ...]
    licence: str | None
    reviewed_on: date | None
    revision: int
    texts_in: list[str]
    related: list[RelatedShown]

    @classmethod
    def on(cls, shelf: Shelf, public: Public, languages: Sequence[str]) -> Self:
        """The entry with its public relations in both directions."""
        entry = public.entry
        forth = [(r.kind, False, other) for r in entry.relations if (other := shelf.get(r.entry_id))]
        back = [
            (r.kind, True, other)
            for other in shelf.pointing_to(public.id)
            for r in other.entry.relations
            if r.entry_id == public.id
        ]
        related = [
            RelatedShown(
                kind=kind,
                reverse=reverse,
                id=other.id,
                code=other.entry.code,
                title=TextShown.of(other.entry.title, languages),
            )
            for kind, reverse, other in forth + back
        ]
        return cls(
            **_listed(public, languages),
            needs=TextShown.of(entry.needs, languages) if entry.needs else None,
            owner=entry.owner,
            topics=entry.topics,
            licence=entry.licence,
            reviewed_on=entry.reviewed_on,
            revision=public.revision,
            texts_in=sorted({*entry.title, *entry.summary}),
            related=related,
        )


def _listed(public: Public, languages: Sequence[str]) -> dict[str, object]:
    entry = public.entry
    links = [
        LinkShown(
            kind=link.kind,
            url=link.url,
            label=TextShown.of(link.label, languages) if link.label else None,
            language=link.language,
        )
        for link in entry.links
    ]
    return {
        "id": public.id,
        "code": entry.code,
        "kind": entry.kind,
        "links": links,
        "title": TextShown.of(entry.title, languages),
        "summary": TextShown.of(entry.summary, languages),
        **{name: getattr(entry, name) for name in ("audiences", "languages", "countries", "domains", "levers")},
        "programmes": entry.programmes,
        "published_at": public.published_at,
    }


class FacetValue(BaseModel):
    """One value of a facet, and how many entries a list with it would have."""

    value: str
    count: int


class EntryPage(Page[EntryListed]):
    """Found entries, best first, and what they could be narrowed by."""

    facets: dict[str, list[FacetValue]]
