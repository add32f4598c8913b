"""Deciding, and whether the service is up. The rule base is read in ``reading.py``."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response

from eligibility.api.access import PUBLIC, Decides
from eligibility.api.decisions_model import Decision
from eligibility.api.exchange import CURRENT
from eligibility.api.metrics import Metrics
from eligibility.api.models import DecisionQuery, Health, NoQuery
from eligibility.api.openapi import also, problems
from eligibility.api.requests import read_body, read_decision
from eligibility.api.service import Service
from eligibility.api.tracing import part
from eligibility.documents import write_json
from eligibility.records.drafts import Answer
from eligibility.records.idempotency import HEADER, PATTERN, check_key

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias=HEADER,
        description="the sender's name for this request: sent twice, it is decided once",
        json_schema_extra={"pattern": PATTERN},
    ),
]


def router(service: Service) -> APIRouter:
    """The routes of one service."""
    routes = APIRouter()
    recording = service.recording

    @routes.post(
        "/v1/decisions",
        response_model=Decision,
        status_code=201,
        responses=also(Decision, "只审查，不记录", "dry run")
        | problems(400, 404, 409, 410, 413, 415, 422, 503),
        summary="审查一个案件 / decide a case",
        tags=["decisions"],
    )
    async def decide(
        caller: Decides,
        request: Request,
        query: Annotated[DecisionQuery, Query()],
        key: IdempotencyKey = None,
    ) -> Response:
        """Decide one case by the rule base in force on its day, and record the decision.

        Once the answer (201) is sent, the decision is on the disk and its duties are in the
        ledger; ``dry_run=true`` records nothing and is answered 200.
        Unknown facts are left out: the answer then lists the outcomes that remain possible
        and asks for what would settle it. The same request again under the same
        ``Idempotency-Key`` is answered with the decision that is on record; another request
        under it is refused with 409.
        """
        # Deciding stays on the event loop on purpose: it is pure computing under one lock, and a
        # hand-over to a thread costs more than it gains. Only recording waits for a disk.
        check_key(key)
        body = await read_body(request, service.settings.max_body_bytes)
        asked = read_decision(body, service.request_shape)
        full = query.explain == "full"
        metrics: Metrics = request.app.state.metrics
        if query.dry_run and service.at_hand(asked):
            return dry_run(metrics, service.decide(asked, full))
        if query.dry_run:
            return dry_run(metrics, await run_in_threadpool(service.decide, asked, full))
        with metrics.waiting.track_inprogress(), metrics.recording.time():
            if service.draft_at_hand(asked, key, caller):
                draft = service.draft(asked, full, key, caller)
            else:
                draft = await run_in_threadpool(service.draft, asked, full, key, caller)
            with part("record"):
                made = draft if isinstance(draft, Answer) else await recording.record(draft)
        metrics.answered(made)
        return answer(made.body, made.text, 201)

    @routes.get(
        "/healthz",
        response_model=Health,
        responses=problems(422),
        summary="服务是否运行 / is it up",
        dependencies=[PUBLIC],
        tags=["operations"],
    )
    async def health(query: Annotated[NoQuery, Query()]) -> JSONResponse:
        """The process answers, with this rule base and engine."""
        return JSONResponse(
            {
                "status": "ok",
                "rulebase": service.rulebase.digest,
                "engine": service.settings.engine,
            }
        )

    return routes


def dry_run(metrics: Metrics, body: dict[str, Any]) -> Response:
    """A decision that is not recorded."""
    metrics.decision(body, False)
    return answer(body, write_json(body), 200)


def answer(body: dict[str, Any], text: bytes, status: int) -> Response:
    """A decision (``text``: its JSON), named in the log of the request."""
    exchange = CURRENT.get()
    if exchange is not None:
        exchange.outcome, exchange.decision_id = body["outcome"], body.get("decision_id")
    return Response(text, status, media_type="application/json")
