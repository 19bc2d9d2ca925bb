"""The README's picture is what the registry says."""

from pathlib import Path

from contracts.picture import mermaid

README = Path(__file__).resolve().parents[2] / "README.md"


def test_the_readme_shows_the_services_and_topics_of_the_registry() -> None:
    picture = README.read_text().partition("<!-- picture -->")[2].partition("<!-- /picture -->")[0]
    assert picture.strip() == f"```mermaid\n{mermaid()}\n```", "put what `python -m contracts.picture` prints there"
