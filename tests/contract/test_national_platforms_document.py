"""docs/national-platforms.md is the public interface: it names what the models have, and its example is accepted."""

import json
import re
from pathlib import Path

import pytest

from contracts.common import THEMES
from contracts.envelope import Event
from contracts.national_platforms import (
    PLATFORM_TYPES,
    PlatformEventCancelled,
    PlatformEventPublished,
    ReceiptIssued,
    read,
    reading,
)

TEXT = (Path(__file__).parents[2] / "docs" / "national-platforms.md").read_text("utf-8")


def named(heading: str) -> set[str]:
    """The words in code type in the first column of the table below a heading."""
    section = re.split(r"^#+ ", TEXT.split(f"{heading}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]
    return {
        word for row in re.findall(r"^\|([^|]*)\|", section, re.MULTILINE) for word in re.findall(r"`([^`]+)`", row)
    }


@pytest.mark.parametrize(
    ("heading", "model"),
    [
        ("### What `published` holds", PlatformEventPublished),
        ("### What `cancelled` and `withdrawn` hold", PlatformEventCancelled),
    ],
)
def test_the_tables_name_exactly_the_fields(heading: str, model: type[Event]) -> None:
    assert named(heading) == set(model.model_fields)


def test_receipts_are_described_in_full() -> None:
    said = named("## Receipts")
    assert set(ReceiptIssued.model_fields) <= said
    codes = {code for _, code in reading._CODES if code} | {"mixed-dates", "ends-before-start", "lasts-too-long"}
    codes |= {"no-place", "no-such-time", "unknown-type", "not-an-object", "subject-is-not-uid", "unknown-field"}
    assert codes | {"invalid"} <= said


def test_types_and_themes_are_named() -> None:
    for word in (*PLATFORM_TYPES, ReceiptIssued.type, *THEMES):
        assert f"`{word}`" in TEXT


def test_the_example_is_accepted() -> None:
    block = re.search(r"```json\n(.*?)```", TEXT, re.DOTALL)
    assert block
    example = json.loads(block[1])
    judged = read(example["type"], example["subject"], example["data"])
    assert judged.problems == judged.warnings == []
