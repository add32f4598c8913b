"""OpenTelemetry spans of requests, for those who collect traces; off unless set.

Our own rather than the instrumentation for ASGI: that one keeps paths and queries, and they
name cases. The packages are an optional extra (``telemetry``); where the spans go, how many
and how often is said by the ``OTEL_*`` variables that OpenTelemetry defines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from eligibility import __version__
from eligibility.api.exchange import CURRENT, METHODS, route_of
from eligibility.errors import MalformedInput, Problem, Text

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.trace import Tracer

SERVICE_NAME = "eligibility"
_HEADERS = frozenset({b"traceparent", b"tracestate"})
_TRACER: ContextVar[Tracer | None] = ContextVar("tracer", default=None)


class Tracing:
    """Sends the spans of one process: from :meth:`start` on, until :meth:`close`.

    Raises MalformedInput (``not_installed``) where the packages are missing.
    """

    def __init__(self) -> None:
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.resources import SERVICE_NAME as NAME
            from opentelemetry.sdk.resources import SERVICE_VERSION, Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
        except ImportError as error:
            said = Text(f"缺少 {error.name}", f"'{error.name}' is not installed")
            wanted = 'pip install "eligibility[telemetry]"'
            place, hint = "ELIGIBILITY_TRACING", Text(wanted, wanted)
            raise MalformedInput(Problem("not_installed", said, place, hint=hint)) from None
        named = Resource.create({NAME: SERVICE_NAME, SERVICE_VERSION: __version__})
        self._provider = TracerProvider(resource=named, shutdown_on_exit=False)
        self._sending: Callable[[], SpanProcessor] = lambda: BatchSpanProcessor(OTLPSpanExporter())
        self.tracer = self._provider.get_tracer(SERVICE_NAME, __version__)

    def start(self) -> None:
        """Begin to send: in the process that serves, for a thread does it."""
        self._provider.add_span_processor(self._sending())

    def close(self) -> None:
        """Send what is left."""
        self._provider.shutdown()


class Traced:
    """A span for each request: method, route, status, request id, code and outcome; no more."""

    def __init__(self, app: ASGIApp, tracing: Tracing) -> None:
        self.app = app
        self.tracer = tracing.tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        from opentelemetry.trace import SpanKind, Status, StatusCode

        status = 0

        async def seen(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        method = scope["method"] if scope["method"] in METHODS else "_OTHER"
        span = self.tracer.start_span(method, _parent(scope), SpanKind.SERVER)
        token = _TRACER.set(self.tracer)
        try:
            with _current(span):
                await self.app(scope, receive, seen)
        finally:
            _TRACER.reset(token)
            route = route_of(scope)
            span.update_name(f"{method} {route}")
            span.set_attributes(
                {
                    "http.request.method": method,
                    "http.route": route,
                    "http.response.status_code": status or 500,
                    **_found(),
                }
            )
            if not status or status >= 500:
                span.set_status(Status(StatusCode.ERROR))
            span.end()


@contextmanager
def part(name: str) -> Iterator[None]:
    """A span inside that of the request at hand, if requests are traced."""
    tracer = _TRACER.get()
    if tracer is None:
        yield
        return
    with tracer.start_as_current_span(name, record_exception=False, set_status_on_exception=False):
        yield


@contextmanager
def _current(span: Any) -> Iterator[None]:
    """The span as that of this context; what is raised is not kept, for it may quote a case."""
    from opentelemetry.trace import use_span

    with use_span(span, record_exception=False, set_status_on_exception=False):
        yield


def _parent(scope: Scope) -> Any:
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    told = {
        name.decode("latin-1"): value.decode("latin-1")
        for name, value in scope["headers"]
        if name in _HEADERS
    }
    return TraceContextTextMapPropagator().extract(told)


def _found() -> dict[str, str]:
    exchange = CURRENT.get()
    if exchange is None:
        return {}
    named = (
        ("eligibility.request_id", exchange.id),
        ("eligibility.code", exchange.code),
        ("eligibility.outcome", exchange.outcome),
    )
    return {name: value for name, value in named if value is not None}
