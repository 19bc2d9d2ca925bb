"""Reading records whose header names are not UTF-8, which any producer may write and no broker refuses.

aiokafka decodes header names while it unpacks a batch. One that is not UTF-8 raises there: the records before it in
the batch are skipped for good, the one itself is fetched again for ever, and no other partition is read any more. Here
such a name is given with its odd bytes escaped (``\\xff``), and everything else stays as it is.
"""

from collections.abc import Iterator
from typing import Any, SupportsIndex

from aiokafka.consumer import fetcher
from aiokafka.record import default_records, memory_records


class _LenientBytes(bytearray):
    """Bytes whose parts decode in any case."""

    def __getitem__(self, index: SupportsIndex | slice) -> Any:
        part = super().__getitem__(index)
        return _LenientBytes(part) if isinstance(part, bytearray) else part

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return bytes(self).decode(encoding, "backslashreplace")


def _leniently(raw: memoryview) -> Iterator[Any]:
    """The records of a batch by aiokafka's slow reader, over bytes that decode."""
    batch = default_records._DefaultRecordBatchPy(raw)
    batch._maybe_uncompress()
    batch._buffer = _LenientBytes(batch._buffer)
    return iter(batch)


class _Batch:
    """A batch as aiokafka's fast reader gives it, from the first illegible header on as the lenient one does."""

    def __init__(self, fast: Any, raw: memoryview) -> None:
        self._fast = fast
        self._raw = raw

    def __getattr__(self, name: str) -> Any:
        return getattr(self._fast, name)

    def __iter__(self) -> Iterator[Any]:
        last = -1
        try:
            for record in self._fast:
                last = record.offset
                yield record
        except UnicodeDecodeError:
            for record in _leniently(self._raw):
                if record.offset > last:
                    yield record


class LenientRecords:
    """What one fetch brought of one partition, in the shape that aiokafka's fetcher reads it."""

    def __init__(self, fetched: bytes) -> None:
        self._records = memory_records._MemoryRecordsPy(fetched)

    def size_in_bytes(self) -> int:
        """The size of what was fetched."""
        return self._records.size_in_bytes()

    def has_next(self) -> bool:
        """Whether there is another batch."""
        return self._records.has_next()

    def next_batch(self) -> Any:
        """The next batch, None after the last."""
        raw = self._records._next_slice
        batch = self._records.next_batch()
        return batch if batch is None or raw is None else _Batch(batch, raw)


def install() -> None:
    """Makes all consumers of this process read leniently."""
    vars(fetcher)["MemoryRecords"] = LenientRecords
