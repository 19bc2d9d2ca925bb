"""An entry only goes the ways that are drawn, and what is public only changes by publication and withdrawal."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.catalogue import Entry, EntryDrafted, EntryOwner, EntryPublished, EntryStatus, EntryWithdrawn
from contracts.common import human
from services.catalogue.domain import lifecycle
from services.catalogue.domain.lifecycle import TRANSITIONS, Action, EntryState, NotPossible

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ID = "ent_" + 32 * "0"
EDITOR = "prs_" + 32 * "1"


def content(title: str = "Barometer", owner: EntryOwner | None = None) -> Entry:
    return Entry(
        code="barometer",
        kind="tool",
        title=human(en=title),
        summary=human(en="Shows progress."),
        owner=owner or EntryOwner(kind="mission"),
    )


def act(entry: EntryState, action: Action, title: str) -> EntryState:
    match action:
        case Action.REVISE:
            return lifecycle.revise(entry, content(title), EDITOR)[0]
        case Action.SUBMIT:
            return lifecycle.submit(entry)[0]
        case Action.RETURN:
            return lifecycle.send_back(entry, "Say who may use it.")[0]
        case Action.PUBLISH:
            return lifecycle.publish(entry, EDITOR, NOW)[0]
        case Action.WITHDRAW:
            return lifecycle.withdraw(entry, "outdated", None, None)[0]


@given(st.lists(st.tuples(st.sampled_from(Action), st.text("abc", min_size=1, max_size=3)), max_size=30))
def test_whatever_is_tried_only_drawn_ways_are_gone_and_drafts_never_show(steps: list[tuple[Action, str]]) -> None:
    entry = EntryState(id=ID, content=content())
    for action, title in steps:
        before = entry
        if (before.status, action) not in TRANSITIONS:
            with pytest.raises(NotPossible):
                act(before, action, title)
            continue
        entry = act(before, action, title)
        assert entry.status is TRANSITIONS[before.status, action]
        if action is Action.PUBLISH:
            assert entry.public == entry.content
            assert entry.revision == before.revision + 1
        elif action is Action.WITHDRAW:
            assert entry.public is None
        else:
            assert entry.public == before.public
            assert entry.revision == before.revision


def test_every_state_can_be_left_and_reached() -> None:
    assert {status for status, _ in TRANSITIONS} == set(EntryStatus)
    assert {*TRANSITIONS.values()} == set(EntryStatus)


def test_a_publication_tells_all_that_is_public() -> None:
    entry, _ = lifecycle.submit(EntryState(id=ID, content=content()))
    entry, fact = lifecycle.publish(entry, EDITOR, NOW)
    assert fact == EntryPublished(entry_id=ID, revision=1, entry=content(), reviewed_by=EDITOR)
    _, fact = lifecycle.withdraw(entry, "moved", "See there.", "ent_" + 32 * "2")
    assert isinstance(fact, EntryWithdrawn)
    assert "See there." not in fact.model_dump_json()
    assert fact.replaced_by == "ent_" + 32 * "2"


def test_a_new_owner_is_told_only_where_the_old_one_was() -> None:
    old, new = EntryOwner(kind="city", id="city_1"), EntryOwner(kind="city", id="city_2")
    draft = EntryState(id=ID, content=content(owner=old))
    changed, fact = lifecycle.change_owner(draft, old, new, NOW)
    assert changed.content.owner == new
    assert isinstance(fact, EntryDrafted)

    public = EntryState(id=ID, content=content("New"), public=content(owner=old), revision=3, status=EntryStatus.DRAFT)
    changed, fact = lifecycle.change_owner(public, old, new, NOW)
    assert changed.content == public.content
    assert isinstance(fact, EntryPublished)
    assert fact.entry.owner == new
    assert fact.revision == 4
