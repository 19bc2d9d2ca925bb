"""One call that gives a service everything it stands on."""

import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.responses import JSONResponse
from faststream.kafka import KafkaBroker
from faststream.security import SASLScram512
from prometheus_client import CONTENT_TYPE_LATEST, Gauge, generate_latest
from pymongo.errors import PyMongoError
from starlette.middleware import Middleware

from contracts.registry import consumer_groups
from shared import consumer, deadlines, documents, generations, idempotency, operating, problem_answers, telemetry
from shared.admission import Admission
from shared.bodies import BodyLimits
from shared.broker import connection
from shared.clock import Clock
from shared.consumer import Consumer
from shared.deadlines import Deadlines
from shared.identity import KeyRing
from shared.inbox import Inbox
from shared.kept_answers import Keeping, KeptAnswers
from shared.paging import Cursors
from shared.problems import Problem
from shared.relay import Relay
from shared.settings import Settings, secrets_dir
from shared.shutdown import before_shutdown, served
from shared.store import Collection, Store, is_outage

RELAY_STUCK_SECONDS = 60
GRACE_SECONDS = 10
PLATFORM_REFRESH_MS = 5000

MISSING = Gauge("mission_missing", "What this process waits for, as /health/ready tells it", ["dependency"])

log = structlog.get_logger()
Hook = Callable[["Service"], Awaitable[None]]


class Service:
    """The running parts of one service process, at ``app.state.service``."""

    def __init__(
        self,
        settings: Settings,
        inbox: Inbox | None,
        collections: Sequence[Collection[Any]],
        timers: Deadlines | None,
        on_start: Sequence[Hook],
        on_stop: Sequence[Hook],
    ) -> None:
        self.settings = settings
        self.clock = Clock(settings.clock_file if settings.environment != "production" else None)
        self.cursors = Cursors(settings.gateway_key.get_secret_value())
        self.keys = KeyRing(connection(settings, "keys"))
        self.instance = f"{settings.service}-{settings.instance}"
        self._collections = collections
        self._timers = timers
        self._on_start = on_start
        self._on_stop = on_stop
        self._starting: asyncio.Task[None] | None = None
        self._following: asyncio.Task[None] | None = None
        self._broker: KafkaBroker | None = None
        self.consumers: list[Consumer] = []
        self._inbox = inbox
        self.relay: Relay | None = None
        self.prepared = False
        self.started = False
        self.stopping = False
        self._store: Store | None = None
        if inbox is not None:
            inbox.check()
            url = settings.mongo_url.get_secret_value()
            self._store = Store(url, settings.database, settings.service, self.clock)
            options = connection(settings, "relay") | {
                "enable_idempotence": True,
                "acks": "all",
                "max_request_size": 2 * 1024 * 1024,
                "max_batch_size": 64 * 1024,
                "request_timeout_ms": 10_000,
            }
            self.relay = Relay(self._store, options, self.instance)

    @property
    def store(self) -> Store:
        """The service's own database. Only the gateway has none."""
        assert self._store is not None, "this service keeps nothing"
        return self._store

    def _make_broker(self, metadata_max_age_ms: int) -> KafkaBroker:
        options = connection(self.settings, "consumer")
        return KafkaBroker(
            options["bootstrap_servers"],
            client_id=options["client_id"],
            security=SASLScram512(
                options["sasl_plain_username"],
                options["sasl_plain_password"],
                use_ssl=options["ssl_context"] is not None,
                ssl_context=options["ssl_context"],
            ),
            metadata_max_age_ms=metadata_max_age_ms,
            allow_auto_create_topics=False,
            graceful_timeout=GRACE_SECONDS,
            apply_types=False,
            logger=logging.getLogger("mission.kafka"),
            log_level=logging.DEBUG,
        )

    def start(self) -> None:
        """Begins to start up; until everything is there, ``/health/ready`` says what is missing."""
        before_shutdown(self._end_soon)
        self.keys.start()
        self._starting = asyncio.create_task(self._start(), name="start-up")

    def _end_soon(self) -> None:
        self.stopping = True

    def hindrance(self, signed: bool) -> str | None:
        """Why this process cannot take a request now, None when it can; ``signed`` ones need the keys to be known."""
        if self.stopping:
            return "stopping"
        if not self.prepared or (signed and not self.keys.ready.is_set()):
            return "starting"
        return None

    async def _start(self) -> None:
        while not self.started:
            try:
                await self._start_once()
                self.started = True
                if served():
                    _settle_garbage()
                log.info("started", service=self.settings.service, instance=self.settings.instance)
            except Exception as error:
                log.warning("start-up-retries", error=repr(error))
                await self._stop_consumers()
                await asyncio.sleep(1)

    async def _start_once(self) -> None:
        if self._store is not None and self._inbox is not None:
            store = self._store
            await store.prepare([*self._collections, *consumer.COLLECTIONS, deadlines.DEADLINES])
            self._following = self._following or asyncio.create_task(generations.follow(store), name="generations")
            for hook in self._on_start:
                await hook(self)
            self.prepared = True
            if self.relay is not None and not self.relay.alive():
                self.relay.start()
            if self._timers is not None:
                self._timers.start(store)
            groups = consumer_groups(self.settings.service)
            # New platforms' topics must be seen within seconds, which only a service that reads them pays for.
            templates = any(topic.template for topics in groups.values() for topic in topics)
            self._broker = self._make_broker(PLATFORM_REFRESH_MS if templates else 60_000)
            self.consumers = [
                Consumer(self._inbox, store, topics, group, self.settings.instance) for group, topics in groups.items()
            ]
            for each in self.consumers:
                each.subscribe(self._broker)
            await self._broker.start()
            for each in self.consumers:
                each.start()
        else:
            for hook in self._on_start:
                await hook(self)

    async def _stop_consumers(self) -> None:
        for each in self.consumers:
            await each.stop()
        if self._broker is not None:
            await self._broker.stop()
        self.consumers, self._broker = [], None

    async def stop(self) -> None:
        """Finishes what is in hand, commits, leaves the groups."""
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.gather(self._starting, return_exceptions=True)
        await self._stop_consumers()
        if self._following is not None:
            self._following.cancel()
        if self._timers is not None:
            await self._timers.stop()
        for hook in self._on_stop:
            await hook(self)
        if self.relay is not None:
            await self.relay.stop()
        await self.keys.stop()
        if self._store is not None:
            self._store.close()

    def sick(self) -> list[str]:
        """What is wrong with this process itself, so that only a restart helps."""
        found = [trouble for each in self.consumers if (trouble := each.alive())]
        if not self.keys.alive():
            found.append("signing keys are no longer read")
        if self.started and self.relay is not None:
            stuck = self.relay.stuck_since
            if not self.relay.alive():
                found.append("the outbox relay has ended")
            elif (
                stuck is not None
                and asyncio.get_running_loop().time() - stuck > RELAY_STUCK_SECONDS
                and not self._broker_away()
            ):
                found.append("the outbox relay is stuck")
        if self.started and self._timers is not None and not self._timers.alive():
            found.append("deadlines are no longer worked off")
        return found

    def _broker_away(self) -> bool:
        return any(each.outage for each in self.consumers)

    async def missing(self) -> list[str]:
        """Which dependencies this process waits for."""
        found = [] if self.started else ["start-up"]
        if self.stopping:
            found.append("it is stopping")
        if not self.keys.ready.is_set():
            found.append("signing-keys")
        if self._store is not None:
            try:
                async with asyncio.timeout(2):
                    await self._store.ping()
            except (PyMongoError, TimeoutError):
                found.append("mongodb")
            if self.relay is not None and self.relay.stuck_since is not None:
                found.append("kafka")
        found += [f"{each.group}: {each.outage}" for each in self.consumers if each.outage]
        return found

    def alerts(self) -> list[str]:
        """What an operator must look at although this process does its work: partitions that wait for a release."""
        return [f"{p.topic}/{p.partition} stopped: {why}" for each in self.consumers for p, why in each.stopped.items()]


def _settle_garbage() -> None:
    """Takes what is there after the start, mostly code, out of the garbage collector's rounds, and has fewer of them.

    A batch of 500 events makes thousands of objects; to look through all others for each of those took a tenth of a
    consumer's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


# Coroutines, as all dependencies are: FastAPI runs plain functions in a thread, which takes longer than they do.
async def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


async def _store(request: Request) -> Store:
    return (await _service(request)).store


ServiceDep = Annotated[Service, Depends(_service)]
StoreDep = Annotated[Store, Depends(_store)]


def create_service(
    name: str,
    *,
    title: str,
    routers: Sequence[APIRouter],
    inbox: Inbox | None,
    collections: Sequence[Collection[Any]] = (),
    timers: Deadlines | None = None,
    on_start: Sequence[Hook] = (),
    on_stop: Sequence[Hook] = (),
    settings: Settings | None = None,
    other_types: tuple[str, ...] = (),
    middleware: Sequence[Middleware] = (),
    kept: KeptAnswers | None = None,
) -> FastAPI:
    """A service: HTTP app, broker, store, outbox relay, inbox, deadlines, identity, health and telemetry in one call.

    ``inbox`` None makes a service that keeps nothing (the gateway). ``on_start`` hooks run when the store is ready and
    may run again when start-up has to be repeated. ``other_types`` are media types of bodies beside JSON,
    ``middleware`` goes between telemetry and the limits on bodies, the outermost first. ``kept`` holds the answers of
    endpoints that let them be kept (:func:`shared.kept_answers.keep`).
    """
    settings = settings or Settings(_secrets_dir=secrets_dir(), service=name)
    telemetry.configure_logs(settings)
    traces = telemetry.configure_traces(settings)
    service = Service(settings, inbox, collections, timers, on_start, on_stop)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        service.start()
        try:
            yield
        finally:
            await service.stop()
            traces.shutdown()

    app = FastAPI(
        title=title,
        version="1",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        # FastAPI's own telemetry makes four spans more of every request.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.service = service
    for router in routers:
        app.include_router(router)
    if inbox is not None:
        app.include_router(operating.router(name))
    app.include_router(_operations())
    problem_answers.install(app)
    documents.install(app)
    idempotency.install(app)
    app.add_exception_handler(PyMongoError, _on_database_error)
    app.add_middleware(BodyLimits, max_bytes=settings.max_body_bytes, other_types=other_types)
    if kept is not None:
        app.add_middleware(Keeping, kept=kept, clock=service.clock)
    for each in reversed(middleware):
        app.add_middleware(each.cls, *each.args, **each.kwargs)
    if inbox is not None:
        app.add_middleware(Admission, hindrance=service.hindrance)
    app.add_middleware(telemetry.Telemetry)
    return app


async def _on_database_error(_: Request, error: Exception) -> JSONResponse:
    if is_outage(error):
        log.warning("database-unavailable", error=repr(error)[:1000])
        detail = "This part of the platform is away for a moment; try again."
        return problem_answers.response(Problem(503, "unavailable", detail, headers={"Retry-After": "2"}))
    raise error


def _operations() -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/health/live")
    async def live(service: ServiceDep) -> JSONResponse:
        sick = service.sick()
        return JSONResponse({"status": "sick" if sick else "alive", "problems": sick}, 503 if sick else 200)

    @router.get("/health/ready")
    async def ready(service: ServiceDep) -> JSONResponse:
        missing = await service.missing()
        status = {"status": "waiting" if missing else "ready", "missing": missing, "alerts": service.alerts()}
        return JSONResponse(status, 503 if missing else 200)

    @router.get("/metrics")
    async def metrics(service: ServiceDep) -> Response:
        missing = await service.missing()
        MISSING.clear()
        for dependency in missing:
            MISSING.labels(dependency.partition(":")[0]).set(1)
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return router
