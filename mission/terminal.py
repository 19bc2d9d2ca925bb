"""The terminal of the command line, which obeys nobody's text but ours."""

import re
from collections.abc import Iterable
from typing import Final

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""Control characters of C0 and C1 but tabs and line breaks, and marks that change the direction of what follows."""

LINE_BREAKS: Final = re.compile(r"[\t\n]")


def legible(text: str) -> str:
    """A text with its control characters written out, as ``\\x1b``: they would move cursors or hide what stands."""
    return CONTROLS.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def one_line(text: str) -> str:
    """The same with line breaks too, for text that must not look like a line of its own."""
    return LINE_BREAKS.sub(lambda match: match[0].encode("unicode_escape").decode(), legible(text))


class SafeConsole(Console):
    """Prints what others wrote (records, logs, reasons) without letting it command the terminal (CWE-150)."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """As rich renders it; only rich's own control codes stay such."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=legible(segment.text))
