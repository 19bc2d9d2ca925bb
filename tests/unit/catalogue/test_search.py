"""Finding entries: accents, weights, filters, counts and order."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.catalogue import Entry, EntryOwner, Relation
from contracts.common import Audience, EmissionDomain, LocalisedText, human
from services.catalogue.domain.search import FACETS, Public, Shelf
from services.catalogue.domain.texts import folded, words

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def public(number: int, title: LocalisedText | None = None, **fields: Any) -> Public:
    values: dict[str, Any] = {
        "code": f"entry-{number}",
        "kind": "tool",
        "title": title or human(en=f"Title {number}"),
        "summary": human(en="Nothing special."),
        "owner": EntryOwner(kind="mission"),
    }
    return Public(f"ent_{number:032x}", Entry(**values | fields), 1, NOW)


def shelf(*entries: Public) -> Shelf:
    filled = Shelf()
    for entry in entries:
        filled.put(entry)
    return filled


def found(shelf: Shelf, query: str = "", languages: tuple[str, ...] = (), **filters: list[str]) -> list[str]:
    return [each.public.entry.code for each in shelf.search(query, filters, languages).found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ação climática", "acao climatica"),
        ("Łódź", "lodz"),
        ("Straße", "strasse"),
        ("ΑΘΉΝΑ", "αθηνα"),
        ("Ærø", "aero"),
    ],
)
def test_case_and_accents_do_not_matter(text: str, expected: str) -> None:
    assert folded(text) == expected


def test_words_in_any_language_and_their_beginnings_are_found() -> None:
    entries = shelf(public(1, human(en="Finance guide", pt="Guia de financiamento")), public(2))
    assert found(entries, "FINANCIAMENTO") == ["entry-1"]
    assert found(entries, "fin") == ["entry-1"]
    assert found(entries, "guide finance") == ["entry-1"]
    assert found(entries, "guide energy") == []


def test_the_title_weighs_more_than_the_summary_and_a_whole_word_more_than_its_beginning() -> None:
    entries = shelf(
        public(1, human(en="Aaa"), summary=human(en="All about energy.")),
        public(2, human(en="Energy")),
        public(3, human(en="Energyland")),
    )
    assert found(entries, "energy") == ["entry-2", "entry-3", "entry-1"]


def test_without_words_titles_are_sorted_in_the_readers_language() -> None:
    entries = shelf(public(1, human(en="Apple", de="Zebra")), public(2, human(en="Zebra", de="Apfel")))
    assert found(entries) == ["entry-1", "entry-2"]
    assert found(entries, languages=("de",)) == ["entry-2", "entry-1"]


def test_what_is_for_everyone_and_for_all_countries_fits_every_audience_and_country() -> None:
    entries = shelf(
        public(1, audiences=(Audience.MISSION_CITIES,), countries=("PT",)),
        public(2),
        public(3, audiences=(Audience.MISSION_MINDED_CITIES,), countries=("DE", "PT")),
    )
    assert found(entries, country=["PT"]) == ["entry-1", "entry-2", "entry-3"]
    assert found(entries, country=["DE"]) == ["entry-2", "entry-3"]
    assert found(entries, country=["SE"]) == ["entry-2"]
    assert found(entries, audience=["mission-cities"]) == ["entry-1", "entry-2"]


def test_an_entry_that_goes_or_changes_leaves_nothing_behind() -> None:
    entries = shelf(
        public(1, human(en="Old name"), relations=(Relation(kind="uses", entry_id=public(2).id),)), public(2)
    )
    assert [each.id for each in entries.pointing_to(public(2).id)] == [public(1).id]
    entries.put(public(1, human(en="New name")))
    assert found(entries, "old") == []
    assert found(entries, "new") == ["entry-1"]
    assert entries.pointing_to(public(2).id) == []
    entries.drop(public(1).id)
    assert found(entries, "name") == []
    assert entries.get("entry-1") is None
    assert len(entries) == 1


VALUES: dict[str, list[str]] = {
    "kind": ["tool", "course"],
    "audience": ["everyone", "mission-cities", "national"],
    "language": ["en", "pt"],
    "domain": [str(domain) for domain in EmissionDomain][:2],
    "lever": ["technology"],
    "programme": ["twinning"],
    "country": ["PT", "SE"],
}
TITLES = ["Energy", "Énergie", "Energy plan", "Planning"]
ENTRIES = st.builds(
    lambda number, title, values: public(
        number,
        human(en=title),
        kind=values.pop("kind")[0],
        audiences=tuple(values.pop("audience")) or (Audience.EVERYONE,),
        countries=values.pop("country"),
        **{f"{name}s": chosen for name, chosen in values.items()},
    ),
    st.integers(0, 40),
    st.sampled_from(TITLES),
    st.fixed_dictionaries(
        {name: st.lists(st.sampled_from(all), unique=True, min_size=name == "kind") for name, all in VALUES.items()}
    ),
)
FILTERS = st.fixed_dictionaries(
    {}, optional={name: st.lists(st.sampled_from(all), min_size=1, unique=True) for name, all in VALUES.items()}
)


@given(st.lists(ENTRIES, max_size=12), FILTERS, st.sampled_from(["", "en", "energy", "plan en"]))
def test_a_facets_count_is_what_choosing_that_value_gives(
    entries: list[Public], filters: dict[str, list[str]], query: str
) -> None:
    filled = shelf(*entries)
    counts = filled.search(query, filters, ()).counts
    for facet in FACETS:
        for value, count in counts[facet].items():
            assert count == len(filled.search(query, {**filters, facet: [value]}, ()).found)


@given(st.lists(ENTRIES, max_size=12), FILTERS, st.sampled_from(["", "en", "energy", "plan en"]))
def test_search_finds_what_a_look_at_every_entry_finds(
    entries: list[Public], filters: dict[str, list[str]], query: str
) -> None:
    filled = shelf(*entries)
    here = {each.id: each for each in entries}

    def fits(each: Public) -> bool:
        text = words(" ".join([each.entry.title["en"].text, each.entry.kind, *each.entry.domains, *each.entry.levers]))
        text += words(" ".join([*each.entry.programmes, each.entry.code, "Nothing special."]))
        open_to_all = {
            "audience": Audience.EVERYONE in each.entry.audiences,
            "country": not each.entry.countries,
        }
        return all(any(word.startswith(start) for word in text) for start in words(query)) and all(
            open_to_all.get(facet) or set(FACETS[facet](each.entry)) & set(wanted) for facet, wanted in filters.items()
        )

    result = filled.search(query, filters, ()).found
    assert {each.public.id for each in result} == {id for id, each in here.items() if fits(each)}
    assert [each.position for each in result] == sorted(each.position for each in result)
