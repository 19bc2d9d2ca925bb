"""What a reader does with versions and types, and that others' tools read our records."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary_event
from cloudevents.core.formats.json import JSONFormat

from contracts.envelope import EVENT_TYPES, Attributes, Event, UnknownVersion, decode, event_id
from contracts.registration import CityMerged

CITY, INTO = f"city_{1:032x}", f"city_{2:032x}"


@pytest.fixture
def two_versions() -> Iterator[None]:
    """A type with two versions, for this test alone."""
    before = dict(EVENT_TYPES)

    class BridgeOpenedV2(Event, type="eu.mission.learning.bridge.opened.v2", aggregate="bridge"):
        bridge: str
        lanes: int

    class BridgeOpened(Event, type="eu.mission.learning.bridge.opened.v1", aggregate="bridge"):
        bridge: str

        def upcast(self) -> Event:
            return BridgeOpenedV2(bridge=self.bridge, lanes=2)

    yield
    EVENT_TYPES.clear()
    EVENT_TYPES.update(before)


@pytest.mark.usefixtures("two_versions")
def test_older_version_is_lifted_to_the_newest() -> None:
    event = decode("eu.mission.learning.bridge.opened.v1", b'{"bridge": "b1"}')
    assert event.type == "eu.mission.learning.bridge.opened.v2"
    assert event.model_dump() == {"bridge": "b1", "lanes": 2}
    assert event.aggregate_id == "b1"


@pytest.mark.usefixtures("two_versions")
def test_version_newer_than_all_known_is_told_apart_from_an_unknown_type() -> None:
    with pytest.raises(UnknownVersion, match=r"opened\.v3 is newer than v2"):
        decode("eu.mission.learning.bridge.opened.v3", b"{}")
    with pytest.raises(ValueError, match="unknown event type"):
        decode("eu.mission.learning.tunnel.opened.v1", b"{}")
    with pytest.raises(ValueError, match="is not eu"):
        decode("something else", b"{}")


def test_a_type_is_declared_once() -> None:
    with pytest.raises(ValueError, match="declared twice"):

        class Again(Event, type=CityMerged.type):
            pass


def test_invalid_data_is_an_error_of_the_message() -> None:
    with pytest.raises(ValueError, match="city_id"):
        decode(CityMerged.type, b'{"city_id": "Lisbon", "into_city_id": "Porto"}')


def test_an_official_cloudevents_library_reads_our_records() -> None:
    sent = Attributes(
        id=str(event_id(CITY, 3, 0)),
        source="/services/registration",
        type=CityMerged.type,
        subject=CITY,
        time=datetime(2026, 3, 1, 12, 0, 0, 125000, UTC),
        aggregateversion=3,
        city=CITY,
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    )
    value = CityMerged(city_id=CITY, into_city_id=INTO).model_dump_json().encode()
    message = KafkaMessage(headers=dict(sent.headers()), key=CITY.encode(), value=value)
    read = from_binary_event(message, JSONFormat())
    assert (read.get_id(), read.get_type(), read.get_subject()) == (sent.id, CityMerged.type, CITY)
    assert read.get_time() == sent.time
    assert read.get_extension("city") == CITY
    assert read.get_data() == {"city_id": CITY, "into_city_id": INTO}


def test_missing_and_illegible_attributes_are_named() -> None:
    with pytest.raises(ValueError, match="missing: id, source, subject, time"):
        Attributes.from_headers([("ce_type", CityMerged.type.encode()), ("ce_id", None)])
    with pytest.raises(ValueError, match="utf-8"):
        Attributes.from_headers([("ce_id", b"\xff\xfe")])
