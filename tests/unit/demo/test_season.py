"""What a platform's season holds, and that its program stands on its own."""

import ast
import sys
from datetime import date
from pathlib import Path
from random import Random

import pytest

from contracts.national_platforms import read
from mission.demo import season
from mission.demo.season import Answer, Platform
from mission.demo.steps.national_platforms import PROGRAM, known

TODAY = date(2026, 3, 2)


@pytest.fixture(params=known(), ids=lambda platform: platform.country)
def platform(request: pytest.FixtureRequest) -> Platform:
    found: Platform = request.param
    return found


def test_what_should_be_accepted_is_well_formed_and_what_should_not_is_not(platform: Platform) -> None:
    drawn = season.draw(platform, Random(7), TODAY, careless=True)
    assert {sent.answer for sent in drawn.sent} == set(Answer)
    for sent in drawn.sent:
        if "data" not in sent.message:
            continue
        kind = sent.message.get("type") or f"eu.mission.national-platform.event.{sent.message['fact']}.v1"
        reading = read(kind, sent.message["data"]["uid"], sent.message["data"])
        if sent.answer is not Answer.REJECTED:
            assert reading.event is not None, (sent.what, reading.problems)
            assert not reading.warnings
        elif sent.code not in (None, "source-not-registered", "id-reused"):
            assert sent.code in {problem.code for problem in reading.problems}, sent.what


def test_the_same_seed_draws_the_same_season(platform: Platform) -> None:
    first, second = (season.draw(platform, Random(7), TODAY).agenda for _ in range(2))
    assert first == second


def test_a_season_ends_with_events_standing_cancelled_and_gone(platform: Platform) -> None:
    drawn = season.draw(platform, Random(7), TODAY)
    gone = [uid for uid, data in drawn.standing.items() if data is None]
    assert (len(drawn.standing), len(gone), len(drawn.cancelled)) == (season.EVENTS, 1, 2)


def test_the_platforms_program_imports_nothing_of_ours() -> None:
    tree = ast.parse(Path(PROGRAM).read_text())
    names = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    names += [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    outside = {"confluent_kafka", "cloudevents"}
    assert {name.partition(".")[0] for name in names} <= sys.stdlib_module_names | outside
