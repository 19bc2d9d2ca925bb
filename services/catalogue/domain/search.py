"""Finding public entries: words with weights, facets with counts, a stable order to page through.

The whole public catalogue is held in memory, so that the many who read it cost the database nothing. It has thousands
of entries at most; with some words each, that is a few megabytes.
"""

from bisect import bisect_left, insort
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from contracts.catalogue import Entry
from contracts.common import Audience, LocalisedText, best_text
from services.catalogue.domain.texts import folded, words

TITLE: Final = 8
CODE: Final = 6
TOPIC: Final = 4
SUMMARY: Final = 2
NEEDS: Final = 1
WHOLE_WORD: Final = 2
"""A whole word counts twice as much as the beginning of one."""


@dataclass(frozen=True, slots=True)
class Public:
    """A public entry. ``revision`` and ``published_at`` are its latest publication's."""

    id: str
    entry: Entry
    revision: int
    published_at: datetime


def _audiences(entry: Entry) -> Sequence[str]:
    return () if Audience.EVERYONE in entry.audiences else entry.audiences


FACETS: Final[Mapping[str, Callable[[Entry], Sequence[str]]]] = {
    "kind": lambda entry: (entry.kind,),
    "audience": _audiences,
    "language": lambda entry: entry.languages,
    "domain": lambda entry: entry.domains,
    "lever": lambda entry: entry.levers,
    "programme": lambda entry: entry.programmes,
    "country": lambda entry: entry.countries,
}
"""What lists are filtered and counted by."""

UNLIMITED: Final = frozenset({"audience", "country"})
"""Facets in which an entry that names no value is meant for all of them."""

Filters = Mapping[str, Sequence[str]]
"""Wanted values per facet: any of one facet's, but of every facet that is named."""


@dataclass(frozen=True, slots=True)
class Found:
    """One match. ``score`` is 0 without words to look for; ``title`` is folded, in the reader's language."""

    score: int
    title: str
    public: Public

    @property
    def position(self) -> tuple[int, str, str]:
        """Its place in the list: best first, then by title."""
        return -self.score, self.title, self.public.id


@dataclass(frozen=True, slots=True)
class Result:
    """All matches in order, and per facet how many there would be with one more value chosen."""

    found: Sequence[Found]
    counts: Mapping[str, Mapping[str, int]]


class Shelf:
    """The public entries in memory, with an index of their words."""

    def __init__(self) -> None:
        self._entries: dict[str, Public] = {}
        self._by_code: dict[str, str] = {}
        self._words: dict[str, dict[str, int]] = {}
        self._sorted: list[str] = []
        self._pointing: dict[str, set[str]] = defaultdict(set)

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, public: Public) -> None:
        """Adds an entry, or replaces its older revision."""
        self.drop(public.id)
        self._entries[public.id] = public
        self._by_code[public.entry.code] = public.id
        for word, weight in _weights(public.entry).items():
            if word not in self._words:
                self._words[word] = {}
                insort(self._sorted, word)
            self._words[word][public.id] = weight
        for relation in public.entry.relations:
            self._pointing[relation.entry_id].add(public.id)

    def drop(self, id: str) -> None:
        """Takes an entry away, when it is there."""
        public = self._entries.pop(id, None)
        if public is None:
            return
        self._by_code.pop(public.entry.code, None)
        for word in _weights(public.entry):
            holders = self._words[word]
            holders.pop(id, None)
            if not holders:
                del self._words[word]
                del self._sorted[bisect_left(self._sorted, word)]
        for relation in public.entry.relations:
            self._pointing[relation.entry_id].discard(id)

    def get(self, id_or_code: str) -> Public | None:
        """The entry with this id or code."""
        return self._entries.get(self._by_code.get(id_or_code, id_or_code))

    def pointing_to(self, id: str) -> list[Public]:
        """The entries that name this one in their relations."""
        return [self._entries[each] for each in sorted(self._pointing.get(id, ()))]

    def search(self, query: str, filters: Filters, languages: Sequence[str]) -> Result:
        """What fits the words and the filters, as a reader of these languages sees it."""
        scores = self._scores(words(query))
        known = {facet: self._known(facet) for facet in UNLIMITED}
        fitting: list[Found] = []
        counts: dict[str, Counter[str]] = {facet: Counter() for facet in FACETS}
        for public in self._entries.values() if scores is None else map(self._entries.__getitem__, scores):
            missed = [facet for facet in FACETS if not _fits(public.entry, facet, filters.get(facet, ()))]
            if not missed:
                score = scores[public.id] if scores is not None else 0
                fitting.append(Found(score, folded(shown(public.entry.title, languages)), public))
            for facet in FACETS:
                # A facet's own filter does not narrow its counts, so that they say what another choice would give.
                if not set(missed) - {facet}:
                    counts[facet].update(FACETS[facet](public.entry) or known.get(facet, ()))
        fitting.sort(key=lambda found: found.position)
        return Result(fitting, counts)

    def _known(self, facet: str) -> set[str]:
        return {value for public in self._entries.values() for value in FACETS[facet](public.entry)}

    def _scores(self, wanted: Sequence[str]) -> dict[str, int] | None:
        """Entries that hold all words, or words that begin so, with their scores; None without words."""
        total: dict[str, int] | None = None
        for word in wanted:
            best: dict[str, int] = {}
            start = bisect_left(self._sorted, word)
            for place in range(start, len(self._sorted)):
                found = self._sorted[place]
                if not found.startswith(word):
                    break
                factor = WHOLE_WORD if found == word else 1
                for id, weight in self._words[found].items():
                    best[id] = max(best.get(id, 0), weight * factor)
            total = best if total is None else {id: total[id] + score for id, score in best.items() if id in total}
        return total


def _fits(entry: Entry, facet: str, wanted: Sequence[str]) -> bool:
    if not wanted:
        return True
    values = FACETS[facet](entry)
    return (not values and facet in UNLIMITED) or any(value in wanted for value in values)


def _weights(entry: Entry) -> dict[str, int]:
    """The entry's words in all its languages, each with its best weight."""
    weights: dict[str, int] = {}
    parts: list[tuple[int, Iterable[str]]] = [
        (TITLE, _all(entry.title)),
        (CODE, (entry.code, entry.kind)),
        (TOPIC, (*entry.topics, *entry.domains, *entry.levers, *entry.programmes)),
        (SUMMARY, _all(entry.summary)),
        (NEEDS, _all(entry.needs or {})),
    ]
    for weight, texts in parts:
        for text in texts:
            for word in words(text):
                weights[word] = max(weights.get(word, 0), weight)
    return weights


def _all(texts: LocalisedText) -> Iterable[str]:
    return (text.text for text in texts.values())


def shown(texts: LocalisedText, languages: Sequence[str]) -> str:
    """A text as a reader of these languages gets it."""
    return best_text(texts, languages)[1].text
