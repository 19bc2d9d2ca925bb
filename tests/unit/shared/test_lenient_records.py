"""Records are read whatever their header names are, and none of them is skipped."""

from typing import Any

import pytest
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy

from shared.lenient_records import LenientRecords


class RawName(str):
    """A header name that is written as bytes that are not UTF-8."""

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        return b"\xff\xfe"


def batch(compression: int, headers: list[Any]) -> bytes:
    builder = _DefaultRecordBatchBuilderPy(2, compression, False, -1, -1, -1, 16_000)
    for offset, one in enumerate(headers):
        builder.append(offset, 0, b"key", b"value", one)
    return bytes(builder.build())


@pytest.mark.parametrize("compression", [0, 1], ids=["plain", "gzip"])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_no_record_is_skipped(compression: int, place: int) -> None:
    headers: list[Any] = [[("ce_id", b"1")], [("ce_id", None)], []]
    headers[place] = [("ce_id", b"x"), (RawName("odd"), b"\xff"), ("umeå", b"y")]
    records = LenientRecords(batch(compression, headers) + batch(compression, [[("ce_id", b"next")]]))
    read = []
    while records.has_next():
        each = records.next_batch()
        assert each.validate_crc()
        read += [(record.value, list(record.headers)) for record in each]
    assert len(read) == 4
    assert read[place] == (b"value", [("ce_id", b"x"), ("\\xff\\xfe", b"\xff"), ("umeå", b"y")])
    assert read[3] == (b"value", [("ce_id", b"next")])
