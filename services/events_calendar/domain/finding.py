"""What lists find an event by: its words without accents, and its beginning and end as instants."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from datetime import datetime

from contracts.common import LocalisedText, Text
from contracts.events_calendar import PublicEvent
from services.events_calendar.domain import moments

MAX_WORDS = 500
_WORD = re.compile(r"\w+")
_LETTERS = str.maketrans(
    {
        "ø": "o",
        "ł": "l",
        "đ": "d",
        "ð": "d",
        "þ": "th",
        "æ": "ae",
        "œ": "oe",
        "\N{LATIN SMALL LETTER DOTLESS I}": "i",
        "ħ": "h",
    }
)
"""Letters that Unicode does not take apart, as people write them on another keyboard."""


def folded(text: str) -> str:
    """The text in lower case without accents: ``Zürich`` and ``zurich`` are the same."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in apart if not unicodedata.combining(char)).translate(_LETTERS)


def words(*texts: str | None) -> list[str]:
    """The distinct folded words of some texts, at most 500, in their order."""
    found = (word for text in texts if text for word in _WORD.findall(folded(text)))
    return list(dict.fromkeys(found))[:MAX_WORDS]


def words_of(event: PublicEvent, *others: str) -> list[str]:
    """The words that a public event is found by; the title's come first."""
    place, organiser = event.location, event.organiser
    return words(
        *_texts(event.title),
        *others,
        *((place.name, place.city) if place else ()),
        organiser.name if organiser else None,
        *event.tags,
        *event.themes,
        *_texts(event.description),
    )


def _texts(texts: LocalisedText | None) -> Iterator[str]:
    values: Iterable[Text] = (texts or {}).values()
    return (text.text for text in values)


def extent(event: PublicEvent) -> tuple[datetime, datetime]:
    """When an event (a series: its first instance) begins and ends, in UTC by the zone's present rules.

    Whole days are counted in the zone that the event is shown in.
    """
    if event.span is not None:
        return event.span.starts.recomputed().utc, event.span.ends.recomputed().utc
    tz = moments.zone(event.time_zone) or moments.zone("UTC")
    assert event.days is not None
    assert tz is not None
    return moments.start_of_day(event.days.first, tz), moments.end_of_day(event.days.last, tz)
