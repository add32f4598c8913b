"""Many cases in one request: a line in, a line out, in bounded memory however many there are.

Lines are JSON (https://github.com/ndjson/ndjson-spec). What is read ahead of the answers is at
most one group of lines and the part of a line that has arrived: the next part of the body is
asked for only when the answers before it are with the caller.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from eligibility.api.access import Caller, Decides
from eligibility.api.metrics import Metrics
from eligibility.api.models import BatchQuery
from eligibility.api.openapi import problems
from eligibility.api.problems import BROKEN, RequestError, problem_body
from eligibility.api.requests import DecisionInput, check_media_type, read_decision
from eligibility.api.routes import IdempotencyKey
from eligibility.api.service import Service
from eligibility.documents import write_json
from eligibility.errors import EligibilityError, EngineError, FactsError, Problem, Text
from eligibility.records.drafts import Answer, Draft
from eligibility.records.idempotency import HEADER, LONGEST, check_key

NDJSON = "application/x-ndjson"
GROUP_LINES = 32
GROUP_BYTES = 1024 * 1024
ROOM_FOR_NUMBER = 16  # characters of a key that the number of the line takes
log = logging.getLogger("eligibility")


@dataclass(frozen=True, slots=True)
class Line:
    """A line as received, from 1; ``text`` is None where it was longer than is read."""

    number: int
    text: bytes | None


class Lines:
    """Cuts a body into lines as its parts arrive; keeps no more than one unfinished line."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.number = 0
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, part: bytes) -> list[Line]:
        """The lines that a part completes; blank ones are counted, not returned."""
        *ends, rest = part.split(b"\n")
        found = [line for end in ends if (line := self._finish(end)) is not None]
        self._keep(rest)
        return found

    def last(self) -> list[Line]:
        """The line that the body ended in without ending it."""
        line = self._finish(b"") if self._size else None
        return [] if line is None else [line]

    def _keep(self, part: bytes) -> None:
        self._size += len(part)
        if self._size > self.limit:
            self._parts.clear()
        elif part:
            self._parts.append(part)

    def _finish(self, end: bytes) -> Line | None:
        self._keep(end)
        self.number += 1
        whole = b"".join(self._parts) if self._size <= self.limit else None
        self._parts.clear()
        self._size = 0
        return None if whole is not None and not whole.strip() else Line(self.number, whole)


class Answers(Response):
    """Sends parts as they are made. Nothing else reads from the connection meanwhile: the rest
    of the body is still to come on it.
    """

    def __init__(self, parts: AsyncIterator[bytes]) -> None:
        super().__init__(media_type=NDJSON)
        del self.headers["content-length"]
        self.parts = parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        try:
            async for part in self.parts:
                await send({"type": "http.response.body", "body": part, "more_body": True})
        except (ClientDisconnect, OSError):
            return  # nobody is left to answer; what was recorded stays recorded
        await send({"type": "http.response.body", "body": b"", "more_body": False})


class Batch:
    """The lines of one request being decided."""

    def __init__(
        self,
        service: Service,
        query: BatchQuery,
        key: str | None,
        caller: Caller,
        metrics: Metrics,
    ) -> None:
        self.service = service
        self.query = query
        self.key = key
        self.caller = caller
        self.metrics = metrics
        self.limit = service.settings.max_body_bytes

    async def answers(self, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """A part for each group of lines, each answered as soon as all its lines are."""
        lines = Lines(self.limit)
        async for part in body:
            for at in range(0, len(part), GROUP_BYTES):
                for group in _groups(lines.feed(part[at : at + GROUP_BYTES])):
                    yield await run_in_threadpool(self.decided, group)
        if last := lines.last():
            yield await run_in_threadpool(self.decided, last)

    def decided(self, group: Sequence[Line]) -> bytes:
        """The answers to some lines; recorded, unless it is a dry run, when this returns."""
        answers: dict[int, bytes] = {}
        drafts: list[tuple[Line, Draft]] = []
        for line in group:
            with self._refusing(line, answers):
                made = self._decide(line, self._read(line))
                if isinstance(made, Draft):
                    drafts.append((line, made))
                else:
                    answers[line.number] = made
        for (line, _), outcome in zip(drafts, self._record([d for _, d in drafts]), strict=True):
            with self._refusing(line, answers):
                if isinstance(outcome, BaseException):
                    raise outcome
                answers[line.number] = self._recorded(line, outcome)
        return b"".join(answers[line.number] + b"\n" for line in group)

    @contextmanager
    def _refusing(self, line: Line, answers: dict[int, bytes]) -> Iterator[None]:
        """What is wrong with a line is its answer, and stops nothing."""
        try:
            yield
        except EligibilityError as error:
            if isinstance(error, EngineError):
                log.error("line %d: %s %s", line.number, error, error.evidence)
            answers[line.number] = write_json(_refusal(line, error))
        except Exception as error:
            log.error("line %d failed", line.number, exc_info=error)
            refusal = {"line": line.number, **problem_body(500, [BROKEN])}
            answers[line.number] = write_json(refusal)

    def _read(self, line: Line) -> DecisionInput:
        if line.text is None:
            text = Text(
                f"一行不得超过 {self.limit} 字节", f"a line must not exceed {self.limit} bytes"
            )
            raise RequestError(413, Problem("line_too_long", text))
        return read_decision(line.text, self.service.request_shape)

    def _decide(self, line: Line, asked: DecisionInput) -> bytes | Draft:
        """The answer to a line, or where it is still to be recorded, its draft."""
        full, brief = self.query.explain == "full", self.query.answer == "brief"
        if self.query.dry_run and brief:
            made = self.service.brief(asked)
            self.metrics.briefed(made)
            return write_json({"line": line.number, **made.body})
        if self.query.dry_run:
            body = self.service.decide(asked, full)
            self.metrics.decision(body, False)
            return write_json(body)
        key = None if self.key is None else f"{self.key}:{line.number}"
        draft = self.service.draft(asked, full, key, self.caller)
        return draft if isinstance(draft, Draft) else self._recorded(line, draft)

    def _record(self, drafts: Sequence[Draft]) -> Sequence[Answer | BaseException]:
        """Together, so that they wait for the disk once."""
        try:
            return self.service.follow_ups.record(drafts)
        except EligibilityError as error:
            return [error] * len(drafts)

    def _recorded(self, line: Line, answer: Answer) -> bytes:
        """What is answered of a decision on record."""
        body = answer.body
        self.metrics.answered(answer)
        if self.query.answer != "brief":
            return answer.text
        brief = {"line": line.number, "decision_id": body["decision_id"], **in_brief(body)}
        return write_json(brief)


def in_brief(body: dict[str, Any]) -> dict[str, Any]:
    """What of a whole decision a brief answer says, as :meth:`Decider.brief` does."""
    return {
        "case_no": body["case_no"],
        "outcome": body["outcome"],
        "possible_outcomes": body["possible_outcomes"],
        "rules": sorted(rule["id"] for rule in body["rules"] if rule["effective"] == "true"),
        "missing": [question["path"] for question in body["questions"]],
        "changes_on": body["changes_on"],
    }


def _groups(lines: list[Line]) -> list[list[Line]]:
    return [lines[i : i + GROUP_LINES] for i in range(0, len(lines), GROUP_LINES)]


def _refusal(line: Line, error: EligibilityError) -> dict[str, Any]:
    return {"line": line.number, **problem_body(error.status, error.problems or [BROKEN])}


def _check_key(key: str | None) -> None:
    """The key of the request with the number of a line must still be one. Raises FactsError."""
    check_key(key)
    if key is not None and len(key) > LONGEST - ROOM_FOR_NUMBER:
        most = LONGEST - ROOM_FOR_NUMBER
        text = Text(f"批量请求的键最多 {most} 个字符", f"at most {most} characters for a batch")
        raise FactsError(Problem("bad_idempotency_key", text, HEADER))


def router(service: Service) -> APIRouter:
    """The route of batches."""
    routes = APIRouter()
    line = {"schema": {"type": "string", "format": "ndjson"}}
    answered: dict[int | str, dict[str, Any]] = {
        200: {
            "description": "每案一行，依次 / one line a case, in order",
            "content": {NDJSON: line},
        }
    }

    @routes.post(
        "/v1/decisions/batch",
        response_class=Answers,
        status_code=200,
        responses=answered | problems(415, 422),
        openapi_extra={"requestBody": {"required": True, "content": {NDJSON: line}}},
        summary="批量审查 / decide many cases",
        tags=["decisions"],
    )
    async def batch(
        caller: Decides,
        request: Request,
        query: Annotated[BatchQuery, Query()],
        key: IdempotencyKey = None,
    ) -> Answers:
        """Each line is the body of a ``POST /v1/decisions``; each is answered by one line.

        Answers come in the order of the lines and as they are made, and a decision is on the
        disk when its line is sent. A line that cannot be decided is answered by a problem
        document with its number (``line``, from 1) and stops nothing; blank lines are passed
        over. The request may be of any length. With an ``Idempotency-Key`` each line has the
        key ``<key>:<line>``: after a break the same request again decides nothing twice.
        """
        check_media_type(request, NDJSON)
        _check_key(key)
        return Answers(
            Batch(service, query, key, caller, request.app.state.metrics).answers(request.stream())
        )

    return routes
