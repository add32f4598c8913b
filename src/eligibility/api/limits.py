"""What one service takes on: how many requests at once, how often, and for how long.

What is over a limit is refused at once and says when to come back; nothing queues without end.
"""

from __future__ import annotations

import asyncio
from math import isfinite

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from eligibility.api import rates
from eligibility.api.exchange import METHODS
from eligibility.api.problems import RequestError, respond
from eligibility.errors import Problem, Text
from eligibility.settings import Settings

EXEMPT = frozenset({"/healthz", "/readyz", "/metrics"})
DOCKETS = "/v1/screenings"
"""Where bodies are files: they have long to arrive as long as they go on arriving."""
TIMEOUT_HEADER = "X-Request-Timeout"
_TIMEOUT = TIMEOUT_HEADER.lower().encode()


class Limits:
    """Refuses what is too much, and answers in time what takes too long."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self.settings = settings
        self.running = 0
        self.rates = rates.Rates(settings)
        self.by_name = settings.auth != "none"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in EXEMPT:
            await self.app(scope, receive, send)
            return
        refusal = self._refused(scope)
        if refusal is not None:
            status, problem, seconds = refusal
            answer = respond(status, [problem], rates.retry_after(seconds))
            await answer(scope, receive, send)
            return
        try:
            seconds_left = self._deadline(scope)
        except RequestError as error:
            await respond(error.status, error.problems)(scope, receive, send)
            return
        self.running += 1
        try:
            timed = Timed(scope, receive, send, self.settings.body_timeout, _of_file(scope))
            await timed.run(self.app, seconds_left)
        finally:
            self.running -= 1

    def _refused(self, scope: Scope) -> tuple[int, Problem, float] | None:
        if self.running >= self.settings.max_concurrent:
            text = Text("服务繁忙，请稍后再试", "the service is busy; try again later")
            return 503, Problem("overloaded", text), 1.0
        # Who sends credentials is counted where they are checked (access.py), under the name
        # that they prove if they do.
        scope.setdefault("state", {})["rates"] = self.rates
        if self.by_name and scope["path"].startswith("/v1/") and _has_credentials(scope):
            return None
        client = scope.get("client")
        wait = self.rates.of_address(client)
        if not wait:
            return None
        method = scope["method"] if scope["method"] in METHODS else "other"
        rates.tell(method, "?", client, None)
        return 429, rates.TOO_OFTEN, wait

    def _deadline(self, scope: Scope) -> float:
        """Seconds for this request. Raises RequestError for a header that is no such number."""
        given = next((value for name, value in scope["headers"] if name == _TIMEOUT), None)
        longest = self.settings.docket_timeout if _of_file(scope) else self.settings.request_timeout
        if given is None:
            return longest
        try:
            seconds = float(given)
        except ValueError:
            seconds = 0.0
        if not isfinite(seconds) or seconds <= 0:
            text = Text("应为大于零的秒数", "expected seconds greater than zero")
            raise RequestError(400, Problem("bad_request_timeout", text, TIMEOUT_HEADER))
        return min(seconds, longest)


def _has_credentials(scope: Scope) -> bool:
    return any(name == b"authorization" for name, _ in scope["headers"])


def _of_file(scope: Scope) -> bool:
    return (scope["method"], scope["path"]) == ("POST", DOCKETS)


class Timed:
    """One request with two clocks: for its body, and for the answer.

    When one runs out, the caller is answered at once. Work that has begun is not torn apart:
    it ends, and what it then says is dropped. ``each_part``: the clock of the body starts anew
    with each part of it.
    """

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        body_timeout: float,
        each_part: bool = False,
    ) -> None:
        self.scope, self._receive, self._send = scope, receive, send
        self.body_timeout, self.each_part = body_timeout, each_part
        self.answered = self.late = False
        self.reading: asyncio.TimerHandle | None = None
        self.task: asyncio.Task[None] | None = None

    async def run(self, app: ASGIApp, seconds: float) -> None:
        deadline = asyncio.get_running_loop().call_later(seconds, self._expired)
        try:
            await app(self.scope, self.receive, self.send)
        finally:
            deadline.cancel()
            if self.reading is not None:
                self.reading.cancel()
            if self.task is not None:
                await self.task

    async def receive(self) -> Message:
        if self.reading is None:
            loop = asyncio.get_running_loop()
            self.reading = loop.call_later(self.body_timeout, self._slow)
        message = await self._receive()
        if self.late:
            return {"type": "http.disconnect"}
        if not message.get("more_body", False):
            self.reading.cancel()
        elif self.each_part:
            self.reading.cancel()
            self.reading = None
        return message

    async def send(self, message: Message) -> None:
        if self.late:
            return
        self.answered = True
        await self._send(message)

    def _expired(self) -> None:
        text = Text(
            "未能在时限内答复；若已留存，用同一 Idempotency-Key 再发即得该决定",
            "no answer in time; if it was recorded, the same Idempotency-Key gets it",
        )
        self._interrupt(504, Problem("deadline_exceeded", text))

    def _slow(self) -> None:
        text = Text("请求内容未在时限内收完", "the body did not arrive in time")
        self._interrupt(408, Problem("body_timeout", text))

    def _interrupt(self, status: int, problem: Problem) -> None:
        if self.answered or self.late:
            return
        self.late = True
        answer = respond(status, [problem], {"Connection": "close"})
        self.task = asyncio.ensure_future(answer(self.scope, self._receive, self._send))
