"""Events that no service can read, as a service with a bug would send them."""

from datetime import UTC, datetime

from confluent_kafka import Producer

from contracts.envelope import Attributes, Event
from contracts.registry import topic_of
from infra.local.stack import LocalStack
from shared.ids import new_id


def spoil(stack: LocalStack, model: type[Event]) -> str:
    """Sends an event of this type that says nothing, about an aggregate of which the id is returned."""
    about = new_id("test")
    topic = topic_of(model)
    attributes = Attributes(
        id=new_id("evt"),
        source=f"/services/{topic.owner}",
        type=model.type,
        subject=about,
        time=datetime.now(UTC),
        aggregateversion=1,
    )
    producer = Producer(stack.kafka.client(topic.owner))
    producer.produce(topic.name, b"{}", about.encode(), headers=list(attributes.headers()))
    assert producer.flush(30) == 0
    return about
