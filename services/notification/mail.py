"""One message as a mail: plain text and the same as accessible HTML, nothing loaded from anywhere, nothing tracked."""

import re
from dataclasses import dataclass
from datetime import datetime
from email.charset import QP, Charset
from email.errors import HeaderParseError
from email.header import Header
from email.headerregistry import Address
from email.mime.multipart import MIMEMultipart
from email.mime.nonmultipart import MIMENonMultipart
from email.policy import compat32
from email.utils import format_datetime, parseaddr
from functools import cache
from importlib.resources import files
from typing import Final

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup, escape

from contracts.notification import MessageClass
from services.notification.texts import Rendered

POLICY: Final = compat32.clone(linesep="\r\n")
"""CRLF, and lines as RFC 5322 asks. The library's newer policies take headers apart by a parser, twice for each mail,
which takes three times as long as all else here, and their folding loses or doubles blanks around encoded words
(CPython issue 92081).
"""

QUOTED_PRINTABLE: Final = Charset("utf-8")
"""No byte that an old server could not carry, and text that can be read as it is."""
QUOTED_PRINTABLE.body_encoding = QP

ADDRESS: Final = re.compile(r"https?://[^\s<>\"]+[^\s<>\".,;:)]")
ATOMS: Final = re.compile(r"[A-Za-z0-9 '-]+")
"""Names that need neither quotes nor encoded words (RFC 5322, section 3.2.3)."""

CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]+")


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph's lines, or a list's items."""

    lines: list[str]
    items: list[str]


def compose(
    rendered: Rendered,
    *,
    message_id: str,
    message_class: MessageClass,
    created_at: datetime,
    sender: str,
    address: str,
    name: str,
    url: str | None,
) -> bytes:
    """The mail for one reader, as it goes out.

    Its ``Message-ID`` comes from the message's id, so that the duplicate that a crash between sending and noting can
    make is recognised by the receiver as the same mail. ``url`` is where the action leads, None when nowhere. Text
    cannot become a header: it has no line breaks any more when it gets there.

    Raises :class:`ValueError` for an address that cannot be written into a mail.
    """
    from_name, from_address = parseaddr(sender)
    mail = MIMEMultipart("alternative")
    mail["From"] = _mailbox("From", from_name, from_address)
    mail["To"] = _mailbox("To", CONTROLS.sub(" ", name), ascii_address(address))
    subject = CONTROLS.sub(" ", rendered.text.subject)
    mail["Subject"] = _header("Subject", subject, plain=subject.isascii() and "=?" not in subject).encode()
    mail["Date"] = format_datetime(created_at)
    mail["Message-ID"] = f"<{message_id}@{from_address.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    if message_class is MessageClass.NEWSLETTER:
        mail["List-Unsubscribe"] = f"<mailto:{from_address}?subject=unsubscribe>"
    mail["Content-Language"] = rendered.language
    mail.attach(_part("plain", plain(rendered, url)))
    mail.attach(_part("html", html(rendered, url)))
    return mail.as_bytes(policy=POLICY)


def _part(kind: str, text: str) -> MIMENonMultipart:
    part = MIMENonMultipart("text", kind)
    part.set_payload(text, QUOTED_PRINTABLE)
    return part


def _header(name: str, text: str, *, plain: bool) -> Header:
    """A header's text, in encoded words (RFC 2047) unless it is ``plain``."""
    return Header(text, "us-ascii" if plain else "utf-8", header_name=name)


def _mailbox(header: str, name: str, address: str) -> str:
    """Who is meant, as a header has it. Raises :class:`ValueError` for what is no address."""
    try:
        Address(addr_spec=address)
    except HeaderParseError as error:
        raise ValueError(f"not an address: {error}") from error
    if not name:
        return address
    folded = _header(header, name, plain=bool(ATOMS.fullmatch(name)))
    folded.append(f"<{address}>", "us-ascii")
    return folded.encode()


def ascii_address(address: str) -> str:
    """The address as every mail server takes it, a domain in other letters by its IDNA name.

    Raises :class:`ValueError` for letters beyond ASCII before the @ (SMTPUTF8), which few servers take.
    """
    local, _, domain = address.rpartition("@")
    return f"{local}@{domain.encode('idna').decode()}".encode("ascii").decode()


def plain(rendered: Rendered, url: str | None) -> str:
    """The mail's text."""
    text = rendered.text
    parts = [rendered.greeting, text.body, *([f"{text.action}:\n{url}"] if url else [])]
    return "\n\n".join(parts) + f"\n\n-- \n{text.why}\n{rendered.platform}. {rendered.footer}\n"


def html(rendered: Rendered, url: str | None) -> str:
    """The mail's text as HTML, every value escaped."""
    text = rendered.text
    return _layout().render(
        language=rendered.language,
        platform=rendered.platform,
        subject=text.subject,
        greeting=rendered.greeting,
        blocks=[_block(block) for block in text.body.split("\n\n")],
        url=url,
        action=text.action,
        why=text.why,
        footer=rendered.footer,
    )


def _block(block: str) -> Block:
    lines = block.split("\n")
    is_list = all(line.startswith("- ") for line in lines)
    return Block([] if is_list else lines, [line.removeprefix("- ") for line in lines] if is_list else [])


@cache
def _layout() -> Template:
    environment = Environment(undefined=StrictUndefined, autoescape=True)
    environment.filters["linked"] = _linked
    return environment.from_string(files("services.notification.texts").joinpath("mail.html").read_text("utf-8"))


def _linked(line: str) -> Markup:
    """A line with its web addresses as links."""
    parts, end = [], 0
    for match in ADDRESS.finditer(line):
        address = escape(match[0])
        parts += [escape(line[end : match.start()]), Markup('<a href="{0}">{0}</a>').format(address)]
        end = match.end()
    return Markup("").join([*parts, escape(line[end:])])
