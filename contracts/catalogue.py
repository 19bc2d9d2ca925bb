"""Events of the catalogue: what is on offer, from tools and programmes to knowledge, and its way to publication."""

from datetime import date
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from contracts.common import (
    Audience,
    CountryCode,
    EmissionDomain,
    EntryId,
    LanguageTag,
    Lever,
    LocalisedText,
    PersonId,
    Reason,
    Slug,
    WebAddress,
)
from contracts.envelope import Event, Model


class EntryStatus(StrEnum):
    """Where an entry stands."""

    DRAFT = "draft"
    IN_REVIEW = "in-review"
    PUBLISHED = "published"
    WITHDRAWN = "withdrawn"


class EntryOwner(Model):
    """Who answers for an entry: ``mission``, ``programme``, ``city`` or ``platform``, with its id: no person."""

    kind: Slug
    id: Annotated[str, StringConstraints(min_length=1, max_length=120)] | None = None


class EntryLink(Model):
    """A link of an entry, such as ``homepage``, ``launch``, ``sign-up`` or ``recording``."""

    kind: Slug
    url: WebAddress
    label: LocalisedText | None = None
    language: LanguageTag | None = None


class Relation(Model):
    """How an entry relates to another one: ``part-of``, ``uses``, ``replaces``, ``about``, …"""

    kind: Slug
    entry_id: EntryId


class Entry(Model):
    """The full public state of an entry.

    ``code`` is its readable name in addresses. ``kind``: ``tool``, ``case-study``, ``fact-sheet``, ``course``,
    ``programme``, ``service``, …. ``needs`` is what one needs before one starts. ``reviewed_on`` is the day on which
    somebody last confirmed that it is still true.
    """

    code: Slug
    kind: Slug
    title: LocalisedText
    summary: LocalisedText
    needs: LocalisedText | None = None
    owner: EntryOwner
    audiences: tuple[Audience, ...] = (Audience.EVERYONE,)
    languages: tuple[LanguageTag, ...] = ()
    countries: tuple[CountryCode, ...] = ()
    domains: tuple[EmissionDomain, ...] = ()
    levers: tuple[Lever, ...] = ()
    topics: tuple[Slug, ...] = ()
    programmes: tuple[Slug, ...] = ()
    links: tuple[EntryLink, ...] = ()
    relations: tuple[Relation, ...] = ()
    licence: Annotated[str, StringConstraints(min_length=1, max_length=120)] | None = None
    reviewed_on: date | None = None


class EntryDrafted(Event, type="eu.mission.catalogue.entry.drafted.v1", aggregate="entry_id"):
    """An entry exists, or went back to its author. Its content stays in the catalogue until it is published."""

    state: ClassVar = EntryStatus.DRAFT
    entry_id: EntryId
    code: Slug
    kind: Slug
    owner: EntryOwner
    author: PersonId | None = None
    reason: Reason | None = None


class EntrySubmitted(Event, type="eu.mission.catalogue.entry.submitted.v1", aggregate="entry_id"):
    """The author asks for review."""

    state: ClassVar = EntryStatus.IN_REVIEW
    entry_id: EntryId
    code: Slug
    kind: Slug
    owner: EntryOwner
    author: PersonId | None = None


class EntryPublished(Event, type="eu.mission.catalogue.entry.published.v1", aggregate="entry_id"):
    """The entry is public as it stands here; a later one replaces it. ``revision`` counts publications from 1."""

    state: ClassVar = EntryStatus.PUBLISHED
    entry_id: EntryId
    revision: Annotated[int, Field(ge=1)]
    entry: Entry
    reviewed_by: PersonId | None = None


class EntryWithdrawn(Event, type="eu.mission.catalogue.entry.withdrawn.v1", aggregate="entry_id"):
    """The entry is no longer public. ``replaced_by`` is where its readers are led."""

    state: ClassVar = EntryStatus.WITHDRAWN
    entry_id: EntryId
    reason: Reason
    replaced_by: EntryId | None = None
