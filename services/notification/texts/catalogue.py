"""Fills templates for a reader."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any, Final

from babel.lists import format_list
from babel.numbers import format_decimal
from jinja2 import Environment, StrictUndefined, Template, pass_context
from jinja2.runtime import Context

from contracts.common import Location, PlannedMoment, Span, best_text
from contracts.common import Text as LanguageText
from services.notification.domain import LANGUAGES
from services.notification.texts.moments import Patterns, instant, moment, span, territory
from services.notification.texts.reader import Reader

BLANK_LINES: Final = re.compile(r"\n\s*\n\s*(?:\n\s*)*")


@dataclass(frozen=True, slots=True)
class Text:
    """What a message says: blocks of lines, each a paragraph or (lines that begin with ``- ``) a list."""

    subject: str
    body: str
    action: str
    why: str


@dataclass(frozen=True, slots=True)
class Rendered:
    """A text with what a mail has around it."""

    language: str
    text: Text
    platform: str
    greeting: str
    footer: str


class Catalogue:
    """The templates of one language."""

    def __init__(self, language: str) -> None:
        self.language = language
        self.data: dict[str, Any] = tomllib.loads(files(__package__).joinpath(f"{language}.toml").read_text("utf-8"))
        # The text is no HTML: what becomes HTML is escaped where that is made.
        self._jinja = Environment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=False)  # noqa: S701
        self._jinja.filters |= {
            "text": _text,
            "moment": _moment,
            "when": _when,
            "where": _where,
            "join": _join,
            "word": self._word,
            "scope": self._scope,
            "sentence": self._sentence,
            "name": _name,
            "number": _number,
            "together": _together,
            "ahead": _ahead,
        }
        self._jinja.globals |= {"plural": _plural, "say": self._say, "offer": self._offer}
        self._compiled: dict[str, Template] = {}

    def fill(self, source: str, context: Mapping[str, Any]) -> str:
        """The text of one template."""
        template = self._compiled.get(source)
        if template is None:
            template = self._compiled[source] = self._jinja.from_string(source)
        return template.render(context)

    def patterns(self, context: Mapping[str, Any]) -> Patterns:
        """How moments are written in this language."""
        return lambda name, values: self.fill(self.data["time"][name], values)

    @pass_context
    def _say(self, context: Context, name: str) -> str:
        return self.fill(self.data["layout"][name], context.get_all())

    @pass_context
    def _word(self, context: Context, code: str, vocabulary: str) -> str:
        words = self.data["words"][vocabulary]
        return self.fill(words[code if code in words else "_"], {"code": _readable(code)})

    @pass_context
    def _scope(self, context: Context, kind: str, of: str | None) -> str:
        """What a role holds for, with its name where it has one that people know."""
        match kind:
            case "country":
                name = territory(of, context["reader"])
            case "programme" if of:
                name = self._word(context, of, "programme")
            case _:
                name = of
        return self._word(context, kind, "scope") + (f": {name}" if name else "")

    @pass_context
    def _sentence(self, context: Context, reason: Mapping[str, Any]) -> str:
        if reason.get("sentence"):
            return _text(context, reason["sentence"])
        words = self.data["words"]["reason"]
        params = {name.replace("-", "_"): value for name, value in reason.get("params", {}).items()}
        code = reason["code"]
        return self.fill(words[code if code in words else "_"], {"code": _readable(code)} | params)

    @pass_context
    def _offer(self, context: Context) -> str:
        if context["title"]:
            return _text(context, context["title"])
        return f"{self._word(context, context['programme'], 'programme')} ({_readable(context['cohort'])})"


@cache
def catalogue(language: str) -> Catalogue:
    """The catalogue of a language that we have."""
    return Catalogue(language)


def render(
    template: str,
    facts: Mapping[str, Any],
    reader: Reader,
    *,
    names: Mapping[str, str] | None = None,
    now: datetime | None = None,
) -> Rendered:
    """A message's text for a reader.

    ``names`` gives people's names by their ids, ``now`` the present instant. Raises :class:`jinja2.UndefinedError`
    when a fact is missing that the text needs.
    """
    one = catalogue(reader.language)
    context = dict(facts) | {"reader": reader, "names": names or {}, "now": now or datetime.now(UTC), "_one": one}
    texts = one.data["templates"][template]
    layout = one.data["layout"]
    text = Text(
        subject=" ".join(one.fill(texts["subject"], context).split()),
        body=BLANK_LINES.sub("\n\n", one.fill(texts["body"], context).replace("\r", "")).strip(),
        action=one.fill(texts["action"], context),
        why=one.fill(texts["why"], context),
    )
    hello = one.fill(layout["hello"], {"name": reader.name}) if reader.name else layout["hello_nobody"]
    return Rendered(reader.language, text, layout["platform"], hello, layout["footer"])


def empty_inbox(reader: Reader) -> str:
    """What an empty inbox says."""
    return str(catalogue(reader.language).data["layout"]["empty"])


def templates() -> set[str]:
    """The names of all templates."""
    return set(catalogue(LANGUAGES[0]).data["templates"])


def _readable(code: str) -> str:
    return code.replace("-", " ")


@pass_context
def _text(context: Context, texts: Mapping[str, Any]) -> str:
    parsed = {language: LanguageText.model_validate(text) for language, text in texts.items()}
    return best_text(parsed, [context["reader"].language])[1].text


@pass_context
def _moment(context: Context, value: Mapping[str, Any] | str) -> str:
    return moment(_parsed(value), context["reader"], context["_one"].patterns(context))


@pass_context
def _when(context: Context, session: Mapping[str, Any], place: Mapping[str, Any] | None = None) -> str:
    """The time of a session, or of a former span (of the session that ``place`` is)."""
    held = place or session
    local = held["attendance_mode"] != "online"
    times = Span.model_validate(session if place else session["span"])
    return span(times, context["reader"], context["_one"].patterns(context), local=local)


@pass_context
def _where(context: Context, session: Mapping[str, Any]) -> str:
    words = context["_one"].data["place"]
    if session["attendance_mode"] == "online":
        return str(words["online"])
    location = Location.model_validate(session.get("location") or {})
    country = territory(location.country, context["reader"])
    place = ", ".join(dict.fromkeys(filter(None, (location.name, location.address, location.city, country))))
    place = place or words["unknown"]
    return context["_one"].fill(words["mixed"], {"place": place}) if session["attendance_mode"] == "mixed" else place


@pass_context
def _join(context: Context, session: Mapping[str, Any]) -> str:
    url = session.get("online_url")
    return context["_one"].fill(context["_one"].data["place"]["join"], {"url": url}) if url else ""


@pass_context
def _name(context: Context, person: str | None, otherwise: str) -> str:
    return context["names"].get(person) or otherwise


@pass_context
def _number(context: Context, number: int) -> str:
    return str(format_decimal(number, locale=context["reader"].locale))


@pass_context
def _together(context: Context, items: list[str]) -> str:
    return str(format_list(items, locale=context["reader"].locale))


@pass_context
def _ahead(context: Context, value: Mapping[str, Any] | str) -> bool:
    return bool(instant(_parsed(value)) > context["now"])


@pass_context
def _plural(context: Context, number: int, **forms: str) -> str:
    """The form for a number, by the language's CLDR plural rules; ``{n}`` is the number in it."""
    reader: Reader = context["reader"]
    form = forms.get(reader.locale.plural_form(number), forms["other"])
    return form.replace("{n}", format_decimal(number, locale=reader.locale))


def _parsed(value: Mapping[str, Any] | str) -> PlannedMoment | datetime:
    return datetime.fromisoformat(value) if isinstance(value, str) else PlannedMoment.model_validate(value)
