"""Time and text as people mean them."""

from datetime import UTC, datetime

import pytest

from contracts.common import PlannedMoment, Text, TextOrigin, best_text, human


def wall(clock: str) -> datetime:
    """A wall-clock time."""
    return datetime.fromisoformat(clock)


def test_utc_is_derived_from_wall_clock_and_zone() -> None:
    summer = PlannedMoment.of(wall("2026-09-11 17:00"), "Europe/Brussels")
    winter = PlannedMoment.of(wall("2026-12-11 17:00"), "Europe/Brussels")
    assert summer.utc == datetime(2026, 9, 11, 15, 0, tzinfo=UTC)
    assert winter.utc == datetime(2026, 12, 11, 16, 0, tzinfo=UTC)
    assert PlannedMoment.model_validate_json(summer.model_dump_json()) == summer


def test_the_hour_that_comes_twice_is_told_apart() -> None:
    first = PlannedMoment.of(wall("2026-10-25 02:30"), "Europe/Lisbon").utc
    once, again = (
        PlannedMoment.of(wall("2026-10-25 01:30").replace(fold=fold), "Europe/Lisbon").recomputed() for fold in (0, 1)
    )
    assert (again.utc - once.utc).total_seconds() == 3600
    assert once.local == again.local
    assert again.utc < first


@pytest.mark.parametrize(
    ("local", "zone", "said"),
    [
        (wall("2026-03-29 02:30"), "Europe/Brussels", "clocks go forward"),
        (wall("2026-03-01 09:00"), "Europe/Atlantis", "not a time zone"),
        (wall("2026-03-01 09:00"), "../etc/passwd", "not a time zone"),
        (datetime(2026, 3, 1, 9, 0, tzinfo=UTC), "Europe/Brussels", "no offset"),
    ],
)
def test_times_that_do_not_exist_are_refused(local: datetime, zone: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        PlannedMoment.of(local, zone)


def test_a_stale_utc_is_recomputed() -> None:
    moment = PlannedMoment.of(wall("2027-07-01 09:00"), "Europe/Athens")
    stale = moment.model_copy(update={"utc": datetime(2027, 7, 1, 7, 0, tzinfo=UTC)})
    assert stale.recomputed() == moment


def test_the_readers_language_is_found_with_fallback() -> None:
    texts = human(en="Energy", pt="Energia") | {"de": Text(text="Energie", origin=TextOrigin.MACHINE)}
    assert best_text(texts, ["pt-BR"]) == ("pt", Text(text="Energia"))
    assert best_text(texts, ["de-AT", "pt"])[0] == "de"
    assert best_text(texts, ["fi"])[0] == "en"
    assert best_text(human(sv="Energi"), ["fi"])[0] == "sv"
    with pytest.raises(ValueError, match="language"):
        best_text({}, ["en"])
