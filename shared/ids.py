"""Identifiers: UUIDv7 (RFC 9562), so they sort by time of birth, behind a prefix that says what they name."""

import uuid_utils


def new_id(prefix: str) -> str:
    """A fresh id such as ``city_0192f3c8a1b27c3e9d4f5a6b7c8d9e0f``."""
    return f"{prefix}_{uuid_utils.uuid7().hex}"
