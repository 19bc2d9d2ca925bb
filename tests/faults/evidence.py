"""Everything that a platform at rest shows: every store, topic and mailbox, and how far its consumers are."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Final, Self

from pymongo import MongoClient
from pymongo.database import Database

from contracts import registry
from contracts.envelope import Attributes
from infra.databases import database
from infra.local.stack import LocalStack
from infra.topics import concrete
from mission.demo.mails import Mail, Maildir
from mission.groups import groups
from mission.reading import Record, records

ELSEWHERE: Final = frozenset({"places", "attempts", "refresh_tokens", "idempotency", "leases"})
"""Collections that tell nothing of what the clients wrote."""

Row = dict[str, Any]
Rows = dict[str, Row]


@dataclass(frozen=True, slots=True)
class Told:
    """A record of one of our topics with its CloudEvents attributes. ``raw`` is what makes it this record."""

    topic: str
    partition: int
    offset: int
    sent: datetime
    attributes: Attributes
    value: bytes | None
    raw: tuple[bytes | None, bytes | None, tuple[tuple[str, bytes | None], ...]]

    @classmethod
    def of(cls, record: Record) -> Self:
        """A record that one of our services sent. Raises :class:`ValueError` for one without attributes."""
        place = (record.topic, record.partition, record.offset)
        raw = (record.key, record.value, record.headers)
        return cls(*place, record.time, Attributes.from_headers(record.headers), record.value, raw)

    @property
    def place(self) -> tuple[int, int]:
        """Version and ordinal."""
        return self.attributes.aggregateversion, self.attributes.ordinal


@dataclass
class Evidence:
    """``outsiders`` are the records of topics that others than our services write to, by topic."""

    told: list[Told]
    outsiders: dict[str, list[Record]]
    stores: dict[str, dict[str, Rows]]
    mails: list[Mail]
    behind: dict[str, int]

    @classmethod
    def gather(cls, stack: LocalStack) -> Self:
        """Reads everything, from the beginning."""
        told: list[Told] = []
        outsiders: dict[str, list[Record]] = defaultdict(list)
        topics = concrete(stack.platforms())
        ours = {topic.name for topic in topics if topic.owner in registry.SERVICES and topic.events}
        for record in records(stack, [topic.name for topic in topics]):
            if record.topic in ours and any(name == "ce_id" for name, _ in record.headers):
                told.append(Told.of(record))
            else:
                outsiders[record.topic].append(record)
        behind = {group.name: group.behind for group in groups(stack)}
        mails = list(Maildir(stack.maildir).new())
        return cls(told, dict(outsiders), {name: _store(stack, name) for name in registry.STORING}, mails, behind)

    @cached_property
    def first(self) -> list[Told]:
        """The first occurrence of each event, in the order of the topics' partitions."""
        seen: set[tuple[str, str]] = set()
        found = []
        for each in sorted(self.told, key=lambda each: (each.topic, each.partition, each.offset)):
            if (each.topic, each.attributes.id) not in seen:
                seen.add((each.topic, each.attributes.id))
                found.append(each)
        return found

    @cached_property
    def by_aggregate(self) -> dict[tuple[str, str], list[Told]]:
        """The first occurrences by topic and aggregate, as they lie on the topic."""
        found: dict[tuple[str, str], list[Told]] = defaultdict(list)
        for each in self.first:
            found[each.topic, each.attributes.subject].append(each)
        return found

    @cached_property
    def repeats(self) -> list[Told]:
        """Every record that is not the first of its event."""
        first = {(each.topic, each.partition, each.offset) for each in self.first}
        return [each for each in self.told if (each.topic, each.partition, each.offset) not in first]

    def rows(self, service: str, collection: str) -> Rows:
        """The rows of a collection by id."""
        return self.stores[service].get(collection, {})

    def outbox(self) -> Iterator[tuple[str, Row]]:
        """Every outbox row with its service."""
        for service in registry.STORING:
            for row in self.rows(service, "outbox").values():
                yield service, row

    def messages(self, template: str, **params: str) -> list[Row]:
        """What readers were told, by template and parameters."""
        found = self._by_template.get(template, ())
        return [row for row in found if params.items() <= row["params"].items()]

    @cached_property
    def _by_template(self) -> dict[str, list[Row]]:
        found: dict[str, list[Row]] = defaultdict(list)
        for row in self.rows("notification", "messages").values():
            found[row["template"]].append(row)
        return found

    @cached_property
    def delivered(self) -> Counter[str]:
        """How often the mail of each message lies in a mailbox, by the message's id."""
        return Counter(mail.id.strip("<>").partition("@")[0] for mail in self.mails)


def _store(stack: LocalStack, service: str) -> dict[str, Rows]:
    client: MongoClient[Row]
    with MongoClient(stack.mongo.admin_url, tz_aware=True) as client:
        store: Database[Row] = client[database(service)]
        names = set(store.list_collection_names()) - ELSEWHERE
        return {name: {str(row["_id"]): row for row in store[name].find()} for name in sorted(names)}
