"""Logs, metrics and traces, the same in every service."""

import json
import logging
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TextIO

import structlog
from opentelemetry import propagate, trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider, sampling
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from prometheus_client import Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared import context
from shared.ids import new_id
from shared.settings import Settings

REQUESTS = Counter("mission_http_requests_total", "HTTP requests", ["method", "route", "status"])
SECONDS = Histogram(
    "mission_http_request_seconds",
    "Time to the first byte of the answer",
    ["route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
QUIET = ("/health/", "/metrics")
SAME_SECONDS = 10.0
"""How long a line that a library repeats is not written again."""

LINES_KNOWN = 1000

tracer = trace.get_tracer("mission")
log = structlog.get_logger()


def configure_logs(settings: Settings) -> None:
    """One JSON object per line on standard output, from our code and from libraries alike."""
    timestamper = structlog.processors.TimeStamper(fmt="iso", utc=True)
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        timestamper,
        _add_trace,
    ]
    structlog.configure(
        processors=[
            *shared,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(settings.log_level)),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(formatter)
    handler.addFilter(Repeats())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    logging.getLogger("uvicorn.error").setLevel(logging.INFO)


class Repeats(logging.Filter):
    """Writes a library's line once in :data:`SAME_SECONDS`, and with the next one how often it came in between.

    A Kafka client whose broker is away says so two hundred times a second. Tracebacks are always written.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._written: dict[tuple[str, str], float] = {}
        self._left_out: dict[tuple[str, str], int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is written."""
        if record.exc_info:
            return True
        now, line = self._clock(), (record.name, record.getMessage())
        if now - self._written.get(line, -SAME_SECONDS) < SAME_SECONDS:
            self._left_out[line] = self._left_out.get(line, 0) + 1
            return False
        if len(self._written) >= LINES_KNOWN:
            self._written.clear()
            self._left_out.clear()
        self._written[line] = now
        if count := self._left_out.pop(line, 0):
            record.msg, record.args = f"{line[1]} ({count} times more in between)", ()
        return True


def _add_trace(_: Any, __: str, entry: structlog.typing.EventDict) -> structlog.typing.EventDict:
    span = trace.get_current_span().get_span_context()
    if span.is_valid:
        entry["trace_id"] = f"{span.trace_id:032x}"
    return entry


class JsonLinesExporter(SpanExporter):
    """Appends finished spans to a local file, one JSON object per line."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: TextIO = path.open("a", buffering=1)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Writes a batch of spans."""
        self._file.writelines(map(_line, spans))
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """Closes the file."""
        self._file.close()


def _line(span: ReadableSpan) -> str:
    # Not ``to_json``: it writes every span's resource anew, which took a fourth of a request's processor time.
    own, parent = span.context, span.parent
    told = {
        "name": span.name,
        "kind": span.kind.name,
        "trace_id": trace.format_trace_id(own.trace_id) if own else None,
        "span_id": trace.format_span_id(own.span_id) if own else None,
        "parent_id": trace.format_span_id(parent.span_id) if parent else None,
        "start_ns": span.start_time,
        "end_ns": span.end_time,
        "status": span.status.status_code.name,
        "attributes": dict(span.attributes or {}),
    }
    return json.dumps(told, separators=(",", ":"), default=str) + "\n"


def traceparent() -> str | None:
    """The present trace, to be written down with an event or a mail; None outside of one."""
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return carrier.get("traceparent")


def trace_of(traceparent: str | None) -> Context:
    """The trace that was written down with an event or a mail; one that begins anew when there is none."""
    return propagate.extract({"traceparent": traceparent}) if traceparent else Context()


class following:
    """Goes on with a trace without a span of its own. A class, for it is entered for every event."""

    __slots__ = ("_token", "_trace")

    def __init__(self, trace: Context) -> None:
        self._trace = trace

    def __enter__(self) -> None:
        self._token = attach(self._trace)

    def __exit__(self, *_: object) -> None:
        detach(self._token)


def span_of_event(name: str, traceparent: str | None) -> AbstractContextManager[object]:
    """A span of the trace that an event belongs to; where spans go nowhere its trace alone, for a third of the time."""
    if traceparent and _goes_nowhere():
        return following(trace_of(traceparent))
    return tracer.start_as_current_span(name, trace_of(traceparent))


def _goes_nowhere() -> bool:
    provider = trace.get_tracer_provider()
    return isinstance(provider, TracerProvider) and provider.sampler is sampling.ALWAYS_OFF


def configure_traces(settings: Settings) -> TracerProvider:
    """Spans always have ids, so that one trace goes on through outbox, topic and inbox; where they go is a setting.

    Where they go nowhere nothing else of them is kept: to record one takes as long as to read and decode an event.
    """
    resource = Resource.create({"service.name": settings.service, "service.instance.id": settings.instance})
    somewhere = settings.traces_file is not None or settings.otlp_endpoint is not None
    provider = TracerProvider(resource=resource, sampler=sampling.DEFAULT_ON if somewhere else sampling.ALWAYS_OFF)
    if settings.traces_file is not None:
        provider.add_span_processor(
            BatchSpanProcessor(JsonLinesExporter(settings.traces_file), schedule_delay_millis=500)
        )
    if settings.otlp_endpoint is not None:
        # Imported where it is used: it is large, and most processes have no collector.
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=settings.otlp_endpoint)))
    trace.set_tracer_provider(provider)
    return provider


class Telemetry:
    """ASGI middleware: a span, a request id, metrics and a fresh context for every request."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http" or scope["path"].startswith(QUIET):
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        request_id = headers.get("x-request-id", "")
        if not (
            request_id.isascii() and request_id.replace("-", "").replace("_", "").isalnum() and len(request_id) <= 64
        ):
            request_id = new_id("req")
        scope["request_id"] = request_id
        started = time.perf_counter()
        status = 500

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            await send(message)

        with (
            tracer.start_as_current_span(
                scope["method"], propagate.extract(headers), kind=trace.SpanKind.SERVER
            ) as span,
            context.within(context.Context(correlation=request_id)),
        ):
            scope["span"] = span
            try:
                await self._app(scope, receive, answer)
            finally:
                route = getattr(scope.get("route"), "path", "unmatched")
                span.update_name(f"{scope['method']} {route}")
                REQUESTS.labels(scope["method"], route, str(status)).inc()
                SECONDS.labels(route).observe(time.perf_counter() - started)
