"""Outsiders' HTML and recurrence rules, judged by the libraries that know them; no I/O."""

import html
import re
from datetime import UTC, date, datetime, time, tzinfo
from itertools import islice, takewhile

import nh3
from dateutil.rrule import rrulestr

from services.events_calendar.domain.moments import YEARS

MAX_INSTANCES = 366
FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
PARTS = ("FREQ", "INTERVAL", "COUNT", "UNTIL", "BYDAY", "BYMONTH", "BYMONTHDAY", "BYSETPOS", "BYYEARDAY", "WKST")

_RULE = re.compile(r"[A-Z]+=[A-Z0-9,+-]+(;[A-Z]+=[A-Z0-9,+-]+)*")
_BREAKS = re.compile(r"<br\s*/?>|</(?:p|div|li|h[1-6]|tr|ul|ol|blockquote)\s*>", re.IGNORECASE)


def without_html(text: str) -> str:
    """The text without HTML and what runs in it; text that holds none stays as it is, a plain ``<`` included."""
    for _ in range(5):
        if not nh3.is_html(text):
            return text
        text = html.unescape(nh3.clean(_BREAKS.sub("\n", text), tags=set()))
    return text.replace("<", "").replace(">", "")


class RuleRefused(ValueError):
    """A recurrence rule that this calendar does not take; the message says why."""


def last_start(rule: str, starts: date, tz: tzinfo) -> date:
    """The beginning of the last instance of a series (RFC 5545, section 3.3.10) that begins at ``starts``.

    ``starts`` is wall-clock time without zone in ``tz``, or a date. Raises :class:`RuleRefused` for a rule that is not
    well formed, has no end, gives no or more than 366 instances, repeats within the day, or goes on for centuries.
    """
    rule = rule.upper().removeprefix("RRULE:")
    if not _RULE.fullmatch(rule):
        raise RuleRefused("the rule is not well formed")
    parts = dict(part.split("=") for part in rule.split(";"))
    if len(parts) != rule.count("="):
        raise RuleRefused("each part of a rule stands once")
    if unknown := parts.keys() - set(PARTS):
        raise RuleRefused(f"{', '.join(sorted(unknown))[:80]} is not taken here")
    if parts.get("FREQ") not in FREQUENCIES:
        raise RuleRefused(f"FREQ must be one of {', '.join(FREQUENCIES)}")
    if ("COUNT" in parts) == ("UNTIL" in parts):
        raise RuleRefused("a rule ends by either COUNT or UNTIL")
    if not _number(parts.get("INTERVAL", "1"), 1000) or not _number(parts.get("COUNT", "1"), MAX_INSTANCES):
        raise RuleRefused(f"INTERVAL is from 1 to 1000, COUNT from 1 to {MAX_INSTANCES}")
    begin = starts if isinstance(starts, datetime) else datetime.combine(starts, time())
    try:
        until = _until(parts.pop("UNTIL", None), whole_days=not isinstance(starts, datetime), tz=tz)
        text = ";".join(f"{name}={value}" for name, value in parts.items())
        instances = islice(rrulestr(text, dtstart=_shifted(begin)), MAX_INSTANCES + 1)
        found = list(instances if until is None else takewhile(lambda at: at <= _shifted(until), instances))
        last = _shifted(found[-1], -1) if found else begin
    except RuleRefused:
        raise
    except (ValueError, OverflowError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise RuleRefused(f"the rule is not well formed: {str(error)[:100]}") from None
    if not 1 <= len(found) <= MAX_INSTANCES or last.year >= YEARS.stop or len(found) < int(parts.get("COUNT", 1)):
        raise RuleRefused(f"a rule gives 1 to {MAX_INSTANCES} instances, the last before {YEARS.stop}")
    return last if isinstance(starts, datetime) else last.date()


def _number(text: str, limit: int) -> bool:
    return text.isdecimal() and len(text) < 6 and 1 <= int(text) <= limit


def _until(text: str | None, *, whole_days: bool, tz: tzinfo) -> datetime | None:
    if text is None:
        return None
    try:
        if whole_days:
            return datetime.combine(date.fromisoformat(text), time()) if len(text) == 8 else _no_until()
        return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).astimezone(tz).replace(tzinfo=None)
    except ValueError:
        return _no_until()


def _no_until() -> datetime:
    raise RuleRefused("UNTIL is a date for whole days, else UTC as 20261231T235959Z")


def _shifted(moment: datetime, cycles: int = 1) -> datetime:
    """The moment 7,600 years on: weekdays and leap years repeat every 400 years.

    The library looks for a rule's next instance until the year 9999; there, that ends soon when there is none.
    """
    return moment.replace(year=moment.year + cycles * 19 * 400)
