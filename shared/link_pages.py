"""The small pages behind mailed links: self-contained, accessible, in English, Portuguese and German."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape
from string import Template
from typing import Final

from fastapi.responses import HTMLResponse

from shared.problems import Problem

Words = Mapping[str, str]
"""A text by language; at least ``en``."""

LANGUAGES: Final = ("en", "pt", "de")
PLATFORM: Final = "Cities Mission Platform"
VALID_UNTIL: Final = {"en": "Valid until", "pt": "Válido até", "de": "Gültig bis"}
CHOSEN: Final = {"en": "your present answer", "pt": "a sua resposta atual", "de": "Ihre jetzige Antwort"}
REFUSALS: Final[Mapping[str, Words]] = {
    "link-unknown": {
        "en": "This link is not known. Ask for a new one.",
        "pt": "Esta ligação não é conhecida. Peça uma nova.",
        "de": "Dieser Link ist nicht bekannt. Fordern Sie einen neuen an.",
    },
    "link-used": {
        "en": "This link was used already. Each link works once.",
        "pt": "Esta ligação já foi utilizada. Cada ligação funciona uma vez.",
        "de": "Dieser Link wurde schon benutzt. Jeder Link gilt einmal.",
    },
    "link-expired": {
        "en": "This link has expired. Ask for a new one.",
        "pt": "Esta ligação expirou. Peça uma nova.",
        "de": "Dieser Link ist abgelaufen. Fordern Sie einen neuen an.",
    },
}

STYLE = (
    "body{font:1.125rem/1.5 system-ui,sans-serif;color:#1a1a1a;background:#fff;"
    "margin:0 auto;max-width:34rem;padding:2rem 1rem}"
    "h1{font-size:1.5rem;line-height:1.25}"
    "button{font:inherit;font-weight:600;color:#fff;background:#0b4fa0;border:2px solid #0b4fa0;border-radius:.375rem;"
    "padding:.75rem 1.5rem;min-height:2.75rem;cursor:pointer}"
    "button:focus-visible{outline:3px solid #ffbf00;outline-offset:2px}"
    "form{margin:1rem 0}.quiet{color:#4a4a4a;font-size:1rem}"
)
PAGE = Template(
    '<!doctype html><html lang="$language"><head><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width,initial-scale=1"><meta name="robots" content="noindex">'
    "<title>$title - $platform</title><style>$style</style></head>"
    '<body><main><p class="quiet">$platform</p><h1>$title</h1>$content</main></body></html>'
)
# "no-referrer" would make browsers send "Origin: null" with the form (Fetch standard, 4.6.2).
NO_STORE: Final = {"Cache-Control": "no-store", "Referrer-Policy": "same-origin", "X-Robots-Tag": "noindex"}
STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
HEADERS: Final = NO_STORE | {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{STYLE_HASH}'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
}


def accepted(header: str) -> list[str]:
    """The languages of an ``Accept-Language`` header (RFC 9110, section 12.5.4), the most wanted first."""
    wanted: list[tuple[float, str]] = []
    for part in header[:500].split(","):
        tag, _, weight = part.partition(";")
        try:
            quality = float(weight.strip().removeprefix("q=")) if weight else 1.0
        except ValueError:
            continue
        if tag.strip() and quality > 0:
            wanted.append((quality, tag.strip()))
    return [tag for _, tag in sorted(wanted, key=lambda each: -each[0])]


def best(wanted: Sequence[str]) -> str:
    """The first wanted language that the pages are written in, else English."""
    for tag in wanted:
        if (language := tag.lower().split("-")[0]) in LANGUAGES:
            return language
    return "en"


def say(words: Words, language: str) -> str:
    """The text in this language, else in English."""
    return words.get(language) or words["en"]


def refusal(problem: Problem, language: str) -> str:
    """A problem as one sentence on a page."""
    words = REFUSALS.get(problem.code)
    return say(words, language) if words else problem.detail


def page(
    title: str,
    about: str | None,
    language: str,
    *,
    buttons: Sequence[tuple[str, str, bool]] = (),
    expires_at: datetime | None = None,
    status: int = 200,
) -> HTMLResponse:
    """A whole page; ``buttons`` are name, label and whether it is the present choice. Each is a form of its own."""
    parts = [f"<p>{escape(about)}</p>"] if about else []
    for name, label, chosen in buttons:
        note = f' <span class="quiet">({say(CHOSEN, language)})</span>' if chosen else ""
        button = f'<button type="submit">{escape(label)}</button>'
        parts.append(f'<form method="post" action="?choice={escape(name)}">{button}{note}</form>')
    if expires_at is not None:
        # ISO 8601 reads the same in every language, and the page needs no locale data.
        shown = f'<time datetime="{expires_at.isoformat()}">{expires_at:%Y-%m-%d %H:%M} UTC</time>'
        parts.append(f'<p class="quiet">{say(VALID_UNTIL, language)} {shown}</p>')
    text = PAGE.substitute(
        language=language, platform=PLATFORM, title=escape(title), style=STYLE, content="".join(parts)
    )
    return HTMLResponse(text, status, dict(HEADERS) | {"Content-Language": language})
