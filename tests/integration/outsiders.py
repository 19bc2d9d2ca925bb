"""What a program with ordinary client libraries and its own credentials can do on the broker."""

from collections.abc import Mapping

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer

Client = Mapping[str, str | int | float | bool]
WAIT = 30.0


def write(client: Client, topic: str, value: bytes, *, key: bytes | None = None) -> None:
    """Writes one record and waits for the acknowledgement. Raises :class:`KafkaException` when it is refused."""
    outcome: list[KafkaError | None] = []
    producer = Producer({"message.timeout.ms": int(WAIT * 1000), "message.max.bytes": 10_000_000, **client})
    producer.produce(topic, value, key, on_delivery=lambda error, _: outcome.append(error))
    producer.flush(WAIT)
    assert outcome, "the broker neither took nor refused the record"
    if outcome[0] is not None:
        raise KafkaException(outcome[0])


def read(client: Client, topic: str, group: str) -> list[bytes]:
    """Reads a topic of one partition from its beginning to its end. Raises :class:`KafkaException` when refused."""
    consumer = Consumer(
        {
            **client,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }
    )
    values: list[bytes] = []
    try:
        consumer.subscribe([topic])
        while True:
            message: Message | None = consumer.poll(WAIT)
            assert message is not None, f"{topic}: neither a record, nor the end, nor a refusal"
            error = message.error()
            if error is None:
                values.append(message.value() or b"")
            elif error.code() == KafkaError._PARTITION_EOF:
                return values
            else:
                raise KafkaException(error)
    finally:
        consumer.close()
