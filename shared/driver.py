"""MongoDB's driver by the names that this code knows it by.

Every name of Motor is in this module, so that moving to its successor (PyMongo's asyncio client) is a change of one
file.
"""

from typing import TypeAlias

from motor.motor_asyncio import (
    AsyncIOMotorClient,
    AsyncIOMotorClientSession,
    AsyncIOMotorCollection,
    AsyncIOMotorCursor,
    AsyncIOMotorDatabase,
)
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from shared.collections import CODEC, Row

Client: TypeAlias = "AsyncIOMotorClient[Row]"
Database: TypeAlias = "AsyncIOMotorDatabase[Row]"
RawCollection: TypeAlias = "AsyncIOMotorCollection[Row]"
Cursor: TypeAlias = "AsyncIOMotorCursor[Row]"
Session: TypeAlias = AsyncIOMotorClientSession

MAJORITY = WriteConcern(w="majority", j=True)
"""Only what a majority holds in its journal is acknowledged to anybody."""


def client_of(url: str, service: str) -> Client:
    """A client with a pool of its own; it connects when it is first asked."""
    return AsyncIOMotorClient(
        url, tz_aware=True, retryWrites=True, serverSelectionTimeoutMS=3000, appname=service, maxPoolSize=20
    )


def database_of(client: Client, name: str) -> Database:
    """A database that is read and written as a majority of its replica set has it."""
    return client.get_database(name, codec_options=CODEC, write_concern=MAJORITY, read_concern=ReadConcern("majority"))
