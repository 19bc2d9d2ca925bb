"""``Idempotency-Key``: a repeated creating request gets its first answer again and creates nothing twice.

The answer is stored in the write's own transaction (see :meth:`shared.store.Transaction.finish`).
"""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from fastapi import FastAPI, Request, Response
from fastapi.encoders import jsonable_encoder
from fastapi.responses import JSONResponse
from pymongo.errors import BulkWriteError, DuplicateKeyError

from shared import context
from shared.problem_answers import response
from shared.problems import Problem
from shared.store import is_duplicate

HEADER = "idempotency-key"
MAX_LENGTH = 200
R = TypeVar("R")
V = TypeVar("V")


class Repeated(Exception):
    """This request was answered before; the first answer is given again."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__("repeated request")
        self.status = status
        self.body = body


async def begin(request: Request, principal: str | None) -> None:
    """Takes up the request's key for the transaction that follows.

    Raises :class:`Repeated` when the request was answered before, a 422 problem when the key was used for another
    request, a 400 problem when the key is too long.
    """
    key = request.headers.get(HEADER)
    if key is None or request.method not in {"POST", "PUT", "PATCH", "DELETE"}:
        return
    if not 1 <= len(key) <= MAX_LENGTH:
        raise Problem(400, "idempotency-key-invalid", f"Idempotency-Key has 1 to {MAX_LENGTH} characters.")
    content = await request.body()
    target = f"{request.method} {request.url.path}?{request.url.query}\n".encode()
    digest = hashlib.sha256(target + content).hexdigest()
    id = hashlib.sha256(f"{principal or 'anyone'}\n{key}".encode()).hexdigest()
    await _recall(request, id, digest)
    status = getattr(request.scope.get("route"), "status_code", None) or 200
    context.amend(idempotency=context.IdempotencyKey(id, digest, status, jsonable_encoder))


def answer(render: Callable[[R], V]) -> Callable[[R], V]:
    """Says how the answer is made of what the transaction returns, so that a repeated request gets the same one.

    Use it as ``shown = answer(CityView.of)`` before, and ``return shown(await change(…))``. Without it what the
    transaction returns is the answer.
    """
    key = context.current().idempotency
    if key is not None:
        context.amend(idempotency=replace(key, render=lambda result: jsonable_encoder(render(result))))
    return render


def not_kept() -> None:
    """The present request's answer must not be kept (it holds secrets), or need not be: doing it twice is no harm."""
    context.amend(idempotency=None)


async def _recall(request: Request, id: str, digest: str) -> bool:
    service = request.app.state.service
    if service.relay is None:
        # The gateway keeps nothing, so a repeat is found by the service behind it.
        return False
    answer = await service.store.raw("idempotency").find_one({"_id": id})
    if answer is None:
        return False
    if answer["digest"] != digest:
        raise Problem(422, "idempotency-key-reused", "This Idempotency-Key was used for another request.")
    raise Repeated(answer["status"], answer["body"])


def install(app: FastAPI) -> None:
    """Answers repeated requests, also when two of them race."""

    async def on_repeated(_: Request, error: Exception) -> Response:
        assert isinstance(error, Repeated)
        if error.status == 204:
            return Response(status_code=204, headers={"Idempotency-Replayed": "true"})
        return JSONResponse(error.body, error.status, {"Idempotency-Replayed": "true"})

    async def on_duplicate(request: Request, error: Exception) -> Response:
        if not is_duplicate(error):
            raise error
        problem = Problem(409, "exists-already", "This exists already.", headers={"Retry-After": "1"})
        return await on_problem(request, problem)

    async def on_problem(request: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)
        key = context.current().idempotency
        if key is not None and error.status == 409:
            # What stands in its way may be what the same request did a moment ago.
            try:
                await _recall(request, key.id, key.digest)
            except Repeated as repeated:
                return await on_repeated(request, repeated)
            except Problem as problem:
                return response(problem)
        return response(error)

    app.add_exception_handler(Repeated, on_repeated)
    app.add_exception_handler(Problem, on_problem)
    app.add_exception_handler(DuplicateKeyError, on_duplicate)
    app.add_exception_handler(BulkWriteError, on_duplicate)
