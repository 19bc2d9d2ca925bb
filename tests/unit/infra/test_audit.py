"""A known weakness is reported unless it was accepted, for this package, with a reason, and not too long ago."""

from datetime import date
from typing import Any

import pytest

from infra.checks import weaknesses

TODAY = date(2026, 6, 1)
FOUND: list[dict[str, Any]] = [
    {
        "name": "parser",
        "version": "1.2",
        "vulns": [{"id": "PYSEC-2026-1", "aliases": ["GHSA-aaaa-bbbb-cccc"], "fix_versions": ["1.3"]}],
    },
    {"name": "other", "version": "2.0", "vulns": []},
]
KNOWN = {"package": "parser", "why": "nothing here calls it", "until": TODAY}


@pytest.mark.parametrize(
    "accepted",
    [
        {},
        {"PYSEC-2026-2": KNOWN},
        {"PYSEC-2026-1": KNOWN | {"package": "other"}},
        {"PYSEC-2026-1": KNOWN | {"why": ""}},
        {"PYSEC-2026-1": KNOWN | {"until": date(2026, 5, 31)}},
    ],
    ids=["none", "another", "another package's", "without a reason", "no longer"],
)
def test_a_weakness_is_reported(accepted: dict[str, Any]) -> None:
    assert weaknesses(FOUND, accepted, TODAY) == ["parser 1.2: PYSEC-2026-1, mended in 1.3"]


@pytest.mark.parametrize("id", ["PYSEC-2026-1", "GHSA-aaaa-bbbb-cccc"])
def test_what_was_accepted_is_not(id: str) -> None:
    assert weaknesses(FOUND, {id: KNOWN}, TODAY) == []
