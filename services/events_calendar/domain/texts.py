"""Platforms' texts as they may be shown: plain, on the lines that they need, without characters that deceive."""

import re
from collections.abc import Callable, Mapping

from contracts.common import Text
from services.events_calendar.domain.notes import Notes

WithoutHtml = Callable[[str], str]
"""Reduces HTML to safe plain text and leaves everything else as it is."""

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_DECEIVING = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""Marks that embed, override and isolate the writing direction: unbalanced ones change what follows."""
_BLANKS = re.compile(r"\s+")


class Texts:
    """Cleans the texts of one message and notes what was changed."""

    def __init__(self, without_html: WithoutHtml, notes: Notes) -> None:
        self._without_html = without_html
        self._notes = notes

    def clean(self, text: str | None, where: str, *, one_line: bool = True) -> str | None:
        """The text as it may be shown, None when nothing is left of it."""
        if text is None:
            return None
        plain = self._without_html(text)
        legible = _CONTROL.sub("", plain)
        straight = _DECEIVING.sub("", legible)
        for code, what, before, after in (
            ("html-removed", "HTML was reduced to plain text", text, plain),
            ("control-characters-removed", "control characters were removed", plain, legible),
            ("direction-marks-removed", "marks that change the writing direction were removed", legible, straight),
        ):
            if after != before:
                self._notes.warn(code, where, f"{where}: {what}.", text)
        return (_BLANKS.sub(" ", straight) if one_line else straight).strip() or None

    def localised(
        self, texts: Mapping[str, str] | None, where: str, *, one_line: bool = True
    ) -> dict[str, Text] | None:
        """The texts by language, empty ones left out; None when nothing is left."""
        cleaned = {tag: self.clean(text, f"{where}.{tag}", one_line=one_line) for tag, text in (texts or {}).items()}
        return {tag: Text(text=text) for tag, text in cleaned.items() if text} or None
