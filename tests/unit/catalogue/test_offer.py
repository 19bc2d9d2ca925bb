"""The offer that is delivered with the platform: whole, valid, and honest about who wrote it."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from contracts.common import TextOrigin
from services.catalogue.api.requests import EntryIn

FILE = Path(__file__).resolve().parents[3] / "data" / "catalogue.yaml"
ENTRIES: list[dict[str, Any]] = yaml.safe_load(FILE.read_text())

TOOLS = {
    *("barometer", "engagement-strategy-tools", "finance-guidance-tool", "netzeroplanner"),
    *("social-innovation-tool", "solution-bundles", "solution-outliner"),
}
OFFER = TOOLS | {
    *("climate-city-contracts", "best-practices", "case-studies", "technical-fact-sheets"),
    *("online-planning-lab", "learning-hub", "tool-training-series"),
    *("online-discussion-groups", "group-study-visits", "twinning-learning-programme", "national-platforms"),
    *("helpdesk", "orientation-sessions", "one-to-one-consultations", "technical-support", "newsletter"),
}


def test_the_whole_offer_is_there_once() -> None:
    codes = [entry["code"] for entry in ENTRIES]
    assert len(codes) == len(set(codes))
    assert set(codes) >= OFFER
    assert {entry["code"] for entry in ENTRIES if entry["kind"] == "tool"} == TOOLS


def test_every_tool_says_what_one_needs_before_one_starts() -> None:
    assert all(entry["needs"] for entry in ENTRIES if entry["kind"] == "tool")


@pytest.mark.parametrize("place", range(len(ENTRIES)), ids=[entry["code"] for entry in ENTRIES])
def test_an_entry_can_be_sent_as_it_stands(place: int) -> None:
    body = EntryIn.model_validate(ENTRIES[place])
    assert body.content().code == body.code
    earlier = {entry["code"] for entry in ENTRIES[:place]}
    assert {relation.entry for relation in body.relations} <= earlier
    assert all(text.origin is TextOrigin.MACHINE for language, text in body.title.items() if language != "en")
    assert all(text.origin is TextOrigin.MACHINE for text in body.summary.values())
