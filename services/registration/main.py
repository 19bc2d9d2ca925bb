"""The one place where registration is put together."""

from fastapi import FastAPI

from services.registration.api import ROUTERS
from services.registration.handlers import inbox
from services.registration.settings import RegistrationSettings
from services.registration.store import COLLECTIONS
from services.registration.usecases import accounts, attempts, countries, keys
from services.registration.usecases.keys import SigningKeys
from services.registration.usecases.loading import Loading
from shared.deadlines import Deadlines
from shared.service import Service, create_service
from shared.settings import secrets_dir


def create_app(settings: RegistrationSettings | None = None) -> FastAPI:
    """Registration's app."""
    settings = settings or RegistrationSettings(_secrets_dir=secrets_dir(), service="registration")
    signing_keys = SigningKeys(settings)
    places = Loading(settings)
    timers = Deadlines()
    timers.on(keys.ROTATE)(signing_keys.on_rotation_due)
    timers.on(keys.WITHDRAW)(signing_keys.on_withdrawal_due)
    timers.on(accounts.UNVERIFIED)(accounts.on_unverified_due)

    async def prepare(service: Service) -> None:
        await attempts.prepare(service.store)
        await signing_keys.ensure(service.store)
        await countries.seed(service.store)

    app = create_service(
        "registration",
        title="Registration",
        routers=ROUTERS,
        inbox=inbox,
        collections=COLLECTIONS,
        timers=timers,
        on_start=[prepare, places.start],
        on_stop=[places.stop],
        settings=settings,
    )
    app.state.signing_keys = signing_keys
    return app
