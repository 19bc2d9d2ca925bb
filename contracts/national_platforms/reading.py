"""Judging a message strictly, and telling its sender what is wrong in words."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from contracts.common import CountryCode, LanguageTag, TimeZoneName, WebAddress
from contracts.national_platforms.answers import Problem
from contracts.national_platforms.events import PLATFORM_TYPES, PlatformEvent, Uid


@dataclass(frozen=True, slots=True)
class Reading:
    """What became of a message's data: the event when it is well formed, else problems; warnings in either case."""

    event: PlatformEvent | None
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)


def shown(value: object, limit: int = 120) -> str:
    """A value as a receipt shows it: one line, only harmless characters, shortened."""
    try:
        text = value if isinstance(value, str) else repr(value)
    except (RecursionError, ValueError):
        text = f"<{type(value).__name__}>"
    text = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text[: limit + 1])
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _unknown(model: BaseModel, given: Mapping[str, Any], path: str = "") -> Iterator[Problem]:
    for name, value in given.items():
        if name not in type(model).model_fields:
            where = shown(f"{path}{name}")
            yield Problem(code="unknown-field", field=where, message=f"{where} is not a known field; it was not kept.")
        elif isinstance(nested := getattr(model, name), BaseModel) and isinstance(value, Mapping):
            yield from _unknown(nested, value, f"{name}.")


def read(event_type: str, subject: str | None, data: object) -> Reading:
    """Judges the data of a platform's message strictly: nothing is converted, unknown fields are only warned about.

    ``data`` is the parsed JSON, ``subject`` the CloudEvents attribute, which must equal ``uid``. Never raises for
    what a platform may send.
    """
    model = PLATFORM_TYPES.get(event_type)
    if model is None:
        known = ", ".join(PLATFORM_TYPES)
        text = f"The type is not known. Known types: {known}."
        return Reading(None, [Problem(code="unknown-type", field="type", message=text, given=shown(event_type))])
    if not isinstance(data, Mapping):
        text = "The data must be a JSON object."
        return Reading(None, [Problem(code="not-an-object", field="data", message=text, given=shown(data))])
    try:
        event = model.model_validate(data, strict=True)
    except ValidationError as error:
        return Reading(None, [_problem(one) for one in error.errors(include_url=False)[:50]])
    except (RecursionError, ValueError) as error:
        return Reading(
            None, [Problem(code="not-legible", field="data", message=f"The data is not legible: {error}"[:300])]
        )
    warnings = list(_unknown(event, data))[:50]
    if subject != event.uid:
        text = "subject must equal the uid in the data."
        return Reading(
            None, [Problem(code="subject-is-not-uid", field="subject", message=text, given=shown(subject))], warnings
        )
    return Reading(event, [], warnings)


_CODES: Final = (
    (re.compile(r"missing"), "missing"),
    (re.compile(r"string_unicode"), "not-legible"),
    (re.compile(r".*_type"), "wrong-type"),
    (re.compile(r".*too_short"), "too-short"),
    (re.compile(r".*too_long"), "too-long"),
    (re.compile(r".*pattern_mismatch"), "wrong-form"),
    (re.compile(r"literal_error"), "not-one-of"),
    (re.compile(r"greater_than.*|less_than.*|finite_number|int_parsing_size"), "out-of-range"),
    (re.compile(r"[a-z]+(-[a-z]+)+"), None),  # our own codes stay as they are
)
"""Our codes for the validator's: receipts are a promise, the validator's names are not."""

_FORMS: Final = (
    (LanguageTag, "must be a BCP 47 language tag, such as pt or pt-BR"),
    (CountryCode, "must be a country code of two capital letters, such as PT"),
    (TimeZoneName, "must be an IANA time zone, such as Europe/Lisbon"),
    (WebAddress, "must be an absolute http or https address"),
    (Uid, "must not hold control characters"),
)
_FORM_OF: Final = {get_args(form)[1].pattern: words for form, words in _FORMS}


def _problem(error: ErrorDetails) -> Problem:
    context = error.get("ctx", {})
    where = context.get("field") or ".".join(str(part) for part in error["loc"] if part != "[key]")
    kind = error["type"]
    code = next((code or kind for form, code in _CODES if form.fullmatch(kind)), "invalid")
    words = _FORM_OF.get(context.get("pattern"), error["msg"])
    message = f"{where or 'data'}: {words[:1].lower()}{words[1:]}."
    given = None if code in ("missing", "not-legible") or "field" in context else shown(error["input"])
    return Problem(code=code, field=shown(where) or None, message=shown(message, 300), given=given)
