"""What goes out as a mail: headers that cannot be forged, text and the same as HTML, nothing from elsewhere."""

import re
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import getaddresses
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.notification import MessageClass
from services.notification.domain import LANGUAGES
from services.notification.mail import compose
from services.notification.texts import Reader, Rendered, Text

AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
EVIL = 'Town\r\nBcc: victim@example.com\u2028X-Evil: 1 <script>alert(1)</script> "quoted"'


def rendered(**changes: str) -> Rendered:
    text = {"subject": "A place for you", "body": "Your place.\n\n- one\n- two", "action": "See it", "why": "Booked."}
    return Rendered("en", Text(**(text | changes)), "Cities Mission Platform", "Hello Ana,", "Written by a machine.")


def sent(what: Rendered | None = None, **changes: Any) -> bytes:
    """A mail as it goes out."""
    given: dict[str, Any] = {
        "message_id": "msg_1",
        "message_class": MessageClass.TRANSACTIONAL,
        "created_at": AT,
        "sender": "Cities Mission Platform <no-reply@example.org>",
        "address": "ana@example.com",
        "name": "Ana Müller",
        "url": "https://platform.example.org/api/v1/links/abc",
    }
    return compose(what or rendered(), **(given | changes))


def mail(what: Rendered | None = None, **changes: Any) -> EmailMessage:
    """A mail as its receiver reads it."""
    read = message_from_bytes(sent(what, **changes), policy=policy.default)
    assert isinstance(read, EmailMessage)
    return read


def part(message: EmailMessage, kind: str) -> str:
    found = message.get_body((kind,))
    assert found is not None
    return str(found.get_content()).replace("\r\n", "\n")


def test_headers_tell_what_it_is() -> None:
    read = mail()
    assert read["From"] == "Cities Mission Platform <no-reply@example.org>"
    assert read["To"] == "Ana Müller <ana@example.com>"
    assert read["Date"] == "Sun, 01 Mar 2026 12:00:00 +0000"
    assert read["Message-ID"] == "<msg_1@example.org>"
    assert read["Auto-Submitted"] == "auto-generated"
    assert read["Content-Language"] == "en"
    assert read["List-Unsubscribe"] is None
    assert mail()["Message-ID"] == read["Message-ID"], "a repeat is the same mail"


@given(st.lists(st.text("aéß京=?_ ", min_size=1, max_size=14), min_size=1, max_size=30).map(" ".join))
def test_a_subject_is_read_as_it_was_written_and_folded_for_every_server(subject: str) -> None:
    subject = subject.strip() or "-"
    raw = sent(rendered(subject=subject), name="Ana")
    assert message_from_bytes(raw, policy=policy.default)["Subject"] == subject
    assert max(len(line) for line in raw.split(b"\r\n\r\n")[0].split(b"\r\n")) <= 78


@given(st.lists(st.text("aéß京=?_ ,<>@.\"\\();:'", min_size=1, max_size=14), min_size=1, max_size=30).map(" ".join))
def test_a_name_is_read_as_it_was_written_and_is_nobodys_address(name: str) -> None:
    name = " ".join(name.split()) or "-"
    raw = sent(rendered(), name=name)
    for reading in (policy.default, policy.compat32):
        (found,) = getaddresses([str(message_from_bytes(raw, policy=reading)["To"])])
        assert found[1] == "ana@example.com"
    called, _, address = message_from_bytes(raw)["To"].rpartition(" <")
    assert (str(make_header(decode_header(called))).strip(), address) == (name, "ana@example.com>")
    assert max(len(line) for line in raw.split(b"\r\n\r\n")[0].split(b"\r\n")) <= 78


def test_only_a_newsletter_can_be_unsubscribed() -> None:
    read = mail(message_class=MessageClass.NEWSLETTER)
    assert read["List-Unsubscribe"] == "<mailto:no-reply@example.org?subject=unsubscribe>"


def test_text_and_html_say_the_same() -> None:
    read = mail()
    plain, html = part(read, "plain"), part(read, "html")
    for words in ("Hello Ana,", "Your place.", "See it", "https://platform.example.org/api/v1/links/abc", "Booked."):
        assert words in plain
        assert words in html
    assert "<li>one</li>" in html
    assert '<html lang="en">' in html
    assert plain.index("Hello") < plain.index("Your place.") < plain.index("See it:\nhttps") < plain.index("Booked.")


def test_nothing_is_loaded_from_anywhere() -> None:
    html = part(mail(rendered(body="See https://meet.example.org/x?a=1&b=2.")), "html")
    assert not re.search(r"<(img|script|link|iframe|object|style)\b|url\(|@import", html)
    assert re.findall(r"(?:src|href)=\"([^\"]+)\"", html) == [
        "https://meet.example.org/x?a=1&amp;b=2",
        *["https://platform.example.org/api/v1/links/abc"] * 2,
    ]


def test_no_value_becomes_a_header_or_markup() -> None:
    read = mail(rendered(subject=EVIL, body=EVIL), name=EVIL)
    assert read["Bcc"] is None
    assert read["X-Evil"] is None
    assert [address.addr_spec for address in read["To"].addresses] == ["ana@example.com"]
    html = part(read, "html")
    assert "<script" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    Strict().feed(html)


@pytest.mark.parametrize("address", ["", "no-at", "a b@example.com", "a@example.com\r\nBcc: x@example.com", "ü@e.org"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        mail(address=address)


def test_domains_in_other_letters_are_written_as_servers_know_them() -> None:
    assert "xn--" in mail(address="rathaus@köln.example")["To"].addresses[0].addr_spec


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_byte_can_be_carried_by_any_server(language: str) -> None:
    assert Reader.of([language], "UTC").language == language
    raw = sent(
        rendered(subject="Sessão de orientação \u2013 Größe " * 8, body="Ä" * 2000),
        message_class=MessageClass.SERVICE,
        sender="Straße <no-reply@example.org>",
        name="Ação",
        url=None,
    )
    assert raw.isascii()
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))
    assert b"\n" not in raw.replace(b"\r\n", b"")


class Strict(HTMLParser):
    """Refuses elements that are not closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in {"meta", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
