"""Digests of values, and the lottery that is drawn from them: the same on every machine."""

import hashlib
import json
from collections.abc import Iterable
from typing import Any


def digest(value: Any) -> str:
    """SHA-256 of a JSON value (no floats) in one canonical form: sorted keys, no blanks, UTF-8."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def seed_of(call_id: str, submissions: Iterable[str]) -> str:
    """The lottery's seed, hexadecimal: made from the digests of all submissions, so that nobody chooses it."""
    return digest([call_id, *sorted(submissions)]).removeprefix("sha256:")


def lot(seed: str, id: str) -> str:
    """The lot that an id draws; the lowest is the best, no two are equal."""
    return hashlib.sha256(f"{seed}/{id}".encode()).hexdigest()
