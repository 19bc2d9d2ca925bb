"""Lists are paged by opaque, signed cursors: stable while rows come in, and nobody can make one up."""

import base64
import hashlib
import hmac
import json
from collections.abc import Sequence
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel

from shared.problems import Problem

T = TypeVar("T")
MAC_BYTES = 12

Limit = Annotated[int, Query(ge=1, le=200, description="How many items at most")]
CursorParam = Annotated[str | None, Query(max_length=1000, description="`next` of the page before")]


class Page(BaseModel, Generic[T]):
    """One page of a list. ``next`` is the cursor of the following page, absent on the last one."""

    items: list[T]
    next: str | None = None
    total: int | None = None
    hint: str | None = None


class Cursors:
    """Makes and reads cursors. A cursor holds the sort values of the last row and belongs to one list (``scope``)."""

    def __init__(self, key: str) -> None:
        self._key = b"cursor:" + key.encode()

    def encode(self, scope: str, after: Sequence[Any]) -> str:
        """The cursor that continues behind a row with these sort values (JSON values)."""
        text = json.dumps(list(after), separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(self._mac(scope, text) + text).decode().rstrip("=")

    def decode(self, scope: str, cursor: str) -> list[Any]:
        """The sort values that a cursor holds. Raises a 400 problem for one that was not made here."""
        try:
            raw = base64.urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
            mac, text = raw[:MAC_BYTES], raw[MAC_BYTES:]
            if not hmac.compare_digest(mac, self._mac(scope, text)):
                raise ValueError
            values: list[Any] = json.loads(text)
        except ValueError:
            raise Problem(
                400, "cursor-invalid", "This cursor is none of this list's; start from its first page."
            ) from None
        return values

    def _mac(self, scope: str, text: bytes) -> bytes:
        return hmac.new(self._key, scope.encode() + b"\n" + text, hashlib.sha256).digest()[:MAC_BYTES]
