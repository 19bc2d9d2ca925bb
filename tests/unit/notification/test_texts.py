"""Every text in every language: complete, with plurals, dates, zones and places as its reader writes them."""

import re
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import services.notification.texts as texts
from services.notification.domain import KINDS, LANGUAGES
from services.notification.texts import Reader, empty_inbox, render

FOLDER = Path(texts.__file__).parent
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PERSON = "prs_" + "1" * 32


def text(**languages: str) -> dict[str, Any]:
    return {language: {"text": words, "origin": "human"} for language, words in languages.items()}


def moment(local: str, zone: str, utc: str) -> dict[str, Any]:
    return {"local": local, "zone": zone, "utc": utc}


SPAN = {
    "starts": moment("2026-03-27T10:00:00", "Europe/Brussels", "2026-03-27T09:00:00Z"),
    "ends": moment("2026-03-27T11:30:00", "Europe/Brussels", "2026-03-27T10:30:00Z"),
}
LATER = {
    "starts": moment("2026-03-31T10:00:00", "Europe/Brussels", "2026-03-31T08:00:00Z"),
    "ends": moment("2026-04-01T16:00:00", "Europe/Brussels", "2026-04-01T14:00:00Z"),
}
SESSION: dict[str, Any] = {
    "kind": "orientation",
    "title": text(en="Orientation for cities", pt="Orientação para cidades", de="Orientierung für Städte"),
    "span": SPAN,
    "attendance_mode": "online",
    "location": None,
    "online_url": "https://meet.example.org/orientation",
}
ONSITE = SESSION | {
    "span": LATER,
    "attendance_mode": "onsite",
    "location": {"name": "Town Hall", "address": "Main Square 1", "city": "Leuven", "country": "BE"},
    "online_url": None,
}
CALL = {
    "title": text(en="Twinning, cohort 6", pt="Twinning, coorte 6", de="Twinning, Kohorte 6"),
    "closes": moment("2026-06-30T17:00:00", "Europe/Brussels", "2026-06-30T15:00:00Z"),
}
REASONS = [
    {"code": "neutral-by", "params": {"limit": 2050}, "sentence": text(en="Neutral by 2050 at the latest.")},
    {"code": "quota", "params": {"quota": "country", "value": "PT"}, "sentence": None},
    {"code": "below-cut-off", "params": {"points": 71, "cut-off": 74}, "sentence": None},
    {"code": "something-new", "params": {}, "sentence": None},
]
CITY = {"city": "Illustrative Town"}
LINK = {"expires_at": "2026-03-04T12:00:00+00:00"}
PART = CITY | {"programme": "twinning", "cohort": "cohort-6", "title": CALL["title"], "hosts": ["Leuven", "Lund"]}
OFFER = PART | {"expires": CALL["closes"], "from_reserve": True}
BOOKED = {"session": SESSION}
REASON = {"reason": {"code": "no-evidence", "params": {}}}

FACTS: dict[str, dict[str, Any]] = {
    "link-verify-mail": LINK,
    "link-verify-mailbox": LINK,
    "link-sign-in": LINK,
    "link-reset-password": LINK,
    "link-accept-invitation": LINK | CITY | {"inviter": PERSON},
    "link-confirm-booking": LINK | BOOKED | {"state": "held"},
    "link-manage-booking": LINK | BOOKED | {"state": "waiting"},
    "link-take-place": LINK | BOOKED | {"state": "offered"},
    "link-answer-offer": LINK | OFFER,
    "link-other": LINK,
    "welcome": {},
    "membership-invited": CITY | {"inviter": PERSON},
    "membership-requested": CITY,
    "membership-to-review": CITY | {"person": PERSON},
    "membership-approved": CITY,
    "membership-refused": CITY | REASON,
    "membership-suspended": CITY | REASON,
    "membership-ended": CITY | REASON,
    "grant-given": {"role": "helpdesk", "scope": "country", "of": "PT"},
    "grant-revoked": {"role": "programme-manager", "scope": "mission", "of": None},
    "onboarding-step-completed": CITY | {"step": "registration"},
    "task-opened": CITY | {"action": "complete-profile", "params": {}, "due": CALL["closes"]},
    "booking-confirmed": BOOKED,
    "booking-moved-up": BOOKED,
    "booking-waitlisted": BOOKED | {"position": 7},
    "booking-offered": BOOKED | LINK,
    "booking-cancelled": BOOKED | {"reason": "by-host", "previous": "confirmed"},
    "booking-reassigned": BOOKED,
    "session-moved": {"session": ONSITE, "previous": SPAN},
    "session-changed": {"session": ONSITE, "previous": None},
    "session-cancelled": {"session": SESSION, "reason": text(en="The speaker is ill.")},
    "call-published": {"call": CALL, "summary": text(en="Learn from each other."), "opens": CALL["closes"]},
    "call-opened": {"call": CALL},
    "call-amended": {"call": CALL, "reason": text(en="Many asked."), "changed": ["window", "something-new"]},
    "application-call-amended": {"call": CALL, "reason": text(en="Many asked."), "changed": ["places"]},
    "application-call-cancelled": {"call": CALL},
    "application-received": CITY
    | {"call": CALL, "revision": 2, "arrived_at": "2026-03-02T08:00:00+00:00", "digest": "sha256:" + "0" * 64},
    "application-refused": CITY | {"call": CALL, "reasons": REASONS, "arrived_at": "2026-03-02T08:00:00+00:00"},
    "application-withdrawn": CITY | {"call": CALL},
    "application-selected": CITY
    | {"call": CALL, "host": text(en="Leuven and Lund"), "score": 90, "rank": 1, "reserve_rank": None, "reasons": []},
    "application-reserve": CITY
    | {"call": CALL, "host": None, "score": 80, "rank": 21, "reserve_rank": 3, "reasons": REASONS},
    "application-not-selected": CITY
    | {"call": CALL, "host": None, "score": 60, "rank": 99, "reserve_rank": None, "reasons": REASONS},
    "decision-published": {"call": CALL, "selected": 1, "reserve": 10},
    "participation-offered": OFFER,
    "participation-accepted": PART,
    "participation-hosted": PART,
    "participation-declined": PART,
    "participation-expired": PART | {"title": None},
    "participation-withdrawn": PART | REASON,
    "participation-replaced": PART,
    "participation-completed": PART,
    "place-granted": PART | {"places": 2},
    "place-released": PART | {"reason": {"code": "declined", "params": {}}},
}
"""What a message of each template knows."""


def reader(language: str = "en", zone: str = "Europe/Lisbon", name: str = "Ana") -> Reader:
    return Reader.of([language], zone, name)


def body(template: str, who: Reader, **changes: Any) -> str:
    return render(template, FACTS[template] | changes, who, names={PERSON: "Rui Costa"}, now=NOW).text.body


def keys(table: dict[str, Any], path: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    found = set()
    for key, value in table.items():
        found |= keys(value, (*path, key)) if isinstance(value, dict) else {(*path, key)}
    return found


def test_every_kind_of_message_has_facts_here() -> None:
    assert FACTS.keys() == KINDS.keys()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_is_complete(language: str) -> None:
    english, other = (tomllib.loads((FOLDER / f"{one}.toml").read_text("utf-8")) for one in ("en", language))
    assert keys(other) == keys(english)
    assert other["templates"].keys() == KINDS.keys()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("template", sorted(KINDS))
def test_every_text_can_be_made(template: str, language: str) -> None:
    made = render(template, FACTS[template], reader(language), names={PERSON: "Rui Costa"}, now=NOW)
    text = made.text
    for part in (text.subject, text.body, text.action, text.why, made.greeting, made.footer):
        assert part.strip() == part
        assert part
        assert not re.search(r"[{}]|None|Undefined|\n\n\n| {2}", part), part
    assert "\n" not in text.subject
    assert len(text.subject) < 150
    assert made.language == language


@pytest.mark.parametrize("template", sorted(KINDS))
def test_translations_differ(template: str) -> None:
    bodies = {render(template, FACTS[template], reader(language), now=NOW).text.body for language in LANGUAGES}
    assert len(bodies) == len(LANGUAGES)


@pytest.mark.parametrize(
    ("language", "one", "many"),
    [
        ("en", "One city was selected, 10 are on the reserve list.", "1,200 cities were selected"),
        ("pt", "Foi selecionada uma cidade; há 10 na lista de reserva.", "Foram selecionadas 1\u00a0200 cidades"),
        ("de", "Eine Stadt wurde ausgewählt, 10 stehen auf der Reserveliste.", "1.200 Städte wurden ausgewählt"),
    ],
)
def test_plurals_follow_the_language(language: str, one: str, many: str) -> None:
    assert one in body("decision-published", reader(language))
    assert many in body("decision-published", reader(language), selected=1200)


def test_portuguese_has_one_for_one_alone() -> None:
    assert "Foram selecionadas 0 cidades" in body("decision-published", reader("pt"), selected=0)
    assert "um lugar" in body("place-granted", reader("pt"), places=1)
    assert "2 lugares" in body("place-granted", reader("pt"), places=2)


@pytest.mark.parametrize(
    ("language", "zone", "expected"),
    [
        (
            "en",
            "Europe/Lisbon",
            "Friday, 27 March 2026, 09:00\u201310:30 (Lisbon time, UTC+0); "
            "that is Friday, 27 March 2026, 10:00\u201311:30 (Brussels time, UTC+1)",
        ),
        ("en", "Europe/Brussels", "Friday, 27 March 2026, 10:00\u201311:30 (Brussels time, UTC+1)"),
        ("en-US", "UTC", "Friday, March 27, 2026, 9:00\u202fAM\u201310:30\u202fAM (UTC)"),
        ("pt", "Atlantic/Azores", "sexta-feira, 27 de março de 2026, 08:00\u201309:30 (Açores, UTC-1)"),
        ("de-AT", "Europe/Vienna", "Freitag, 27. März 2026, 10:00\u201311:30 Uhr (Ortszeit Wien, UTC+1)"),
        ("de", "Asia/Kolkata", "Freitag, 27. März 2026, 14:30\u201316:00 Uhr (Ortszeit Kolkata, UTC+5:30)"),
    ],
)
def test_online_sessions_are_told_in_the_readers_own_time(language: str, zone: str, expected: str) -> None:
    assert expected in body("booking-confirmed", reader(language, zone))


def test_sessions_on_site_are_told_in_the_time_of_their_place() -> None:
    text = body("session-moved", reader("pt", "Europe/Lisbon"))
    assert "terça-feira, 31 de março de 2026, 10:00 \u2013 quarta-feira, 1 de abril de 2026, 16:00" in text
    assert "(Bruxelas, UTC+2)" in text
    assert "(Lisboa" not in text
    assert "Town Hall, Main Square 1, Leuven, Bélgica" in text
    assert "Antes: sexta-feira, 27 de março de 2026, 10:00\u201311:30 (Bruxelas, UTC+1)" in text


def test_places_in_every_mode() -> None:
    assert "Online\nJoin: https://meet.example.org/orientation" in body("booking-confirmed", reader())
    mixed = SESSION | {"attendance_mode": "mixed", "location": {"city": "Lund", "country": "SE"}}
    assert "Online and on site: Lund, Sweden" in body("booking-confirmed", reader(), session=mixed)
    nowhere = SESSION | {"attendance_mode": "onsite", "location": None}
    assert "The place will be announced" in body("booking-confirmed", reader(), session=nowhere)


def test_every_reason_of_a_refusal_is_told() -> None:
    text = body("application-refused", reader("de"))
    assert "diesen 4 Gründen" in text
    assert "\n\n- Neutral by 2050 at the latest.\n- Eine Quote hat entschieden: country (PT)." in text
    assert "71 Punkte erreicht; 74 waren nötig" in text
    assert "Grund: something new" in text
    assert "Sie können sich bis Dienstag, 30. Juni 2026, 16:00 Uhr" in text, "told while there is time left"


def test_after_the_end_nobody_is_sent_back_to_the_form() -> None:
    late = datetime(2026, 7, 1, tzinfo=UTC)
    made = render("application-refused", FACTS["application-refused"], reader(), now=late)
    assert "The call closed on Tuesday, 30 June 2026, 16:00 (Lisbon time, UTC+1)." in made.text.body
    assert "apply again" not in made.text.body


def test_texts_fall_back_to_what_there_is() -> None:
    only_english = SESSION | {"title": text(en="Study visit")}
    assert "Study visit" in body("booking-confirmed", reader("pt"), session=only_english)
    assert render("welcome", {}, reader("sv")).language == "en"
    assert render("welcome", {}, reader("pt-BR")).language == "pt"
    assert render("welcome", {}, reader("xx-nonsense-tag")).text.subject == "Welcome"


def test_names_are_told_when_known_and_else_a_word_for_them() -> None:
    assert body("link-accept-invitation", reader()).startswith("Rui Costa invites you")
    unknown = render("link-accept-invitation", FACTS["link-accept-invitation"], reader()).text.body
    assert unknown.startswith("A colleague invites you")
    assert render("welcome", {}, reader("de", name="Ana\r\n Silva")).greeting == "Guten Tag Ana Silva,"
    assert render("welcome", {}, reader("pt", name="")).greeting == "Olá,"


def test_a_zone_that_does_not_exist_is_told_in_utc() -> None:
    assert "15:00 (UTC)" in body("call-opened", reader(zone="Nowhere/Land"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_empty_inbox_says_what_will_be_there(language: str) -> None:
    assert len(empty_inbox(reader(language))) > 40


@pytest.mark.parametrize(
    ("language", "facts", "said"),
    [
        ("en", {"scope": "country", "of": "DE"}, "helpdesk agent, for one country: Germany."),
        ("de", {"scope": "country", "of": "DE"}, "für ein Land: Deutschland."),
        ("pt", {"scope": "programme", "of": "twinning"}, "num programa: Programa de aprendizagem Twinning."),
        ("en", {"scope": "city", "of": "Illustrative Town"}, "for one city: Illustrative Town."),
        ("en", {"scope": "mission", "of": None}, "helpdesk agent, for the whole platform."),
    ],
)
def test_a_role_says_what_it_holds_for(language: str, facts: dict[str, Any], said: str) -> None:
    assert said in body("grant-given", reader(language), **facts)
