"""Answers of public pages that many read, kept as bytes until what they were made of changes."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import structlog
from fastapi import Request
from pymongo.errors import PyMongoError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.clock import Clock
from shared.collections import Collection

if TYPE_CHECKING:
    from shared.service import Service

MAX_BYTES: Final = 8 * 2**20
"""What all answers together may take; those that were not asked for the longest go first."""

MAX_ANSWER_BYTES: Final = 2**20
RETRY_SECONDS: Final = 1.0
OF_ITS_OWN: Final = frozenset({b"authorization", b"content-length", b"transfer-encoding"})
"""A request with one of these is answered by its endpoint: credentials are to be checked, bodies to be refused."""

MATTERS: Final = frozenset({b"accept-language", b"if-none-match"})
"""What an answer may depend on beside its address; an endpoint that looks at anything else must not let it be kept."""

Key = tuple[bytes, ...]
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer, and until when it is right."""

    start: Message
    body: Message
    until: datetime | None
    route: Any

    @property
    def size(self) -> int:
        """Its body's bytes, and about as many as everything else of it takes."""
        return len(self.body["body"]) + 1000


class KeptAnswers:
    """The answers of one process. Whoever learns of a change calls :meth:`forget`; all are made anew then."""

    def __init__(self) -> None:
        self._answers: OrderedDict[Key, Answer] = OrderedDict()
        self._size = 0
        self._following: asyncio.Task[None] | None = None
        self.turn = 0
        """Goes up with every change; an answer that was begun in an earlier turn is not kept."""

        self.deaf = False
        """Whether changes are not heard of at this moment, so that nothing may be kept."""

    def forget(self) -> None:
        """Something has changed that answers are made of."""
        self.turn += 1
        self._answers.clear()
        self._size = 0

    def find(self, key: Key, clock: Clock) -> Answer | None:
        """What was answered to the same request, while it is right."""
        answer = self._answers.get(key)
        if answer is None:
            return None
        if answer.until is not None and clock.now() >= answer.until:
            self._drop(key)
            return None
        self._answers.move_to_end(key)
        return answer

    def put(self, key: Key, answer: Answer, turn: int) -> None:
        """Keeps an answer that was begun in this turn."""
        if self.deaf or turn != self.turn or answer.size > MAX_ANSWER_BYTES:
            return
        if key in self._answers:
            self._drop(key)
        self._answers[key] = answer
        self._size += answer.size
        while self._size > MAX_BYTES:
            self._drop(next(iter(self._answers)))

    def _drop(self, key: Key) -> None:
        self._size -= self._answers.pop(key).size

    def follow(self, service: "Service", collection: Collection[Any]) -> None:
        """Hears of every change of a collection from its change stream; while that is away nothing is kept."""
        if self._following is None:
            self.deaf = True
            self._following = asyncio.create_task(self._follow(service, collection), name="kept-answers")

    async def stop(self) -> None:
        """Ends what :meth:`follow` began."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)

    async def _follow(self, service: "Service", collection: Collection[Any]) -> None:
        while True:
            try:
                async with service.store.watch(collection.name, [{"$project": {"_id": 1}}]) as changes:
                    self.forget()
                    self.deaf = False
                    async for _ in changes:
                        self.forget()
            except PyMongoError as error:
                log.warning("kept-answers-retry", error=repr(error))
            self.deaf = True
            self.forget()
            await asyncio.sleep(RETRY_SECONDS)


def keep(request: Request, until: datetime | None = None) -> None:
    """Declares, in an endpoint for everybody, that the answer may be kept until something changes, at most ``until``.

    The answer must depend on nothing but the address, :data:`MATTERS` and what :meth:`KeptAnswers.forget` is called
    for.
    """
    request.scope["keep"] = until


class Keeping:
    """ASGI middleware: answers from what is kept, and keeps what endpoints declare with :func:`keep`."""

    def __init__(self, app: ASGIApp, kept: KeptAnswers, clock: Clock) -> None:
        self._app = app
        self._kept = kept
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["method"] != "GET":
            await self._app(scope, receive, send)
            # Whoever writes here and then reads here sees what was written, before word of it has come.
            self._kept.forget()
        elif (key := _key(scope)) is None:
            await self._app(scope, receive, send)
        elif (answer := self._kept.find(key, self._clock)) is not None:
            scope["route"] = answer.route
            await send(dict(answer.start))
            await send(answer.body)
        else:
            await self._listen(key, scope, receive, send)

    async def _listen(self, key: Key, scope: Scope, receive: Receive, send: Send) -> None:
        turn = self._kept.turn
        start: Message | None = None

        async def listening(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = dict(message) if "keep" in scope and message["status"] < 400 else None
            elif start is not None and not message.get("more_body"):
                body = {"type": message["type"], "body": message.get("body", b"")}
                self._kept.put(key, Answer(start, body, scope["keep"], scope.get("route")), turn)
            else:
                start = None
            await send(message)

        await self._app(scope, receive, listening)


def _key(scope: Scope) -> Key | None:
    asked = [scope["path"].encode(), scope["query_string"]]
    for name, value in scope["headers"]:
        if name in OF_ITS_OWN:
            return None
        if name in MATTERS:
            asked += (name, value)
    return tuple(asked)
