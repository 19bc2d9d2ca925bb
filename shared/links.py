"""Mailed links that are safe with mail scanners: opening one (GET) shows, only its button (POST) decides.

A link is bound to its purpose and its receiver, expires, and works once; a *revisable* one (accept or decline an
offer) may be decided again until it expires. Only the hash of its token is stored. A service declares one
:class:`Links`, registers a handler per purpose, and adds :attr:`Links.router` and :data:`LINKS` to its app.
"""

import hashlib
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from pymongo import ASCENDING, IndexModel

from contracts.registration import LinkIssued
from shared import context, idempotency, link_pages
from shared.identity import Public
from shared.ids import new_id
from shared.link_pages import Words
from shared.problems import Problem
from shared.store import Collection, Document, Reader, Store, Transaction

KEPT_SECONDS = 30 * 24 * 3600
"""How long a link that has expired is still recognised as one."""


class Link(Document):
    """An issued link. ``digest`` is the SHA-256 of its token; ``choice`` is what its receiver decided last."""

    digest: str
    purpose: str
    person_id: str | None = None
    guest_id: str | None = None
    city_id: str | None = None
    locale: str | None = None
    data: dict[str, Any] = {}
    expires_at: datetime
    used_at: datetime | None = None
    choice: str | None = None


LINKS = Collection(
    "links",
    Link,
    indexes=[
        IndexModel([("digest", ASCENDING)], unique=True),
        IndexModel([("person_id", ASCENDING), ("purpose", ASCENDING)]),
        IndexModel([("expires_at", ASCENDING)], name="expiry", expireAfterSeconds=KEPT_SECONDS),
    ],
)

Decide = Callable[[Transaction, Link, str], Awaitable[Any]]
"""Carries out the choice in the transaction that marks the link used; returns what the answer's ``result`` shows.

It may raise a :class:`Problem`: then nothing has happened and the link stays as it was.
"""
Answer = Callable[[Request, Any], Awaitable[BaseModel]]
"""Makes the whole answer to POST, always JSON, of what the handler returned, after the commit."""
Describe = Callable[[Reader, Link, str], Awaitable[str | None]]
"""One plain sentence in a language (``en``, ``pt``, ``de``) about what the link decides, for its page."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A button of the page: its name in the address, its label, and what the page says when it was pressed."""

    name: str
    label: Words
    done: Words


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a link is for, as :meth:`Links.on` takes it."""

    code: str
    title: Words
    choices: Sequence[Choice]
    decide: Decide
    describe: Describe | None
    revisable: bool
    answer: Answer | None


class LinkChoice(BaseModel):
    """One of the decisions that a link offers."""

    name: str
    label: str


class LinkShown(BaseModel):
    """What a link is for and what can be decided with it; ``chosen`` is the decision so far."""

    purpose: str
    title: str
    about: str | None
    choices: list[LinkChoice]
    revisable: bool
    chosen: str | None
    expires_at: datetime


class LinkUsed(BaseModel):
    """What was decided, and what came of it."""

    purpose: str
    choice: str
    message: str
    result: Any = None


class Links:
    """The mailed links of one service, below ``prefix`` (such as ``/bookings/links``)."""

    def __init__(self, prefix: str, *, tag: str) -> None:
        self._prefix = prefix
        self._purposes: dict[str, Purpose] = {}
        self.router = self._routes(tag)

    def on(
        self,
        code: str,
        *,
        title: Words,
        choices: Sequence[Choice],
        describe: Describe | None = None,
        revisable: bool = False,
        answer: Answer | None = None,
    ) -> Callable[[Decide], Decide]:
        """Makes the decorated function the handler of links with this purpose. Words need at least ``en``.

        With ``answer`` POST gives what that makes of the handler's result (such as a session) instead of a page.
        """

        def register(decide: Decide) -> Decide:
            self._purposes[code] = Purpose(code, title, tuple(choices), decide, describe, revisable, answer)
            return decide

        return register

    async def issue(
        self,
        tx: Transaction,
        purpose: str,
        *,
        expires_at: datetime,
        person_id: str | None = None,
        guest_id: str | None = None,
        city_id: str | None = None,
        about: str | None = None,
        locale: str | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> Link:
        """Stores a link and tells notification to mail it to its one receiver.

        ``about`` is the id of what it decides on (a membership, booking or participation), which the mail tells of;
        ``locale`` is the receiver's, when known; ``data`` is what the handler needs. Raises :class:`KeyError` for a
        purpose without handler.
        """
        token = secrets.token_urlsafe(32)
        link = Link(
            id=new_id("lnk"),
            digest=_digest(token),
            purpose=self._purposes[purpose].code,
            person_id=person_id,
            guest_id=guest_id,
            city_id=city_id,
            locale=locale,
            data=dict(data or {}),
            expires_at=expires_at,
        )
        issued = LinkIssued(
            link_id=link.id,
            purpose=purpose,
            person_id=person_id,
            guest_id=guest_id,
            city_id=city_id,
            about=about,
            token=token,
            path=f"{self._prefix}/{token}",
            expires_at=expires_at,
        )
        return await tx.save(LINKS, link, issued)

    async def _find(self, reader: Reader, token: str, now: datetime) -> tuple[Link, Purpose]:
        link = await reader.one(LINKS, {"digest": _digest(token)})
        if link is None or link.purpose not in self._purposes:
            raise Problem(404, "link-unknown", "This link is not known here; ask for a new one.")
        purpose = self._purposes[link.purpose]
        if link.used_at is not None and not purpose.revisable:
            raise Problem(410, "link-used", "This link was used already; each works once.")
        if link.expires_at <= now:
            raise Problem(410, "link-expired", "This link has expired; ask for a new one.")
        return link, purpose

    async def show(self, store: Store, token: str, languages: Sequence[str]) -> tuple[LinkShown, str]:
        """What a link is for, and the language that it is told in. Raises 404 and 410 problems."""
        link, purpose = await self._find(store, token, store.clock.now())
        language = _language(link, languages)
        return LinkShown(
            purpose=purpose.code,
            title=link_pages.say(purpose.title, language),
            about=await purpose.describe(store, link, language) if purpose.describe else None,
            choices=[LinkChoice(name=c.name, label=link_pages.say(c.label, language)) for c in purpose.choices],
            revisable=purpose.revisable,
            chosen=link.choice,
            expires_at=link.expires_at,
        ), language

    async def use(
        self, store: Store, token: str, choice: str | None, languages: Sequence[str]
    ) -> tuple[LinkUsed, str, Purpose]:
        """Carries out a decision, in one commit with the link's mark.

        Gives what is answered, the language of its message, and the purpose. ``choice`` may be left out where there
        is only one. Raises 404, 410 and 422 problems, and the handler's.
        """
        # A link works once by itself, and its answer may hold tokens that must not be kept for a repeated request.
        idempotency.not_kept()

        async def decide(tx: Transaction) -> tuple[LinkUsed, str, Purpose]:
            link, purpose = await self._find(tx, token, tx.clock.now())
            chosen = _chosen(purpose, choice)
            if link.person_id is not None:
                context.amend(actor=link.person_id)
            used = await tx.save(LINKS, link.model_copy(update={"used_at": tx.clock.now(), "choice": chosen.name}))
            result = await purpose.decide(tx, used, chosen.name)
            language = _language(link, languages)
            message = link_pages.say(chosen.done, language)
            answer = LinkUsed(purpose=purpose.code, choice=chosen.name, message=message, result=result)
            return answer, language, purpose

        return await store.transaction(decide)

    def _routes(self, tag: str) -> APIRouter:
        router = APIRouter(tags=[tag])
        problems: dict[int | str, dict[str, Any]] = {
            status: {"description": meaning, "content": {"text/html": {}}}
            for status, meaning in (
                (404, "There is no such link"),
                (409, "What the link is for cannot be done now"),
                (410, "The link was used, or it has expired"),
                (422, "The choice is none of the link's"),
            )
        }

        @router.get(
            f"{self._prefix}/{{token}}",
            response_model=LinkShown,
            responses=problems | {200: {"content": {"text/html": {}}}},
            status_code=200,
            operation_id=f"show_{tag.replace('-', '_')}_link",
            summary="Show what a mailed link is for; decides nothing",
        )
        async def show(token: str, request: Request, _: Public) -> Response:
            languages = link_pages.accepted(request.headers.get("accept-language", ""))
            try:
                shown, language = await self.show(_store(request), token, languages)
            except Problem as problem:
                return _refusal(request, problem, languages)
            if not _wants_page(request):
                return JSONResponse(shown.model_dump(mode="json"), headers=link_pages.NO_STORE)
            buttons = [(c.name, c.label, c.name == shown.chosen) for c in shown.choices]
            return link_pages.page(shown.title, shown.about, language, buttons=buttons, expires_at=shown.expires_at)

        @router.post(
            f"{self._prefix}/{{token}}",
            response_model=LinkUsed,
            responses=problems | {200: {"content": {"text/html": {}}}},
            status_code=200,
            operation_id=f"use_{tag.replace('-', '_')}_link",
            summary="Carry out what a mailed link is for",
        )
        async def use(
            token: str,
            request: Request,
            _: Public,
            choice: Annotated[str | None, Query(max_length=80, description="One of the link's choices")] = None,
        ) -> Response:
            languages = link_pages.accepted(request.headers.get("accept-language", ""))
            try:
                used, language, purpose = await self.use(_store(request), token, choice, languages)
            except Problem as problem:
                return _refusal(request, problem, languages)
            if purpose.answer is not None:
                whole = await purpose.answer(request, used.result)
                return JSONResponse(whole.model_dump(mode="json"), headers=link_pages.NO_STORE)
            if not _wants_page(request):
                return JSONResponse(used.model_dump(mode="json"), headers=link_pages.NO_STORE)
            return link_pages.page(used.message, None, language)

        return router


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _chosen(purpose: Purpose, name: str | None) -> Choice:
    if name is None and len(purpose.choices) == 1:
        return purpose.choices[0]
    for choice in purpose.choices:
        if choice.name == name:
            return choice
    known = ", ".join(choice.name for choice in purpose.choices)
    raise Problem(422, "choice-unknown", f"The choice must be one of: {known}.", params={"choices": known})


def _language(link: Link, accepted: Sequence[str]) -> str:
    return link_pages.best([link.locale, *accepted] if link.locale else accepted)


def _store(request: Request) -> Store:
    store: Store = request.app.state.service.store
    return store


def _wants_page(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "")


def _refusal(request: Request, problem: Problem, languages: Sequence[str]) -> Response:
    if not _wants_page(request):
        raise problem
    language = link_pages.best(languages)
    return link_pages.page(link_pages.refusal(problem, language), None, language, status=problem.status)
