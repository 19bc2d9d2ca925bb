"""Who a text is made for: language, locale and time zone."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError

from services.notification.domain import LANGUAGES, choose_language

REGIONS: Final = {"en": "en_GB", "pt": "pt_PT", "de": "de_DE"}
"""How dates are written when the reader's locale does not say where it is."""


@dataclass(frozen=True, slots=True)
class Reader:
    """A reader. ``language`` is one of our texts', ``locale`` the reader's own form of it, such as ``de_AT``."""

    language: str
    locale: Locale
    zone: ZoneInfo
    name: str = ""

    @classmethod
    def of(cls, wanted: Sequence[str], time_zone: str, name: str = "") -> "Reader":
        """A reader who wants these languages (BCP 47), the most wanted first."""
        language = choose_language(*wanted) or LANGUAGES[0]
        own = next((tag for tag in wanted if tag.lower().split("-")[0] == language), language)
        return cls(language, _locale(own, language), zone(time_zone), " ".join(name.split()))


@lru_cache(maxsize=200)
def _locale(tag: str, language: str) -> Locale:
    try:
        locale = Locale.parse(tag, sep="-")
    except (UnknownLocaleError, ValueError):
        return Locale.parse(REGIONS[language])
    return locale if locale.territory else Locale.parse(REGIONS[language])


@lru_cache(maxsize=500)
def zone(name: str) -> ZoneInfo:
    """The time zone of this name; UTC for one that does not exist (any more)."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return ZoneInfo("UTC")
