"""Sessions of browsers: sign in, stay signed in, sign out. Programs use registration's tokens directly."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from services.gateway import csrf
from services.gateway.sessions import SIGN_IN, SIGN_IN_LINK, SIGN_OUT, Answer, Sessions
from shared.bodies import Body
from shared.identity import Public, SignedIn
from shared.problems import Problem

TAG = "session"


class SignIn(Body):
    """Mail address and password."""

    mail_address: Annotated[str, Field(min_length=3, max_length=320)]
    password: Annotated[str, Field(min_length=1, max_length=1000)]


class SessionOpened(BaseModel):
    """A session in cookies. ``expires_in``: seconds within which it must be refreshed.

    ``csrf_token`` goes into the header ``X-CSRF-Token`` of every request that changes something; the cookie that holds
    it can be read by scripts.
    """

    person_id: str
    expires_in: int
    csrf_token: str


class GrantShown(BaseModel):
    """A role and where it holds."""

    role: str
    scope_type: str
    scope: str


class SessionShown(BaseModel):
    """Who is signed in: the person, the cities whose approved member it is, and its roles."""

    person_id: str
    cities: list[str]
    grants: list[GrantShown]


def router(sessions: Sessions, own_origin: str) -> APIRouter:
    """The endpoints of sessions. ``own_origin`` is where browsers find the platform."""
    router = APIRouter(prefix="/api/v1/session", tags=[TAG], generate_unique_id_function=lambda route: route.name)
    cookies = sessions.cookies

    def begin(answer: Answer) -> Response:
        opened = sessions.opened(answer)
        if opened is None:
            return answer.as_response()
        tokens, csrf_token = opened
        shown = SessionOpened(person_id=tokens.person_id, expires_in=tokens.expires_in, csrf_token=csrf_token)
        response = JSONResponse(shown.model_dump())
        cookies.begin(response, tokens, csrf_token)
        return response

    @router.post("", response_model=SessionOpened, status_code=200, summary="Sign in by password, with cookies")
    async def open_browser_session(body: SignIn, request: Request, _: Public) -> Response:
        csrf.check_origin(request.scope["headers"], own_origin)
        return begin(await sessions.ask(request.scope, SIGN_IN, body.model_dump()))

    @router.post(
        "/links/{token}",
        response_model=SessionOpened,
        status_code=200,
        responses={410: {"description": "The link was used, or it has expired"}},
        summary="Sign in by a mailed link, with cookies",
    )
    async def open_browser_session_by_link(
        token: Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]+$", max_length=200)], request: Request, _: Public
    ) -> Response:
        csrf.check_origin(request.scope["headers"], own_origin)
        return begin(await sessions.ask(request.scope, f"{SIGN_IN_LINK}/{token}", {}))

    @router.post("/refresh", response_model=SessionOpened, status_code=200, summary="Stay signed in")
    async def refresh_browser_session(request: Request, _: Public) -> Response:
        refresh_token = own(request)
        if refresh_token is None:
            raise Problem(401, "not-signed-in", "There is no session to refresh; sign in.")
        answer = await sessions.refresh(request.scope, refresh_token)
        response = begin(answer)
        if answer.status == 401:
            cookies.end(response)
        return response

    @router.delete("", status_code=204, response_model=None, summary="Sign out")
    async def close_browser_session(request: Request, _: Public) -> Response:
        refresh_token = own(request)
        if refresh_token is not None:
            answer = await sessions.ask(request.scope, SIGN_OUT, {"refresh_token": refresh_token})
            if answer.status >= 500:
                return answer.as_response()
        response = Response(status_code=204)
        cookies.end(response)
        return response

    @router.get("", status_code=200, summary="Show who is signed in")
    async def show_browser_session(caller: SignedIn) -> SessionShown:
        grants = [GrantShown(role=g.role, scope_type=g.scope_type, scope=g.scope) for g in caller.grants]
        return SessionShown(person_id=caller.id, cities=sorted(caller.cities), grants=grants)

    def own(request: Request) -> str | None:
        """The session's refresh token, when one of our own pages asks."""
        headers = request.scope["headers"]
        refresh_token = cookies.read(headers, cookies.refresh)
        if refresh_token is not None:
            csrf.check_origin(headers, own_origin)
            csrf.check_token(headers, cookies.read(headers, cookies.csrf), "", None)
        return refresh_token

    return router
