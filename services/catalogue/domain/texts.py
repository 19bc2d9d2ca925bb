"""Texts as readers type and read them."""

import re
import unicodedata
from typing import Final

NOT_DECOMPOSED: Final = str.maketrans(
    {
        "ø": "o",
        "đ": "d",
        "ð": "d",
        "ł": "l",
        "æ": "ae",
        "œ": "oe",
        "þ": "th",
        "\N{LATIN SMALL LETTER DOTLESS I}": "i",
    }
)
"""Letters with strokes and ligatures, which Unicode does not take apart."""

WORD: Final = re.compile(r"\w+")


def folded(text: str) -> str:
    """The text without case and accents: ``Ação`` and ``acao`` are the same."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    bare = "".join(letter for letter in apart if not unicodedata.combining(letter))
    return bare.translate(NOT_DECOMPOSED)


def words(text: str) -> list[str]:
    """The words of a text, folded."""
    return WORD.findall(folded(text))
