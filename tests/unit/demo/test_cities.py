"""The cities of the story are many, of many countries and sizes, and none twice."""

from random import Random

from mission.demo.cities import SIZES, Town, draw, listed, plain, slug, towns_alone


def town(number: int, country: str, inhabitants: int, name: str = "") -> Town:
    return Town(
        str(number), name or f"Town {country} {number}", country, inhabitants, "Europe/Lisbon", 38.7 + number, -9.1
    )


def test_the_official_list_has_112_entries_of_35_countries() -> None:
    cities = listed()
    assert len(cities) == 112
    assert len({city.country for city in cities}) == 35


def test_names_as_people_type_them() -> None:
    assert plain("Guimarães, Łódź, Sønderborg, Košice") == "Guimaraes, Lodz, Sonderborg, Kosice"
    assert slug("L'Hospitalet de Llobregat") == "lhospitalet-de-llobregat"


def test_countries_and_sizes_take_turns() -> None:
    towns = [town(number, country, size) for country in ("PT", "SE", "DE") for number, size in enumerate([6_000] * 20)]
    towns += [town(100 + n, "PT", size) for n, size in enumerate((30_000, 70_000, 200_000, 400_000))]
    drawn = draw(Random(1), towns, 15, excluded=())
    assert {one.country for one in drawn} == {"PT", "SE", "DE"}
    sizes = {low for low, high in SIZES for one in drawn if one.country == "PT" and low <= one.inhabitants < high}
    assert sizes == {low for low, _ in SIZES}
    assert drawn == draw(Random(1), towns, 15, excluded=())


def test_no_name_is_drawn_twice_or_when_it_is_excluded() -> None:
    towns = [town(1, "PT", 9_000, "Évora"), town(2, "PT", 9_000, "Evora"), town(3, "PT", 9_000, "Lisbon")]
    assert [one.name for one in draw(Random(1), towns, 5, excluded=["Lisbon"])] in (["Évora"], ["Evora"])


def test_a_quarter_of_a_city_is_no_town() -> None:
    city, quarter, far = town(1, "FI", 600_000, "Helsinki"), town(1, "FI", 27_000, "Kallio"), town(2, "FI", 27_000)
    assert towns_alone([city, quarter, far]) == [city, far]
