"""Signing up, in and out, and the keys that tokens are signed with."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from contracts.common import LanguageTag
from services.registration.api.common import (
    Address,
    Administrator,
    ClientDep,
    KeysDep,
    Password,
    PersonName,
    Secret,
    SettingsDep,
    Zone,
)
from services.registration.usecases import accounts, sessions
from shared import idempotency
from shared.bodies import Body
from shared.identity import Public
from shared.service import StoreDep

router = APIRouter(prefix="/auth", tags=["accounts"])


class SignUp(Body):
    """A new account."""

    mail_address: Address
    given_name: PersonName
    family_name: PersonName
    locale: LanguageTag = "en"
    time_zone: Zone = "Europe/Brussels"
    password: Password | None = Field(None, description="Without one, signing in is by mailed link")


class MailTo(Body):
    """Where a link is to be mailed."""

    mail_address: Address


class Credentials(Body):
    """Mail address and password."""

    mail_address: Address
    password: Annotated[Secret, Field(description="As it was chosen")]


class RefreshSecret(Body):
    """The refresh token of a session."""

    refresh_token: Secret


class Accepted(BaseModel):
    """Taken up; what follows is in the mail. The answer is the same whether the address is known."""

    status: str = "look-into-your-mail"


class SessionView(BaseModel):
    """A session: send ``access_token`` as bearer token; use ``refresh_token`` once, before or after it has expired."""

    person_id: str
    access_token: str
    token_type: str = "Bearer"  # noqa: S105 - the name of the scheme (RFC 6750)
    expires_in: int
    refresh_token: str

    @classmethod
    def of(cls, session: sessions.Session) -> "SessionView":
        """A session as its owner gets it."""
        return cls(
            person_id=session.person_id,
            access_token=session.access_token,
            expires_in=session.expires_in,
            refresh_token=session.refresh_token,
        )


class KeyRotation(Body):
    """``at_once``: a key has leaked; every access token that is out ends now."""

    at_once: bool = False


class KeyView(BaseModel):
    """A signing key."""

    kid: str

    @classmethod
    def of(cls, kid: str) -> "KeyView":
        """A key by its id."""
        return cls(kid=kid)


@router.post("/sign-up", status_code=202, operation_id="sign_up", summary="Open an account; a mailed link verifies it")
async def sign_up(body: SignUp, _: Public, store: StoreDep, settings: SettingsDep, client: ClientDep) -> Accepted:
    shown = idempotency.answer(lambda _: Accepted())
    await accounts.sign_up(
        store,
        settings,
        client=client,
        mail_address=body.mail_address,
        password=body.password,
        given_name=body.given_name,
        family_name=body.family_name,
        locale=body.locale,
        time_zone=body.time_zone,
    )
    return shown(None)


@router.post("/links", status_code=202, operation_id="request_sign_in_link", summary="Mail a link to sign in")
async def request_link(body: MailTo, _: Public, store: StoreDep, settings: SettingsDep, client: ClientDep) -> Accepted:
    shown = idempotency.answer(lambda _: Accepted())
    await accounts.request_link(store, settings, client=client, mail_address=body.mail_address)
    return shown(None)


@router.post("/token", status_code=200, operation_id="sign_in", summary="Sign in by password")
async def sign_in(
    body: Credentials, _: Public, store: StoreDep, settings: SettingsDep, keys: KeysDep, client: ClientDep
) -> SessionView:
    # Tokens must not be kept for a repeated request.
    idempotency.not_kept()
    session = await sessions.by_password(
        store, keys, settings, client=client, mail_address=body.mail_address, password=body.password
    )
    return SessionView.of(session)


@router.post("/refresh", status_code=200, operation_id="refresh_session", summary="Go on with a session")
async def refresh(body: RefreshSecret, _: Public, store: StoreDep, keys: KeysDep) -> SessionView:
    idempotency.not_kept()
    return SessionView.of(await sessions.refresh(store, keys, body.refresh_token))


@router.post("/sign-out", status_code=204, operation_id="sign_out", summary="End a session")
async def sign_out(body: RefreshSecret, _: Public, store: StoreDep) -> None:
    await sessions.end(store, body.refresh_token)


@router.post("/signing-keys", status_code=201, operation_id="rotate_signing_key", summary="Make the next signing key")
async def rotate(body: KeyRotation, _: Administrator, store: StoreDep, keys: KeysDep) -> KeyView:
    shown = idempotency.answer(KeyView.of)
    return shown(await keys.rotate(store, at_once=body.at_once))
