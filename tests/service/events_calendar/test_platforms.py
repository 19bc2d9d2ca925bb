"""National platforms write with an ordinary client; every message has its effect or none, and gets its receipt."""

import asyncio
import json
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.producer import message_accumulator, producer
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy

from contracts.events_calendar import EventCancelled, EventPublished, EventWithdrawn
from contracts.national_platforms import PlatformEventCancelled, PlatformEventWithdrawn, PlatformListed, PlatformState
from infra.local.stack import LocalStack
from shared.ids import new_id
from shared.outbox import Tombstone
from shared.testing import Tokens, Topics, eventually
from tests.service.events_calendar.conftest import Outsider, properties
from tests.unit.events_calendar import messages

CANCELLED, WITHDRAWN = PlatformEventCancelled.type, PlatformEventWithdrawn.type


def told(receipt: dict[str, Any], what: str = "problems") -> list[str]:
    return [one["code"] for one in receipt[what]]


async def test_an_event_is_published_changed_cancelled_and_withdrawn(
    calendar: httpx.AsyncClient, platform: Outsider, topics: Topics
) -> None:
    receipt = await platform.receipt(platform.publish(organiser={"name": "Office", "email": "office@example.org"}))
    assert (receipt["status"], told(receipt), told(receipt, "warnings")) == ("accepted", [], [])
    path = f"/events/{receipt['event_id']}"
    shown = (await calendar.get(path)).json()
    assert (shown["platform"], shown["source"], shown["status"]) == (platform.id, "national-platform", "scheduled")
    assert shown["event"]["title"]["sv"]["text"] == "Klimatlabb"
    assert shown["event"]["span"]["starts"]["local"] == "2026-04-14T09:00:00"
    assert "office@" not in json.dumps(shown)

    receipt = await platform.receipt(platform.publish(sequence=1, title={"sv": "Klimatlabb, ny lokal"}))
    assert receipt["status"] == "accepted"
    shown = (await calendar.get(path)).json()
    assert (shown["event"]["title"]["sv"]["text"], shown["revision"]) == ("Klimatlabb, ny lokal", 2)

    await platform.receipt(
        platform.say({"uid": "climate-lab-7", "sequence": 2, "reason": {"sv": "Sjukdom"}}, type=CANCELLED)
    )
    shown = (await calendar.get(path)).json()
    assert (shown["status"], shown["reason"]["sv"]["text"]) == ("cancelled", "Sjukdom")
    assert shown["event"]["title"]["sv"]["text"] == "Klimatlabb, ny lokal", "a cancelled event stays legible"

    await platform.receipt(platform.say({"uid": "climate-lab-7", "sequence": 3}, type=WITHDRAWN))
    assert (await calendar.get(path)).status_code == 404
    listed = (await calendar.get("/events", params={"platform": platform.id, "begin": "2020-01-01"})).json()
    assert (listed["items"], bool(listed["hint"])) == ([], True)

    async def all_told() -> list[Any] | None:
        events = await topics.read("calendar.events", subject=receipt["event_id"])
        return events if len(events) == 4 else None

    events = await eventually(all_told, "four facts are on the topic")
    kinds: list[Any] = [type(envelope.event) for envelope in events]
    expected: list[Any] = [EventPublished, EventPublished, EventCancelled, EventWithdrawn]
    assert kinds == expected
    assert [envelope.event.revision for envelope in events] == [1, 2, 3, 4]
    assert "office@" not in str(events), "the organiser's mail address is in no event"


async def test_repeats_and_late_messages_change_nothing(calendar: httpx.AsyncClient, platform: Outsider) -> None:
    first = messages.binary(id="a-1")
    offsets = [platform.send(*first), platform.send(*first), platform.send(*messages.structured(id="a-1"))]
    offsets.append(platform.send(*messages.binary(messages.data(capacity=7), id="a-1")))
    offsets.append(platform.publish(sequence=5, title={"sv": "Sist"}))
    offsets.append(platform.publish(sequence=4, title={"sv": "Sen"}))
    offsets.append(platform.say(messages.data(sequence=5, title={"sv": "Samma"}), time="2026-02-03T09:00:00Z"))
    offsets.append(platform.say(messages.data(sequence=5, title={"sv": "Äldre"}), time="2026-02-03T07:00:00Z"))
    receipts = await platform.receipts(offsets[-1])
    states = [receipts[offset]["status"] for offset in offsets]
    assert states == [
        "accepted",
        "unchanged",
        "unchanged",
        "rejected",
        "accepted",
        "unchanged",
        "accepted",
        "unchanged",
    ]
    assert told(receipts[offsets[3]]) == ["id-reused"]
    assert told(receipts[offsets[5]], "warnings") == ["stale"]
    shown = (await calendar.get(f"/events/{receipts[offsets[0]]['event_id']}")).json()
    assert shown["event"]["title"]["sv"]["text"] == "Samma", "of equal sequences the later time wins"


async def test_a_cancellation_before_its_event_is_remembered(calendar: httpx.AsyncClient, platform: Outsider) -> None:
    platform.say({"uid": "climate-lab-7", "sequence": 3}, type=CANCELLED)
    late, newer = platform.publish(sequence=2), platform.publish(sequence=4)
    receipts = await platform.receipts(newer)
    assert [receipt["status"] for receipt in receipts.values()] == ["accepted", "unchanged", "accepted"]
    assert receipts[late]["event_id"] is None
    assert (await calendar.get(f"/events/{receipts[newer]['event_id']}")).json()["status"] == "scheduled"


def deep(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels


HOSTILE: list[tuple[bytes | None, list[tuple[str, bytes | None]] | None]] = [
    (None, None),
    (None, messages.binary()[1]),
    (b"", None),
    (b"{", messages.binary()[1]),
    (deep(10_000), messages.binary()[1]),
    (b'{"uid": ' + b"9" * 400 + b"}", messages.binary()[1]),
    (b'{"uid": "\\ud800"}', messages.structured()[1]),
    (b'{"uid": "a\\u0000b"}', messages.binary()[1]),
    (messages.binary()[0], [("ce_id", None), ("ce_type", b"\xff\xfe"), ("content-type", None)]),
    messages.binary(messages.data(starts_at="1600-01-01T00:00:00Z", ends_at="9999-12-31T23:59:59Z")),
    messages.binary(messages.data(ends_at="2026-04-14T08:00:00+02:00")),
    messages.binary(messages.data(starts_at="2026-03-29T02:30:00+01:00", ends_at="2026-03-29T04:00:00+02:00")),
    messages.binary(source="https://somebody.example/else"),
    messages.binary(messages.data(url="javascript:alert(1)")),
    (b"x" * (65 * 1024), messages.binary()[1]),
]


async def test_hostile_and_careless_messages_each_get_a_receipt_and_break_nothing(
    calendar: httpx.AsyncClient, platform: Outsider, tokens: Tokens
) -> None:
    offsets = [platform.send(value, headers, key=b"\xff\x00") for value, headers in HOSTILE]
    offsets.append(platform.publish(uid="well-formed"))
    receipts = await platform.receipts(offsets[-1])
    assert [receipt["status"] for receipt in receipts.values()] == ["rejected"] * len(HOSTILE) + ["accepted"]
    assert all(receipts[offset]["problems"] for offset in offsets[:-1]), "each refusal says why"
    listed = (await calendar.get("/events", params={"platform": platform.id, "begin": "1970-01-01"})).json()["items"]
    assert [event["uid"] for event in listed] == ["well-formed"]
    editor = tokens.bearer(new_id("prs"), roles=["editor"])
    health = (await calendar.get(f"/platforms/{platform.id}/health", headers=editor)).json()
    assert (health["accepted"], health["rejected"]) == (1, len(HOSTILE))
    assert health["problems"]["not-legible"] >= 3
    assert health["last_message_at"] >= health["last_rejected_at"]


async def test_every_codec_and_every_header_name_is_legible(
    platform: Outsider, stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What ordinary clients and careless ones put on the wire; the latter is not to be had from an ordinary client."""
    for codec in ("gzip", "snappy", "lz4", "zstd"):
        client = {**platform.client, "compression.type": codec}
        Outsider(platform.id, client).publish(uid=codec, description={"en": "long " * 500})

    class RawName(str):
        def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
            return b"\xff\xfe"

    for module in (message_accumulator, producer):
        monkeypatch.setattr(module, "DefaultRecordBatchBuilder", _DefaultRecordBatchBuilderPy)
    careless = AIOKafkaProducer(
        bootstrap_servers=stack.platforms_bootstrap,
        security_protocol="SASL_PLAINTEXT",
        sasl_mechanism="SCRAM-SHA-512",
        sasl_plain_username=platform.client["sasl.username"],
        sasl_plain_password=platform.client["sasl.password"],
        linger_ms=50,
    )
    await careless.start()
    sent = []
    for uid in ("before", "odd", "after"):
        value, headers = messages.binary(messages.data(uid=uid), id=uid, subject=uid)
        odd = [(RawName("name"), b"\xff"), *headers] if uid == "odd" else headers
        sent.append(await careless.send(platform.topic, value, headers=odd))
    await careless.stop()
    receipts = await platform.receipts((await sent[-1]).offset)
    assert [receipt["status"] for receipt in receipts.values()] == ["accepted"] * 7


async def test_a_message_waits_until_its_platform_is_listed(
    calendar: httpx.AsyncClient, stack: LocalStack, topics: Topics
) -> None:
    (path,) = await asyncio.to_thread(stack.add_platforms, ["se-not-listed-yet"])
    early = Outsider("se-not-listed-yet", properties(path))
    early.send(*messages.binary(), key=b"\xff\xfe")
    last = early.publish(sequence=1, title={"sv": "Andra"})

    group = AIOKafkaAdminClient(**topics.options)
    await group.start()

    async def waits() -> bool:
        offsets = await group.list_consumer_group_offsets("events-calendar.platforms")
        return any(at.topic == early.topic and where.offset > last for at, where in offsets.items())

    await eventually(waits, "its messages were taken from the topic")
    await group.close()
    assert (await calendar.get("/events", params={"platform": early.id})).json()["items"] == []
    await topics.publish(messages.PLATFORM.model_copy(update={"platform": early.id}))
    receipts = await early.receipts(last)
    assert [receipt["status"] for receipt in receipts.values()] == ["accepted", "accepted"]


async def test_a_platform_that_is_suspended_or_no_longer_listed_is_told_so(
    calendar: httpx.AsyncClient, platform: Outsider, topics: Topics
) -> None:
    listing = messages.PLATFORM.model_copy(update={"platform": platform.id})
    await topics.publish(listing.model_copy(update={"state": PlatformState.SUSPENDED}))

    async def suspended() -> bool:
        rows = (await calendar.get("/platforms")).json()["items"]
        return {"suspended"} == {row["state"] for row in rows if row["id"] == platform.id}

    await eventually(suspended, "the platform is suspended")
    assert told(await platform.receipt(platform.publish())) == ["platform-suspended"]
    await topics.publish(Tombstone(PlatformListed), subject=platform.id)

    async def gone() -> bool:
        return platform.id not in {row["id"] for row in (await calendar.get("/platforms")).json()["items"]}

    await eventually(gone, "the platform is not listed")
    assert told(await platform.receipt(platform.publish())) == ["platform-not-listed"]


async def test_health_is_for_those_who_look_after_a_platform(
    calendar: httpx.AsyncClient, platform: Outsider, tokens: Tokens
) -> None:
    path = f"/platforms/{platform.id}/health"
    assert (await calendar.get(path)).status_code == 401
    assert (await calendar.get(path, headers=tokens.bearer(new_id("prs")))).status_code == 403
    minder = tokens.bearer(new_id("prs"), roles=["helpdesk"])
    assert (await calendar.get("/platforms/xx-nobody/health", headers=minder)).status_code == 404


@pytest.mark.parametrize(
    "path", ["/events/evt_1", "/platforms/no%20such/health", "/events?country=Sweden", "/events?q=" + "x" * 201]
)
async def test_what_is_asked_wrongly_is_a_problem(calendar: httpx.AsyncClient, path: str) -> None:
    answer = await calendar.get(path)
    assert answer.status_code in (401, 422)
    assert answer.headers["content-type"] == "application/problem+json"
