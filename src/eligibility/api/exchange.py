"""One request and its answer, as the log, the metrics and every problem body name it.

Pure ASGI, outermost: whatever is answered, also for a failure, carries ``X-Request-Id``. Of the
request nothing is kept but its method and the template of its route; paths, queries and bodies
name cases.
"""

from __future__ import annotations

import json
import logging
import re
import secrets
from contextvars import ContextVar
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from eligibility.api.metrics import Metrics

HEADER = "X-Request-Id"
ID = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")
"""What is taken over from a caller; anything else is replaced by an id of ours."""
UNKNOWN_ROUTE = "unmatched"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
access = logging.getLogger("eligibility.access")
log = logging.getLogger("eligibility")


class Exchange:
    """What is known of the request at hand; the routes add what came of it."""

    __slots__ = ("code", "decision_id", "id", "outcome", "status")

    def __init__(self, request_id: str) -> None:
        self.id = request_id
        self.status = 0
        self.code: str | None = None
        self.outcome: str | None = None
        self.decision_id: str | None = None


CURRENT: ContextVar[Exchange | None] = ContextVar("exchange", default=None)


def request_id(scope: Scope) -> str:
    """The id that the caller gave the request if it fits, else a new one."""
    given = [value for name, value in scope["headers"] if name == b"x-request-id"]
    if len(given) == 1 and ID.fullmatch(given[0]):
        return str(given[0].decode("ascii"))
    return secrets.token_hex(16)


class Exchanges:
    """Names, measures and logs every request."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = perf_counter()
        exchange = Exchange(request_id(scope))
        header = (b"x-request-id", exchange.id.encode())
        scope.setdefault("state", {})
        token = CURRENT.set(exchange)

        async def named(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                message = {**message, "headers": [*message.get("headers", ()), header]}
            await send(message)

        try:
            await self.app(scope, receive, named)
        except Exception as error:
            await self._failed(exchange, error, scope, receive, named)
        finally:
            self._finish(scope, exchange, perf_counter() - started)
            CURRENT.reset(token)

    async def _failed(
        self, exchange: Exchange, error: Exception, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """The message of an exception may quote a case, so the log shows only where it arose."""
        from eligibility.api.problems import BROKEN, respond

        log.error("%s failed", route_of(scope), exc_info=error)
        if not exchange.status:
            await respond(500, [BROKEN])(scope, receive, send)

    def _finish(self, scope: Scope, exchange: Exchange, seconds: float) -> None:
        method = scope["method"] if scope["method"] in METHODS else "other"
        route = route_of(scope)
        self.metrics.request(method, route, exchange.status, seconds, exchange.code)
        if not access.isEnabledFor(logging.INFO):
            return
        fields: dict[str, object] = {
            "request_id": exchange.id,
            "method": method,
            "route": route,
            "status": exchange.status,
            "ms": round(seconds * 1000, 3),
        }
        caller = getattr(scope["state"].get("caller"), "name", None)
        more = (
            ("caller", caller),
            ("code", exchange.code),
            ("outcome", exchange.outcome),
            ("decision_id", exchange.decision_id),
        )
        fields.update((name, value) for name, value in more if value is not None)
        # As access.info does, without looking for the line of code that logs.
        name, more_fields = access.name, {"fields": fields}
        record = access.makeRecord(
            name, logging.INFO, __file__, 0, "request", (), None, "_finish", more_fields
        )
        access.handle(record)


def route_of(scope: Scope) -> str:
    """The template of the route, such as ``/v1/decisions/{decision_id}``."""
    return getattr(scope.get("route"), "path", None) or UNKNOWN_ROUTE


# One encoder for all lines: json.dumps makes one for each.
dumps = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=str).encode
