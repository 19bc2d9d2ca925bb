"""The HTTP door: a person's inbox, its live stream, and what became of a message."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel, Field

from contracts.notification import Channel, DeliveryState, MessageClass, Recipient
from services.notification import domain
from services.notification.feed import Feed
from services.notification.texts import empty_inbox
from services.notification.usecases import inbox
from services.notification.usecases.inbox import Entry
from shared.identity import Caller, SignedIn, may
from shared.paging import CursorParam, Limit, Page
from shared.service import ServiceDep, StoreDep

STREAM_SECONDS = 300
"""How long one stream lives: as long as an access token, so that whoever lost access hears nothing more."""

RETRY_MS = 1000

router = APIRouter(tags=["notification"])

MessageIdParam = Annotated[str, Path(pattern=r"^msg_[0-9a-f]{32}$", description="The message's id")]


class Action(BaseModel):
    """What can be done about a message: its label, and where in the portal."""

    label: str
    path: str


class InboxEntry(BaseModel):
    """A message in the reader's language. ``body`` is plain text: blank lines divide paragraphs."""

    id: str
    message_class: MessageClass
    topic: str
    template: str
    params: dict[str, Any]
    language: str
    subject: str
    body: str
    why: str
    action: Action | None
    city_id: str | None
    created_at: datetime
    read_at: datetime | None


class InboxPage(Page[InboxEntry]):
    """A page of the inbox, the latest first, with the number of all entries that are not read."""

    unread: int


class StreamedEntry(InboxEntry):
    """A new entry as it comes in, with the number of all entries that are not read."""

    unread: int


class Unread(BaseModel):
    """How many entries are not read."""

    unread: int


class ChannelState(BaseModel):
    """What became of a message on one channel. ``next_attempt_at`` while a mail waits."""

    channel: Channel
    state: DeliveryState
    attempts: int = 0
    reason: str | None = None
    at: datetime
    next_attempt_at: datetime | None = None


class MessageState(BaseModel):
    """A message as the helpdesk sees it: who was told what, why, and whether it arrived. No text, no address."""

    id: str
    recipient: Recipient
    message_class: MessageClass
    topic: str
    template: str
    params: dict[str, Any]
    city_id: str | None
    created_at: datetime
    expires_at: datetime | None
    caused_by: str = Field(description="Id of the event that it comes from")
    channels: list[ChannelState]


async def _languages(
    response: Response,
    accept_language: Annotated[str, Header(max_length=1000, description="RFC 9110, 12.5.4")] = "",
) -> list[str]:
    response.headers["Vary"] = "Accept-Language"
    return domain.languages_of(accept_language)


Languages = Annotated[list[str], Depends(_languages)]


@router.get("/inbox", response_model=InboxPage, status_code=200, summary="Read my messages, the latest first")
async def list_inbox(
    service: ServiceDep,
    store: StoreDep,
    caller: SignedIn,
    languages: Languages,
    limit: Limit = 50,
    cursor: CursorParam = None,
    unread: Annotated[bool, Query(description="Only what I have not read")] = False,
    topic: Annotated[str | None, Query(max_length=80, description="Only this topic, such as `sessions`")] = None,
) -> InboxPage:
    scope = f"inbox/{caller.id}/{unread}/{topic}"
    after = None
    if cursor is not None:
        at, id = service.cursors.decode(scope, cursor)
        after = datetime.fromtimestamp(at / 1000, UTC), id
    found, following = await inbox.entries(
        store, caller.id, languages, unread=unread, topic=topic, after=after, limit=limit
    )
    return InboxPage(
        items=[_entry(one) for one in found],
        next=service.cursors.encode(scope, [_ms(following[0]), following[1]]) if following else None,
        unread=await inbox.unread(store, caller.id),
        hint=None if found else empty_inbox(await inbox.reader(store, caller.id, languages)),
    )


@router.post("/inbox/{id}/read", response_model=InboxEntry, status_code=200, summary="Mark one of my messages as read")
async def mark_inbox_entry_read(
    id: MessageIdParam, store: StoreDep, caller: SignedIn, languages: Languages
) -> InboxEntry:
    return _entry(await inbox.mark_read(store, caller.id, id, languages))


@router.get(
    "/stream",
    response_class=EventSourceResponse,
    status_code=200,
    summary="Follow my inbox live (server-sent events)",
    description=(
        "An event `unread` at first, then an event `message` for each new entry, with its number as the event's id; "
        "`Last-Event-ID` continues behind it. The stream ends after some minutes, and a browser connects again."
    ),
)
async def stream_inbox(
    request: Request,
    store: StoreDep,
    caller: SignedIn,
    languages: Languages,
    last_event_id: Annotated[int | None, Header(ge=0, le=2**53)] = None,
) -> AsyncIterator[ServerSentEvent]:
    feed: Feed = request.app.state.feed
    owner, number = await inbox.latest(store, caller.id)
    number = min(number, last_event_id) if last_event_id is not None else number
    loop = asyncio.get_running_loop()
    ends = loop.time() + STREAM_SECONDS
    with feed.listening(owner) as news:
        yield ServerSentEvent(
            event="unread", data=Unread(unread=await inbox.unread(store, owner)), retry=RETRY_MS, id=str(number)
        )
        while not feed.closing and loop.time() < ends:
            news.clear()
            found, reached = await inbox.entries_after(store, owner, languages, number)
            for entry in found:
                count = await inbox.unread(store, owner)
                data = StreamedEntry(**_entry(entry).model_dump(), unread=count)
                yield ServerSentEvent(event="message", data=data, id=str(entry.message.seq))
            more, number = reached > number, reached
            if not more and not feed.closing:
                try:
                    async with asyncio.timeout_at(ends):
                        await news.wait()
                except TimeoutError:
                    return


@router.get("/messages/{id}", response_model=MessageState, status_code=200, summary="See what became of a message")
async def show_message_state(
    id: MessageIdParam, store: StoreDep, _: Annotated[Caller, may(roles=["helpdesk"])]
) -> MessageState:
    message, waiting = await inbox.delivery_of(store, id)
    channels = []
    if message.portal:
        state = DeliveryState.READ if message.read_at else DeliveryState.SENT
        at = message.read_at or message.created_at
        channels.append(ChannelState(channel=Channel.PORTAL, state=state, at=at))
    if (mail := message.mail) is not None:
        channels.append(
            ChannelState(
                channel=Channel.MAIL,
                state=waiting.outcome or mail.state if waiting else mail.state,
                attempts=waiting.attempts if waiting else mail.attempts,
                reason=waiting.reason if waiting else mail.reason,
                at=mail.at,
                next_attempt_at=waiting.due if waiting and waiting.outcome is None else None,
            )
        )
    return MessageState(
        recipient=domain.recipient(message.reader), channels=channels, **message.model_dump(include=_SHOWN)
    )


_SHOWN = {
    *("id", "message_class", "topic", "template", "params", "city_id"),
    *("created_at", "expires_at", "caused_by"),
}


def _ms(instant: datetime) -> int:
    return round(instant.timestamp() * 1000)


def _entry(entry: Entry) -> InboxEntry:
    message, text = entry.message, entry.rendered.text
    return InboxEntry(
        **message.model_dump(
            include={"id", "message_class", "topic", "template", "params", "city_id", "created_at", "read_at"}
        ),
        language=entry.rendered.language,
        subject=text.subject,
        body=text.body,
        why=text.why,
        action=Action(label=text.action, path=message.action_path) if message.action_path else None,
    )
