"""What an error of the database means: is it away, or is the write to be blamed?"""

from typing import Final

from pymongo.errors import BulkWriteError, ConnectionFailure, DuplicateKeyError, OperationFailure, PyMongoError

DUPLICATE_KEY: Final = 11000
DOCUMENT_CODES: Final = frozenset({2, 9, 14, 121, 10334, 17280, 17419, 17420, DUPLICATE_KEY})
"""Error codes of the server for which only the document can be blamed: too large, malformed, a broken rule."""

OTHER_INDEX: Final = frozenset({85, 86})
"""Error codes of the server for an index that is there with the same name or fields, but with other options."""


def is_duplicate(error: BaseException) -> bool:
    """Whether a unique key was there already."""
    if isinstance(error, BulkWriteError):
        return any(write.get("code") == DUPLICATE_KEY for write in error.details.get("writeErrors", ()))
    return isinstance(error, DuplicateKeyError)


def is_outage(error: BaseException) -> bool:
    """Whether an error says that the database is away or busy, so that trying again can help."""
    if isinstance(error, ConnectionFailure):
        return True
    if not isinstance(error, PyMongoError):
        return False
    if error.has_error_label("TransientTransactionError") or error.has_error_label("UnknownTransactionCommitResult"):
        return True
    if isinstance(error, BulkWriteError):
        return not {write.get("code") for write in error.details.get("writeErrors", ())} & DOCUMENT_CODES
    return isinstance(error, OperationFailure) and error.code not in DOCUMENT_CODES
