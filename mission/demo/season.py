"""A season of events for one national platform, drawn from a seed: what it sends, and what must come of it.

Every event is illustrative, and says so. The agenda is handed to the platform's own program; what is expected stays
here, so that the answers are judged by somebody else than their sender.
"""

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from random import Random
from typing import Any, Final
from zoneinfo import ZoneInfo

EVENTS: Final = 14
"""New events in one season, of which some are updated, cancelled or withdrawn later."""


class Answer(StrEnum):
    """What a receipt must say."""

    ACCEPTED = "accepted"
    UNCHANGED = "unchanged"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Platform:
    """A national platform of the list, with what its season is made from."""

    id: str
    name: str
    kind: str
    country: str
    zone: str
    languages: tuple[str, ...]
    cities: tuple[str, ...]

    @property
    def source(self) -> str:
        """Its CloudEvents source."""
        return f"https://{self.id}.example/calendar"


@dataclass(frozen=True, slots=True)
class Sent:
    """One message with the answer that it must get. ``code`` is the problem's, for a rejected one."""

    message: dict[str, Any]
    answer: Answer
    what: str
    code: str | None = None


@dataclass(slots=True)
class Season:
    """A platform's messages in order, and how its events stand at the end, by uid: their data, or None when gone."""

    platform: Platform
    sent: list[Sent] = field(default_factory=list)
    standing: dict[str, dict[str, Any] | None] = field(default_factory=dict)
    cancelled: set[str] = field(default_factory=set)

    @property
    def agenda(self) -> list[dict[str, Any]]:
        """What the platform's program is given."""
        return [each.message for each in self.sent]

    def count(self, answer: Answer) -> int:
        """How many messages must get this answer."""
        return sum(each.answer is answer for each in self.sent)


FORMATS: Final[Sequence[tuple[str, dict[str, str]]]] = (
    (
        "finance-and-funding",
        {
            "en": "Financing the climate transition in {city}",
            "es": "Financiar la transición climática en {city}",
            "sv": "Finansiera klimatomställningen i {city}",
            "ro": "Finanțarea tranziției climatice în {city}",
            "uk": "Фінансування кліматичного переходу: {city}",
            "de": "Die Klimawende finanzieren: {city}",
            "nl": "De klimaattransitie financieren in {city}",
            "pt": "Financiar a transição climática em {city}",
            "fr": "Financer la transition climatique : {city}",
            "it": "Finanziare la transizione climatica a {city}",
        },
    ),
    (
        "mobility",
        {
            "en": "Streets for people: mobility day in {city}",
            "es": "Calles para las personas: jornada de movilidad en {city}",
            "sv": "Gator för människor: mobilitetsdag i {city}",
            "ro": "Străzi pentru oameni: ziua mobilității în {city}",
            "uk": "Вулиці для людей: день мобільності, {city}",
            "de": "Straßen für Menschen: Mobilitätstag in {city}",
            "nl": "Straten voor mensen: mobiliteitsdag in {city}",
            "pt": "Ruas para pessoas: jornada da mobilidade em {city}",
            "fr": "Des rues pour tous : journée mobilité à {city}",
            "it": "Strade per le persone: giornata della mobilità a {city}",
        },
    ),
    (
        "energy-systems",
        {
            "en": "District heating without fossil fuels: visit in {city}",
            "es": "Calefacción urbana sin combustibles fósiles: visita en {city}",
            "sv": "Fossilfri fjärrvärme: studiebesök i {city}",
            "ro": "Termoficare fără combustibili fosili: vizită la {city}",
            "uk": "Централізоване опалення без викопного палива: {city}",
            "de": "Fernwärme ohne fossile Brennstoffe: Besuch in {city}",
            "nl": "Warmtenet zonder fossiele brandstof: bezoek aan {city}",
            "pt": "Aquecimento urbano sem combustíveis fósseis: visita a {city}",
            "fr": "Un réseau de chaleur sans énergie fossile : visite à {city}",
            "it": "Teleriscaldamento senza combustibili fossili: visita a {city}",
        },
    ),
    (
        "democracy-and-participation",
        {
            "en": "Citizens' assembly on climate: lessons from {city}",
            "es": "Asamblea ciudadana por el clima: lecciones de {city}",
            "sv": "Medborgarråd om klimatet: lärdomar från {city}",
            "ro": "Adunarea cetățenilor pentru climă: lecții din {city}",
            "uk": "Громадянська асамблея про клімат: уроки, {city}",
            "de": "Bürgerrat zum Klima: Lehren aus {city}",
            "nl": "Burgerberaad over klimaat: lessen uit {city}",
            "pt": "Assembleia de cidadãos sobre o clima: lições de {city}",
            "fr": "Convention citoyenne pour le climat : les leçons de {city}",
            "it": "Assemblea dei cittadini sul clima: lezioni da {city}",
        },
    ),
    (
        "governance-and-policy",
        {
            "en": "Climate City Contract workshop, {city}",
            "es": "Taller sobre el Contrato Climático de Ciudad, {city}",
            "sv": "Verkstad om klimatkontrakt, {city}",
            "ro": "Atelier despre Contractul Climatic al Orașului, {city}",
            "uk": "Майстерня Кліматичного договору міста, {city}",
            "de": "Werkstatt zum Klimastadtvertrag, {city}",
            "nl": "Werkplaats klimaatcontract, {city}",
            "pt": "Oficina sobre o Contrato Climático da Cidade, {city}",
            "fr": "Atelier Contrat Ville Climat, {city}",
            "it": "Laboratorio sul Contratto Climatico, {city}",
        },
    ),
)
"""Kinds of events by theme, in every language that a platform of the list writes in."""

ILLUSTRATIVE: Final = "An illustrative event of the demonstration; it does not take place."


class Draw:
    """Draws one platform's season."""

    def __init__(self, platform: Platform, rng: Random, today: date) -> None:
        self._platform = platform
        self._rng = rng
        self._today = today
        self._number = 0
        self.season = Season(platform)

    def event(self, number: int) -> dict[str, Any]:
        """A new event's full data, sequence 0."""
        rng, platform = self._rng, self._platform
        theme, titles = FORMATS[number % len(FORMATS)]
        city = platform.cities[number % len(platform.cities)]
        day = self._today + timedelta(days=14 + 18 * number + rng.randrange(12))
        mode = ("onsite", "mixed", "online", "onsite")[number % 4]
        uid = f"{day.year}-{number:03d}@{platform.id}.example"
        data: dict[str, Any] = {
            "uid": uid,
            "sequence": 0,
            "title": {language: titles[language].format(city=city) for language in (*platform.languages, "en")},
            "description": {"en": ILLUSTRATIVE},
            "timezone": platform.zone,
            "attendance_mode": mode,
            "url": f"https://{platform.id}.example/events/{number}",
            "organiser": {"name": platform.name, "email": f"events@{platform.id}.example"},
            "languages": list(platform.languages),
            "audience": [rng.choice(("everyone", "national", "mission-minded-cities"))],
            "themes": [theme],
            **self._times(day, whole_days=number % 7 == 6),
        }
        if mode != "online":
            data["location"] = {"name": f"{city} (venue to be announced)", "city": city, "country": platform.country}
        return data

    def _times(self, day: date, *, whole_days: bool) -> dict[str, str]:
        if whole_days:
            return {"starts_at": day.isoformat(), "ends_at": (day + timedelta(days=1)).isoformat()}
        starts = datetime(
            day.year, day.month, day.day, self._rng.randrange(9, 15), tzinfo=ZoneInfo(self._platform.zone)
        )
        return {"starts_at": starts.isoformat(), "ends_at": (starts + timedelta(hours=2)).isoformat()}

    def message(self, fact: str, data: dict[str, Any], *, id: str | None = None) -> dict[str, Any]:
        """A message of the agenda; every second one in structured mode."""
        self._number += 1
        return {
            "fact": fact,
            "id": id or f"{self._platform.id}-{self._number}",
            "source": self._platform.source,
            "structured": self._number % 2 == 0,
            "data": data,
        }

    def send(self, what: str, message: dict[str, Any], answer: Answer, code: str | None = None) -> dict[str, Any]:
        """Puts a message on the agenda and takes note of what it changes."""
        self.season.sent.append(Sent(message, answer, what, code))
        if answer is Answer.ACCEPTED:
            data = message["data"]
            if message["fact"] == "published":
                self.season.standing[data["uid"]] = data
            elif message["fact"] == "withdrawn":
                self.season.standing[data["uid"]] = None
            elif data["uid"] in self.season.standing:
                self.season.cancelled.add(data["uid"])
        return message


def draw(platform: Platform, rng: Random, today: date, *, careless: bool = False) -> Season:
    """New, updated, cancelled, withdrawn, repeated and out of order; malformed ones as well when ``careless``.

    ``today`` is the day on which the season is published; its events lie in the year after it.
    """
    cards = Draw(platform, rng, today)
    events = [cards.event(number) for number in range(EVENTS)]
    first = [cards.send("new", cards.message("published", data), Answer.ACCEPTED) for data in events]

    for data in events[:3]:
        updated = data | {"sequence": 1, "capacity": rng.randrange(20, 200)}
        cards.send("updated", cards.message("published", updated), Answer.ACCEPTED)
    for data in events[3:5]:
        fact = {"uid": data["uid"], "sequence": 1, "reason": {"en": "The venue is not available."}}
        cards.send("cancelled", cards.message("cancelled", fact), Answer.ACCEPTED)
    withdrawn = {"uid": events[5]["uid"], "sequence": 1}
    cards.send("withdrawn", cards.message("withdrawn", withdrawn), Answer.ACCEPTED)
    for message in first[6:8]:
        cards.send("repeated", message, Answer.UNCHANGED)
    # Out of order: the second change arrives before the first, and a cancel before its event.
    newer = events[8] | {"sequence": 2, "status": "postponed"}
    older = events[8] | {"sequence": 1, "status": "tentative"}
    cards.send("updated, ahead of its turn", cards.message("published", newer), Answer.ACCEPTED)
    cards.send("updated, too late", cards.message("published", older), Answer.UNCHANGED)
    late = cards.event(EVENTS)
    cards.send("cancelled before it came", cards.message("cancelled", _fact(late, 3)), Answer.ACCEPTED)
    cards.send("came after its cancelling", cards.message("published", late), Answer.UNCHANGED)
    if careless:
        for sent in _malformed(cards, first[0]):
            cards.season.sent.append(sent)
    return cards.season


def _fact(data: dict[str, Any], sequence: int) -> dict[str, Any]:
    return {"uid": data["uid"], "sequence": sequence}


def _malformed(cards: Draw, accepted: dict[str, Any]) -> Iterator[Sent]:
    """What a careless program sends; each must be rejected with this code, and nothing else must notice."""
    good = cards.event(EVENTS + 1)

    def wrong(what: str, code: str, **changes: Any) -> Sent:
        return Sent(cards.message("published", good | changes), Answer.REJECTED, what, code)

    yield wrong("no title", "too-short", title={})
    yield wrong("an end before its start", "ends-before-start", starts_at=good["ends_at"], ends_at=good["starts_at"])
    yield wrong("a date that does not exist", "no-such-time", starts_at="2027-02-30T10:00:00Z")
    yield wrong("a number as text", "wrong-type", sequence="3")
    yield wrong("a link that runs", "wrong-form", url="javascript:alert(1)")
    message = cards.message("published", good)
    yield Sent(message | {"type": "org.example.event.v1"}, Answer.REJECTED, "an unknown type", "unknown-type")
    yield Sent(
        message | {"id": "source", "source": "https://somebody.example/"},
        Answer.REJECTED,
        "another's source",
        "source-not-registered",
    )
    reused = accepted | {"data": accepted["data"] | {"title": {"en": "Something else"}}}
    yield Sent(reused, Answer.REJECTED, "an id used again", "id-reused")
    headers = {"content-type": "application/cloudevents+json"}
    for what, value in (
        ("truncated JSON", b'{"specversion": "1.0", "id": "x"'),
        ("not UTF-8", b"\xff\xfe\x00"),
        ("10,000 levels", b"[" * 10_000),
    ):
        raw = base64.b64encode(value).decode()
        yield Sent({"raw": raw, "headers": headers}, Answer.REJECTED, what)
    yield Sent({"raw": None}, Answer.REJECTED, "no value")
