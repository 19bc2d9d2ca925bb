"""The pages behind mailed links: safe, legible, in the reader's language."""

from datetime import UTC, datetime

from shared import link_pages
from shared.problems import Problem


def test_the_reader_gets_the_language_wanted_most() -> None:
    accepted = link_pages.accepted("fr;q=0.9, de-AT, pt;q=0.8, *;q=0.1, x;q=0, y;q=abc")
    assert accepted == ["de-AT", "fr", "pt", "*"]
    assert link_pages.best(accepted) == "de"
    assert link_pages.best(["fr"]) == "en"


def test_a_page_is_self_contained_and_shows_text_as_text() -> None:
    about = "<script>alert(1)</script> & more"
    buttons = [("accept", "Accept", True), ("decline", "Decline", False)]
    shown = link_pages.page("A <b>title</b>", about, "en", buttons=buttons, expires_at=datetime(2026, 3, 1, tzinfo=UTC))
    text = bytes(shown.body).decode()
    assert "<script" not in text
    assert "<b>" not in text
    assert "http://" not in text
    assert "https://" not in text
    assert text.count('<form method="post"') == 2
    assert "your present answer" in text
    assert "default-src 'none'" in shown.headers["content-security-policy"]
    assert link_pages.STYLE_HASH in shown.headers["content-security-policy"]


def test_a_refusal_is_said_in_the_readers_language() -> None:
    assert "abgelaufen" in link_pages.refusal(Problem(410, "link-expired", "…"), "de")
    assert link_pages.refusal(Problem(409, "other", "Plain sentence."), "de") == "Plain sentence."
