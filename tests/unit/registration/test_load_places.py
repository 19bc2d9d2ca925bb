"""The directory of places as it is loaded."""

from services.registration.load_places import rows
from services.registration.settings import RegistrationSettings


def test_the_smallest_municipalities_are_there_unless_they_are_left_out() -> None:
    default = RegistrationSettings.model_fields["smallest_place"].default
    found = next(row for row in rows(default) if row["name"] == "Osilnica")
    assert found["country"] == "SI"
    assert 0 < found["population"] < 500, "a seat of a municipality, of which the gazetteer has the small ones too"
    assert all(row["population"] >= 500_000 for row in rows(500_000))
