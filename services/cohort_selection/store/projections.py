"""What others decide and the rules of calls look at: cities, countries, members, and persons who are gone."""

from datetime import date

from pymongo import ASCENDING, IndexModel

from contracts.registration import Authority, CityStatus, Commitment
from shared.store import ANY_TEXT, Collection, Document


class City(Document):
    """A city as its own events tell. ``merged_into`` is the city that it turned out to be."""

    authority: Authority | None = None
    commitment: Commitment | None = None
    statuses: tuple[CityStatus, ...] = ()
    published: bool = False
    merged_into: str | None = None


CITIES = Collection("cities", City, kind="projection")


class Country(Document):
    """A country's status; ``since`` None: for as long as anybody looks back."""

    status: str
    since: date | None = None


COUNTRIES = Collection("countries", Country, kind="projection")


class Member(Document):
    """A membership; ``active`` while the person speaks for the city."""

    person_id: str
    city_id: str
    active: bool


MEMBERS = Collection(
    "members",
    Member,
    kind="projection",
    indexes=[IndexModel([("person_id", ASCENDING)]), IndexModel([("city_id", ASCENDING)])],
)


class Person(Document):
    """A person who was erased, or who turned out to be another one."""

    erased: bool = False
    merged_into: str | None = None


PERSONS = Collection(
    "persons",
    Person,
    kind="projection",
    indexes=[IndexModel([("merged_into", ASCENDING)], partialFilterExpression={"merged_into": ANY_TEXT})],
)
