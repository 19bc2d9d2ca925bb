"""How names of places and authorities are compared: without accents, case and punctuation, in any script."""

import hashlib
import unicodedata
from collections.abc import Iterable, Iterator

STARTS = 4
"""Up to this many letters a search is answered from the index of name beginnings alone."""

MAX_KEY = 60

_LETTERS = str.maketrans(
    {
        "ł": "l",
        "ø": "o",
        "đ": "d",
        "ð": "d",
        "þ": "th",
        "ß": "ss",
        "æ": "ae",
        "œ": "oe",
        "\u0131": "i",
        "ħ": "h",
        "ŋ": "n",
    }
    | dict.fromkeys("'\u2019\u2018`\u02bc\u02b9\u02bb", "")
)
_ASCII_LETTERS = {code: chr(code).lower() if chr(code).isalnum() else " " for code in range(128)}
_SPELT_OUT = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe"})
_SCRIPTS = ("LATIN", "GREEK", "CYRILLIC", "ARMENIAN", "GEORGIAN", "HEBREW", "ARABIC")


def normalise(name: str) -> str:
    """A name as it is compared: ``Łódź`` and ``lodz`` are one, ``Vila-Nova`` and ``vila nova`` too."""
    if name.isascii():
        return " ".join(name.translate(_LETTERS).translate(_ASCII_LETTERS).split())
    # Unicode's caseless matching by compatibility (section 3.13, D146), then without what combines with a letter.
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", name).casefold())
    letters = "".join(char for char in folded if not unicodedata.combining(char)).translate(_LETTERS)
    return " ".join("".join(char if char.isalnum() else " " for char in letters).split())


def spellings(name: str) -> Iterator[str]:
    """The ways of writing a name without accents: ``München`` is ``munchen`` and ``muenchen``."""
    yield normalise(name)
    if name.isascii():
        return
    lower = unicodedata.normalize("NFC", name.casefold())
    if (spelt_out := lower.translate(_SPELT_OUT)) != lower:
        yield normalise(spelt_out)


def legible(name: str) -> bool:
    """Whether a name is written in a script that is used in the countries of the directory."""
    return bool(name) and unicodedata.name(name[0], "").startswith(_SCRIPTS)


def search_keys(name: str) -> list[str]:
    """What a search for a name may begin with: every spelling of it from each of its words on."""
    keys: dict[str, None] = {}
    for spelling in spellings(name):
        words = spelling.split()
        for first in range(len(words)):
            tail = " ".join(words[first:])
            if first == 0 or len(tail) >= STARTS:
                keys[tail[:MAX_KEY]] = None
    return list(keys)


def other_keys(names: Iterable[str]) -> list[str]:
    """The same for a place's other names, which are searched from their beginning only."""
    return list({key[:MAX_KEY]: None for name in names if legible(name) for key in spellings(name) if key})


def starts(keys: Iterable[str]) -> list[str]:
    """The beginnings of all keys, of one to :data:`STARTS` letters."""
    return sorted({key[:length] for key in keys for length in range(1, min(STARTS, len(key)) + 1)})


def mail_key(address: str) -> str:
    """A mail address as it is compared: case does not tell two people apart."""
    return unicodedata.normalize("NFC", address.strip()).casefold()


def mail_hash(key: str) -> str:
    """Recognises a mail address without keeping it."""
    return hashlib.sha256(b"mail:" + key.encode()).hexdigest()
