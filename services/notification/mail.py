"""One message as a mail: plain text and the same as accessible HTML, nothing loaded from anywhere, nothing tracked."""

import re
from dataclasses import dataclass
from datetime import datetime
from email import policy
from email.errors import HeaderParseError
from email.header import Header
from email.headerregistry import Address, HeaderRegistry
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from functools import cache
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup, escape

from contracts.notification import MessageClass
from services.notification.texts import Rendered


class _Policy(policy.EmailPolicy):
    """Folds a subject and a reader's name so that they are read as they were written.

    The library's own folding loses or doubles blanks around encoded words (CPython issue 92081), and the quotes of a
    name that it breaks, of which a part is then read as another reader's address.
    """

    def fold_binary(self, name: str, value: Any) -> bytes:
        if name == "Subject":
            text = str(value)
            # In encoded words (RFC 2047) where it is not ASCII, or could be misread as such words.
            folded = self._encoded(name, text, plain=text.isascii() and "=?" not in text)
        elif name == "To" and value.addresses[0].display_name:
            reader = value.addresses[0]
            called = self._encoded(name, reader.display_name, plain=bool(ATOMS.fullmatch(reader.display_name)))
            folded = f"{called}{self.linesep} <{reader.addr_spec}>"
        else:
            return super().fold_binary(name, value)
        return f"{name}: {folded}{self.linesep}".encode("ascii")

    def _encoded(self, name: str, text: str, *, plain: bool) -> str:
        return Header(text, "us-ascii" if plain else "utf-8", header_name=name).encode(linesep=self.linesep)


class _Headers(HeaderRegistry):
    """Makes the class of each header once. The library makes it anew for every header of every mail."""

    __getitem__ = cache(HeaderRegistry.__getitem__)


POLICY: Final = _Policy(linesep="\r\n", cte_type="7bit", header_factory=_Headers())
"""CRLF, lines and headers folded as RFC 5322 asks, and no byte that an old server could not carry."""

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
) -> EmailMessage:
    """The mail for one reader.

    Its ``Message-ID`` comes from the message's id, so that the duplicate that a crash between sending and noting can
    make is recognised by the receiver as the same mail. ``url`` is where the action leads, None when nowhere. Text
    cannot become a header: values with line breaks are refused by :class:`EmailMessage`, and are folded before.

    Raises :class:`ValueError` for an address that cannot be written into a mail.
    """
    from_name, from_address = parseaddr(sender)
    mail = EmailMessage(policy=POLICY)
    mail["From"] = Address(from_name, addr_spec=from_address)
    try:
        mail["To"] = Address(CONTROLS.sub(" ", name), addr_spec=ascii_address(address))
    except HeaderParseError as error:
        raise ValueError(f"not an address: {error}") from error
    mail["Subject"] = CONTROLS.sub(" ", rendered.text.subject)
    mail["Date"] = format_datetime(created_at)
    mail["Message-ID"] = f"<{message_id}@{from_address.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    if message_class is MessageClass.NEWSLETTER:
        mail["List-Unsubscribe"] = f"<mailto:{from_address}?subject=unsubscribe>"
    mail.set_content(plain(rendered, url), cte="quoted-printable")
    mail.add_alternative(html(rendered, url), subtype="html", cte="quoted-printable")
    # Content headers that were there before would have become the first part's.
    mail["Content-Language"] = rendered.language
    return mail


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
