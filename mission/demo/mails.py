"""The mails that the platform delivered, as receivers find them: in a Maildir, or at a mail catcher's HTTP door."""

import asyncio
import email
import json
import os
import re
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.header import decode_header, make_header
from pathlib import Path
from typing import Any, Final, Protocol

from mission.demo.errors import Untrue

POLL_SECONDS: Final = 0.05
FOLD: Final = re.compile(r"\r?\n(?=[ \t])")
"""Where a header goes on in the next line (RFC 5322, section 2.2.3)."""
LINK: Final = re.compile(r"https?://[^\s<>\"')\]]+")


@dataclass(frozen=True, slots=True)
class Mail:
    """A delivered message. ``id`` is its Message-ID, where the source shows it."""

    id: str
    to: str
    subject: str
    text: str
    language: str | None = None

    def links(self) -> list[str]:
        """The addresses in its text, in their order."""
        return LINK.findall(self.text)


class Source(Protocol):
    """Where delivered messages are found."""

    def new(self) -> Iterator[Mail]:
        """What has come since the last look."""


class Maildir:
    """The local mail server's Maildir."""

    def __init__(self, path: Path) -> None:
        self._path = path / "new"
        self._seen: set[str] = set()

    def new(self) -> Iterator[Mail]:
        """What has come since the last look, the oldest first."""
        try:
            names = [name for name in os.listdir(self._path) if name not in self._seen]
        except FileNotFoundError:
            return
        # A Maildir name begins with the second of delivery and has a counter behind ``Q``.
        for name in sorted(names):
            self._seen.add(name)
            yield parsed((self._path / name).read_bytes())


class Catcher:
    """A mail catcher's HTTP door, as Mailpit has it (``/api/v1/messages``)."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._seen: set[str] = set()

    def new(self) -> Iterator[Mail]:
        """What has come since the last look, the oldest first."""
        start, found = 0, list[dict[str, Any]]()
        while True:
            page = self._get(f"/api/v1/messages?start={start}&limit=500")["messages"]
            fresh = [message for message in page if message["ID"] not in self._seen]
            self._seen.update(message["ID"] for message in fresh)
            found += fresh
            if not fresh or len(fresh) < len(page) or len(page) < 500:
                break
            start += len(page)
        for message in reversed(found):
            text = message.get("Text")
            if text is None:
                text = self._get(f"/api/v1/message/{message['ID']}")["Text"]
            to = message["To"][0]
            yield Mail(
                id=message.get("MessageID") or message["ID"],
                to=to if isinstance(to, str) else to["Address"],
                subject=message["Subject"],
                text=text,
            )

    def _get(self, path: str) -> Any:
        with urllib.request.urlopen(self._url + path, timeout=10) as answer:  # noqa: S310  # its address is ours
            return json.load(answer)


def parsed(content: bytes) -> Mail:
    """Reads a message as it lies in a Maildir."""
    # By the library's older policy: the newer one takes ten times as long.
    message = email.message_from_bytes(content)
    body = next((part for part in message.walk() if part.get_content_maintype() == "text"), message)
    text = body.get_payload(decode=True)
    subject = FOLD.sub("", str(message["Subject"]))
    return Mail(
        id=str(message["Message-ID"] or ""),
        to=str(message["X-RcptTo"] or message["To"]),
        # A long subject is folded before its first word; the blank that marks the fold is no part of it.
        subject=str(make_header(decode_header(subject))).strip(),
        text=text.decode(body.get_content_charset("utf-8")) if isinstance(text, bytes) else "",
        language=message["Content-Language"],
    )


class Mails:
    """Everybody's mailbox. One task watches the source, and wakes who waits for a mail to the same address."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._by_receiver: dict[str, list[Mail]] = defaultdict(list)
        self._news: dict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._taken: set[int] = set()
        self._task: asyncio.Task[None] | None = None
        self.all: list[Mail] = []

    async def __aenter__(self) -> "Mails":
        self._task = asyncio.create_task(self._watch(), name="mails")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _watch(self) -> None:
        while True:
            try:
                found = await asyncio.to_thread(lambda: list(self._source.new()))
            except OSError:
                # A catcher that is busy answers the next time.
                found = []
            for mail in found:
                self.all.append(mail)
                self._by_receiver[mail.to.lower()].append(mail)
                self._news[mail.to.lower()].set()
            await asyncio.sleep(POLL_SECONDS)

    def to(self, address: str) -> Sequence[Mail]:
        """What somebody has received so far."""
        return self._by_receiver[address.lower()]

    async def link(self, address: str, path: str, seconds: float = 60) -> str:
        """Takes the next link whose address holds ``path`` out of somebody's mails; each mail is taken once.

        Raises :class:`Untrue` when none comes in time.
        """
        news = self._news[address.lower()]
        try:
            async with asyncio.timeout(seconds):
                while True:
                    news.clear()
                    if link := self._take(address, path):
                        return link
                    await news.wait()
        except TimeoutError:
            raise Untrue(f"No mail with a link to {path} reached {address} within {seconds:.0f} s.") from None

    def _take(self, address: str, path: str) -> str | None:
        for mail in self.to(address):
            if id(mail) not in self._taken:
                for link in mail.links():
                    if path in link:
                        self._taken.add(id(mail))
                        return link
        return None


def doubles(mails: Sequence[Mail]) -> list[Mail]:
    """Mails that came more than once: the same Message-ID, or the same text to the same person."""
    ids = Counter(mail.id for mail in mails if mail.id)
    texts = Counter((mail.to, mail.subject, mail.text) for mail in mails)
    return [mail for mail in mails if ids[mail.id] > 1 or texts[mail.to, mail.subject, mail.text] > 1]
