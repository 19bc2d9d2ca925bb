"""What the command line says of a platform in containers, and where there can be none."""

from pathlib import Path

import pytest
from rich.console import Console

from infra.compose.stack import ComposeStack
from infra.local.errors import LocalError
from mission import containers, place

LINE = '{"event": "started", "level": "info", "timestamp": "2030-01-31T10:00:00.123456Z", "instance": "b23d"}'


@pytest.mark.parametrize("prefix", ["catalogue-1  | ", "catalogue_1            | "], ids=["plugin", "program"])
def test_a_line_of_a_containers_log_is_readable(prefix: str) -> None:
    text = containers.readable(f"{prefix}{LINE}\n")
    assert text is not None
    assert text.plain.split() == ["10:00:00.123", "catalogue-1", "info", "started", "instance=b23d"]


def test_what_compose_says_itself_is_no_line_of_a_log() -> None:
    assert containers.readable("Attaching to catalogue_1\n") is None


def test_without_docker_one_sentence_says_what_works(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for act in (lambda: containers.up(Console(), {}), containers.down, containers.status_table, ComposeStack().clean):
        with pytest.raises(LocalError, match=r"not installed; `make up` works without them\.$"):
            act()


@pytest.mark.parametrize(("chosen", "typed"), [("", "make logs"), ("compose", "make logs STACK=compose")])
def test_what_to_type_means_the_platform_that_is_meant(
    monkeypatch: pytest.MonkeyPatch, chosen: str, typed: str
) -> None:
    monkeypatch.setenv("MISSION_STACK", chosen)
    assert place.typed("logs") == typed
