"""What libraries say is readable, also when they say it all the time."""

import logging
import sys

from shared.telemetry import LINES_KNOWN, SAME_SECONDS, Repeats


class Written(logging.Handler):
    """A log whose clock stands still until it is moved."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.lines: list[str] = []
        self.addFilter(Repeats(lambda: self.now))

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())

    def says(self, text: str, *given: object, logger: str = "aiokafka", error: bool = False) -> None:
        exc_info = sys.exc_info() if error else None
        self.handle(logging.LogRecord(logger, logging.ERROR, "", 0, text, given, exc_info))


def test_a_line_that_is_said_all_the_time_is_written_now_and_then_with_how_often_it_came() -> None:
    log = Written()
    for _ in range(200):
        log.says("Unable connect to node with id %s", 1)
        log.says("Unable connect to node with id %s", 2)
    log.now = SAME_SECONDS
    log.says("Unable connect to node with id %s", 1)
    log.now = 2 * SAME_SECONDS
    log.says("Unable connect to node with id %s", 1)
    one, two = "Unable connect to node with id 1", "Unable connect to node with id 2"
    assert log.lines == [one, two, f"{one} (199 times more in between)", one]


def test_who_said_it_makes_a_difference() -> None:
    log = Written()
    log.says("closed", logger="aiokafka")
    log.says("closed", logger="aiosmtplib")
    assert log.lines == ["closed", "closed"]


def test_no_traceback_is_left_out() -> None:
    log = Written()
    for value in ("one", "another"):
        try:
            raise ValueError(value)
        except ValueError:
            log.says("Exception in ASGI application", error=True)
    assert len(log.lines) == 2


def test_lines_that_all_differ_are_all_written_and_not_all_remembered() -> None:
    log = Written()
    for number in range(2 * LINES_KNOWN):
        log.says("line %s", number)
    log.says("line %s", 0)
    assert len(log.lines) == 2 * LINES_KNOWN + 1
