"""The registry holds together, and says what the architecture promises."""

import re
from datetime import timedelta

import pytest

from contracts import national_platforms, registration, registry
from contracts.topic import PLATFORM_PRINCIPAL

every_topic = pytest.mark.parametrize("topic", registry.TOPICS, ids=lambda topic: topic.name)


def test_names_are_unique() -> None:
    names = [topic.name for topic in registry.TOPICS]
    assert len(names) == len(set(names))


@every_topic
def test_readers_read_what_is_on_the_topic(topic: registry.Topic) -> None:
    principals = {*registry.SERVICES, registry.OPERATOR, PLATFORM_PRINCIPAL}
    assert {topic.owner, *topic.writers, *topic.readers} <= principals
    for reader, events in topic.readers.items():
        assert set(events) <= set(topic.events), f"{reader} reads of {topic.name} what is not on it"
        assert len(events) == len(set(events))


@every_topic
def test_name_and_description_are_fit_for_use(topic: registry.Topic) -> None:
    assert re.fullmatch(r"[a-z0-9.-]+(\{platform\}[a-z.-]+)?", topic.name)
    assert topic.description.endswith(".")


@pytest.mark.parametrize("topic", registry.DOMAIN_TOPICS, ids=lambda topic: topic.name)
def test_domain_topics_keep_everything_and_can_be_scaled(topic: registry.Topic) -> None:
    outside = topic.template
    if not outside and topic.name != "registration.links":
        assert topic.config()["retention.ms"] == "-1"
    if not outside and topic.name not in ("registration.signing-keys", "national-platforms.directory"):
        assert topic.partitions >= 6


@pytest.mark.parametrize("name", ["registration.people", "calendar.guests"])
def test_what_is_erased_leaves_the_log_within_a_day(name: str) -> None:
    config = registry.topic(name).config()
    assert config["cleanup.policy"] == "compact"
    assert int(config["max.compaction.lag.ms"]) <= timedelta(hours=24).total_seconds() * 1000
    assert int(config["delete.retention.ms"]) >= timedelta(days=7).total_seconds() * 1000


@pytest.mark.parametrize("service", registry.STORING)
def test_every_service_hears_of_merges_and_erasures(service: str) -> None:
    if service != "registration":
        for event in (registration.PersonMerged, registration.PersonErased, registration.CityMerged):
            assert event in registry.topic_of(event).readers[service]


@pytest.mark.parametrize("service", registry.SERVICES)
def test_every_service_can_check_tokens(service: str) -> None:
    assert registration.SigningKeyPublished in registry.topic("registration.signing-keys").readers[service]


@pytest.mark.parametrize("service", registry.STORING)
def test_every_service_has_its_own_dead_letters(service: str) -> None:
    letters, replays = registry.topic(registry.dead_letters(service)), registry.topic(registry.replays(service))
    assert letters.owner == service
    assert letters.max_message_bytes > max(
        topic.max_message_bytes for topic in registry.read_by(service) if topic.events
    )
    assert set(replays.readers) == {service}


def test_a_platform_writes_to_its_own_topic_and_nowhere_else() -> None:
    assert [topic.name for topic in registry.written_by(PLATFORM_PRINCIPAL)] == ["national-platforms.{platform}.events"]
    assert [topic.name for topic in registry.read_by(PLATFORM_PRINCIPAL)] == ["national-platforms.{platform}.receipts"]
    events = registry.topic("national-platforms.{platform}.events")
    assert events.owner == PLATFORM_PRINCIPAL
    assert not events.writers
    assert events.partitions == 1
    assert events.config()["message.timestamp.type"] == "LogAppendTime"
    assert events.retention == timedelta(days=90)
    assert events.max_message_bytes > national_platforms.MAX_MESSAGE_BYTES
    assert events.for_platform("se-viable-cities") == "national-platforms.se-viable-cities.events"
    assert not any(topic.name.endswith(".resources") for topic in registry.TOPICS)


def test_secrets_go_to_notification_alone() -> None:
    links = registry.topic_of(registration.LinkIssued)
    assert set(links.readers) == {"notification"}
    assert links.personal
    assert links.retention == timedelta(days=1)


def test_what_is_not_listed_is_refused_by_name() -> None:
    with pytest.raises(KeyError, match="registry"):
        registry.topic("registration.secrets")
    with pytest.raises(KeyError, match="registry"):
        registry.topic_of(registration.CityRegistered.__mro__[1])
