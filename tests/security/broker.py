"""What a principal gets from the real broker, asked by Kafka's own requests: every topic or group in one of each kind.

Looking at the broker's rules would only say what they say; here each thing is done.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.admin import CreateTopicsRequest, DeleteGroupsRequest, DeleteTopicsRequest
from aiokafka.protocol.commit import OffsetFetchRequest
from aiokafka.protocol.coordination import FindCoordinatorRequest
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.group import JoinGroupRequest
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.record.default_records import DefaultRecordBatchBuilder

REFUSED: Final = frozenset({29, 30, 31})
"""Kafka's error codes TOPIC_, GROUP_ and CLUSTER_AUTHORIZATION_FAILED; any other answer has passed the authorizer."""

WAIT_MS: Final = 20_000


class Hands:
    """A principal at work on the broker: which of the names that it tries are let through, by Kafka's error code."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._client = AIOKafkaClient(**options)

    async def __aenter__(self) -> "Hands":
        await self._client.bootstrap()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()

    async def _ask(self, request: Any) -> Any:
        return await self._client.send(self._client.get_random_node(), request)

    async def coordinator(self, group: str) -> int:
        """Asks who coordinates a group; the first time this makes the broker begin to coordinate groups at all."""
        code: int = (await self._ask(FindCoordinatorRequest(group, 0))).error_code
        return code

    async def write(self, topics: Iterable[str]) -> dict[str, int]:
        """Writes one record to each topic."""
        batch = DefaultRecordBatchBuilder(
            magic=2,
            compression_type=0,
            is_transactional=0,
            producer_id=-1,
            producer_epoch=-1,
            base_sequence=-1,
            batch_size=1024,
        )
        batch.append(0, timestamp=None, key=b"probe", value=b"probe", headers=[])
        record = bytes(batch.build())
        answer = await self._ask(ProduceRequest(None, -1, WAIT_MS, [(topic, [(0, record)]) for topic in topics]))
        return {topic: partitions[0][1] for topic, partitions in answer.topics}

    async def read(self, topics: Iterable[str]) -> dict[str, int]:
        """Reads each topic from its beginning."""
        asked = [(topic, [(0, 0, 1024)]) for topic in topics]
        answer = await self._ask(FetchRequest(0, 0, 1024 * 1024, 0, asked))
        return {topic: partitions[0][1] for topic, partitions in answer.topics}

    async def create(self, topics: Iterable[str]) -> dict[str, int]:
        """Creates each topic, whether there is one of this name or not."""
        asked: list[Any] = [(topic, 1, 1, [], []) for topic in topics]
        answer = await self._ask(CreateTopicsRequest(asked, WAIT_MS, False))
        return {topic: code for topic, code, _ in answer.topic_errors}

    async def delete(self, topics: Sequence[str]) -> dict[str, int]:
        """Deletes each topic."""
        answer = await self._ask(DeleteTopicsRequest(list(topics), WAIT_MS))
        return dict(answer.topic_error_codes)

    async def join(self, groups: Iterable[str]) -> dict[str, int]:
        """Becomes a member of each consumer group."""
        found = {}
        for group in groups:
            request = JoinGroupRequest(group, 10_000, 10_000, "", "probe", "consumer", [("range", b"")])
            found[group] = (await self._ask(request)).error_code
        return found

    async def look(self, groups: Iterable[str]) -> dict[str, int]:
        """Reads the positions of each consumer group."""
        return {group: (await self._ask(OffsetFetchRequest(group, None))).error_code for group in groups}

    async def drop(self, groups: Iterable[str]) -> dict[str, int]:
        """Deletes each consumer group, with its positions."""
        return dict((await self._ask(DeleteGroupsRequest(list(groups)))).results)


def allowed(answers: Mapping[str, int]) -> set[str]:
    """The names that the authorizer let through."""
    return {name for name, code in answers.items() if code not in REFUSED}
