"""A running selection service with cities, people and calls at hand, for the tests of this folder."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from contracts import registration as facts
from contracts.envelope import Event
from services.cohort_selection.store import CITIES, COUNTRIES, MEMBERS
from shared.identity import ARRIVAL_HEADER, Grant, stamp_arrival
from shared.ids import new_id
from shared.service import Service
from shared.testing import Tokens, Topics, eventually

JSON = dict[str, Any]
ROLES = ("programme-manager",)


def en(text: str) -> JSON:
    """A text in English."""
    return {"en": {"text": text}}


def moment(instant: datetime) -> JSON:
    """A moment as the portal writes it."""
    return {"local": instant.astimezone(UTC).replace(tzinfo=None, microsecond=0).isoformat(), "zone": "UTC"}


@dataclass
class Town:
    """A city with one member who speaks for it."""

    id: str
    person: str
    country: str
    headers: dict[str, str] = field(repr=False)


@dataclass
class Desk:
    """What the tests work with."""

    client: httpx.AsyncClient
    service: Service
    topics: Topics
    tokens: Tokens
    clock_file: Path
    shifted: timedelta = timedelta()

    def manager(self, *grants: str | Grant) -> dict[str, str]:
        """Headers of a new programme manager."""
        return self.tokens.bearer(new_id("prs"), roles=grants or ROLES)

    def reviewer(self, *cities: str, person: str | None = None) -> tuple[str, dict[str, str]]:
        """A new reviewer, member of these cities, with headers."""
        person = person or new_id("prs")
        return person, self.tokens.bearer(person, cities=cities, roles=["reviewer"])

    @property
    def now(self) -> datetime:
        """The platform's present instant."""
        return datetime.now(UTC) + self.shifted

    async def move_clock(self, by: timedelta) -> None:
        """Moves the clock of the platform forward, and waits until the service sees it."""
        before = self.service.clock.now()
        self.shifted += by
        self.clock_file.write_text(json.dumps({"offset_seconds": self.shifted.total_seconds()}))

        async def seen() -> bool:
            return self.service.clock.now() >= before + by

        await eventually(seen, "the clock has moved")

    async def town(
        self,
        country: str = "PT",
        *,
        inhabitants: int = 50_000,
        neutral_by: int | None = 2040,
        statuses: Iterable[str] = (),
        kind: facts.CityKind = facts.CityKind.MUNICIPALITY,
    ) -> Town:
        """A published city, as registration tells of it."""
        city, person = new_id("city"), new_id("prs")
        place = facts.Place(source="geonames", code="1", name="Town", country=country, latitude=40, longitude=-8)
        authority = facts.Authority(
            name="Illustrative Town",
            kind=kind,
            country=country,
            places=(place,),
            population=facts.Population(inhabitants=inhabitants, year=2024, source="illustrative"),
            time_zone="Europe/Lisbon",
        )
        commitment = (
            facts.Commitment(neutral_by=neutral_by, committed_on=date(2023, 5, 1), evidence="Council decision")
            if neutral_by
            else None
        )
        held = tuple(
            facts.CityStatus(kind=status, valid_from=date(2022, 5, 1), source="illustrative") for status in statuses
        )
        await self.topics.publish(
            facts.CityRegistered(
                city_id=city, authority=authority, commitment=commitment, statuses=held, origin="self-registered"
            ),
            facts.CityPublished(city_id=city, ground="membership-approved"),
            facts.MembershipApproved(
                membership_id=new_id("mem"),
                city_id=city,
                person_id=person,
                role="representative",
                approved_by=None,
                evidence=facts.Evidence(kind="official-letter"),
            ),
        )
        return Town(city, person, country, self.tokens.bearer(person, cities=[city]))

    async def towns(self, *countries: str, **more: Any) -> list[Town]:
        """One city per country named, all known to the service."""
        towns = [await self.town(country, **more) for country in countries]
        await self.known(*towns)
        return towns

    async def known(self, *towns: Town) -> None:
        """Waits until the service knows these cities and their members."""
        ids, people = [town.id for town in towns], [town.person for town in towns]

        async def there() -> bool:
            cities = await self.service.store.count(CITIES, {"_id": {"$in": ids}, "published": True})
            members = await self.service.store.count(MEMBERS, {"person_id": {"$in": people}, "active": True})
            return (cities, members) == (len(ids), len(people))

        await eventually(there, "the cities are known")

    async def countries(self) -> None:
        """Countries with their status."""
        some = {"PT": "eu", "DE": "eu", "SE": "eu", "IT": "eu", "NO": "associated", "CH": "other"}
        await self.topics.publish(
            *(
                facts.CountryRecorded(country=code, status=facts.CountryStatus(status), source="illustrative")
                for code, status in some.items()
            )
        )

        async def there() -> bool:
            return await self.service.store.count(COUNTRIES, {}) >= len(some)

        await eventually(there, "the countries are known")

    def rules(self, **changes: Any) -> JSON:
        """Rules of a small twinning call whose window is open now and closes in ten days."""
        return {
            "window": {
                "opens": moment(self.now - timedelta(hours=1)),
                "closes": moment(self.now + timedelta(days=10)),
            },
            "eligibility": [
                {
                    "code": "eu-or-associated",
                    "kind": "country-status",
                    "values": ["eu", "associated"],
                    "sentence": en("Open to cities in the EU and in associated countries.")
                    | {"pt": {"text": "Aberto a cidades da UE e de países associados."}},
                },
                {
                    "code": "not-in-the-mission",
                    "kind": "without-status",
                    "values": ["mission-city", "pilot", "twin"],
                    "sentence": en("Not for Mission Cities, Pilots and Twins."),
                },
                {
                    "code": "neutral-by-2050",
                    "kind": "neutral-by",
                    "limit": 2050,
                    "sentence": en("A commitment to climate neutrality by 2050 is needed."),
                },
            ],
            "form": [
                {"code": "motivation", "kind": "text", "label": en("Why?"), "required": True, "max_length": 2000},
                {
                    "code": "theme",
                    "kind": "choice",
                    "label": en("Theme"),
                    "judged": True,
                    "choices": [
                        {"value": value, "label": en(value)} for value in ("mobility", "energy-systems", "finance")
                    ],
                },
            ],
            "review": {"per_application": 1},
            "criteria": [
                {"code": "ambition", "label": en("Ambition"), "weight": 60},
                {"code": "capacity", "label": en("Capacity"), "weight": 40},
            ],
            "places": 3,
            "reserve": 3,
            "quotas": [{"code": "per-country", "attribute": "country", "maximum": 2}],
            "offers": {"days": 14},
            "illustrative": True,
        } | changes

    def call(self, **changes: Any) -> JSON:
        """A whole call with these changes of its rules."""
        return {
            "programme": "twinning",
            "cohort": "twinning-6",
            "title": en("Twinning Learning Programme") | {"pt": {"text": "Programa de Geminação"}},
            "summary": en("Twelve months of learning with a Mission City."),
            "admission": "selected",
            "rules": self.rules(**changes),
        }

    async def published(self, manager: dict[str, str], **changes: Any) -> JSON:
        """A published call, open for applications."""
        drafted = await self.ok("POST", "/calls", manager, self.call(**changes), status=201)
        await self.ok("POST", f"/calls/{drafted['id']}/publication", manager)
        return await self.phase(drafted["id"], "application")

    async def phase(self, call_id: str, phase: str) -> JSON:
        """Waits until the call is in this phase."""

        async def there() -> JSON | None:
            call = await self.ok("GET", f"/calls/{call_id}")
            return call if call["state"] == phase else None

        found: JSON = await eventually(there, f"the call is in {phase}")
        return found

    async def close(self, call_id: str, phase: str = "review") -> JSON:
        """Moves the clock behind the end of the call's window, and waits until the call has gone on."""
        await self.move_clock(timedelta(days=11))
        return await self.phase(call_id, phase)

    async def apply(self, town: Town, call_id: str, **more: Any) -> httpx.Response:
        """Applies for the city."""
        body = {"city_id": town.id, "answers": {"motivation": "To learn.", "theme": "mobility"}} | more
        return await self.client.post(f"/calls/{call_id}/applications", json=body, headers=town.headers)

    async def applied(self, towns: Sequence[Town], call_id: str, **more: Any) -> dict[str, str]:
        """The ids of the applications of these cities."""
        found = {}
        for town in towns:
            answer = await self.apply(town, call_id, **more)
            assert answer.status_code == 201, answer.text
            found[town.id] = answer.json()["id"]
        return found

    async def score(self, call_id: str, manager: dict[str, str], scores: dict[str, int]) -> None:
        """Has one reviewer without ties give each application the same score on every criterion."""
        person, headers = self.reviewer()
        pairs = [{"application_id": id, "reviewer": person} for id in scores]
        await self.ok("POST", f"/calls/{call_id}/reviews", manager, {"assignments": pairs}, status=201)
        reviews = [
            {"application_id": id, "scores": {"ambition": score, "capacity": score}} for id, score in scores.items()
        ]
        await self.ok("PUT", f"/calls/{call_id}/scores", headers, {"reviews": reviews})

    async def decided(self, call_id: str, manager: dict[str, str]) -> JSON:
        """Computes, proposes, has another manager approve, and publishes."""
        decision = await self.ok("POST", f"/calls/{call_id}/decisions", manager, {}, status=201)
        path = f"/decisions/{decision['id']}"
        await self.ok("POST", f"{path}/proposal", manager)
        await self.ok("POST", f"{path}/approval", self.manager())
        published: JSON = await self.ok("POST", f"{path}/publication", manager)
        return published

    async def participation(self, town: Town, state: str = "offered") -> JSON:
        """Waits until the city's latest participation is in this state."""

        async def there() -> JSON | None:
            items = (await self.ok("GET", "/participations", town.headers))["items"]
            return items[0] if items and items[0]["state"] == state else None

        found: JSON = await eventually(there, f"a participation is {state}")
        return found

    async def ok(
        self, method: str, path: str, headers: dict[str, str] | None = None, body: Any = None, status: int = 200
    ) -> Any:
        """The answer to a request that has to succeed."""
        answer = await self.client.request(method, path, json=body, headers=headers)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    async def refused(
        self, method: str, path: str, headers: dict[str, str] | None = None, body: Any = None, *, status: int, code: str
    ) -> JSON:
        """The problem that answers a request which has to be refused."""
        answer = await self.client.request(method, path, json=body, headers=headers)
        problem: JSON = answer.json()
        assert (answer.status_code, problem.get("code")) == (status, code), answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        return problem

    def arrived(self, instant: datetime) -> dict[str, str]:
        """The gateway's stamp that a request arrived then."""
        key = self.service.settings.gateway_key.get_secret_value()
        return {ARRIVAL_HEADER: stamp_arrival(key, instant)}

    async def told(self, topic: str, *subjects: str) -> list[Event]:
        """What is on a topic about these aggregates, in order per aggregate."""
        return [
            one.event
            for one in await self.topics.read(topic)
            if one.event is not None and one.attributes.subject in subjects
        ]


def codes(problem: JSON) -> set[str]:
    """The codes of all reasons of a problem."""
    return {error["code"] for error in problem["errors"]}
