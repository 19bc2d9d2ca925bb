"""Every document that code, settings or another document refers to is there."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local.stack import ROOT

CODE = ("bin", "contracts", "infra", "mission", "services", "shared", "tests")
NAMED = re.compile(r"\bdocs/[\w/-]+\.md\b")
LINKED = re.compile(r"\]\((?![a-z]+:)([^)#\s]+)[^)]*\)")
HOW_TOS = ROOT / "docs" / "how-to"


def texts() -> Iterator[tuple[Path, str]]:
    """What people read and what programs say, with where it is."""
    files = [path for path in ROOT.iterdir() if path.is_file() and not path.name.startswith(".")]
    for folder in (*CODE, "docs"):
        files += [path for path in (ROOT / folder).rglob("*") if path.is_file() and path.suffix != ".pyc"]
    for path in files:
        try:
            yield path, path.read_text()
        except UnicodeDecodeError:
            continue  # data


def references() -> Iterator[tuple[Path, str, Path]]:
    """Each place that refers to a file: where that is, as it is written, and the file meant."""
    for path, text in texts():
        for name in NAMED.findall(text):
            yield path, name, ROOT / name
        if path.suffix == ".md":
            for link in LINKED.findall(text):
                yield path, link, path.parent / link


def test_every_file_that_something_refers_to_is_there() -> None:
    found = list(references())
    missing = [f"{path.relative_to(ROOT)} names {name}" for path, name, file in found if not file.exists()]
    assert len(found) > 100, "it looks at all of them"
    assert not missing


@pytest.mark.parametrize("page", sorted(HOW_TOS.glob("[a-z]*.md")), ids=lambda page: str(page.stem))
def test_every_how_to_is_listed(page: Path) -> None:
    assert f"]({page.name})" in (HOW_TOS / "README.md").read_text()
