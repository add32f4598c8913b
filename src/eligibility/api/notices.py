"""Drafts of notices over HTTP: HTML documents to check, complete and sign."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse

from eligibility.api import models_follow_up as models
from eligibility.api.access import Caller, Reads
from eligibility.api.docs import HEADERS
from eligibility.api.follow_up import known_name
from eligibility.api.openapi import in_forms, problems
from eligibility.api.service import Service, local_today
from eligibility.render.notices import notice


def router(service: Service) -> APIRouter:
    """The route of notices."""
    routes = APIRouter(tags=["follow-up"])
    found = service.follow_ups

    def draft(
        decision_id: str, kind: str, query: models.NoticeQuery, today: date, caller: Caller
    ) -> str:
        known = known_name(decision_id, "unknown_decision", "decision_id")
        case = service.scoped.decision(known, caller).case_key
        told = found.for_notice(case, query.duty, today)
        return notice(kind, *told, today, query.doc_no, query.until)

    @routes.get(
        "/v1/decisions/{decision_id}/notices/{kind}",
        response_class=HTMLResponse,
        responses=in_forms("text/html") | problems(404, 410, 422, 503),
        summary="文书草稿：督促执行令、执行监督函 / draft of a notice",
    )
    async def one_notice(
        caller: Reads,
        decision_id: str,
        kind: str,
        query: Annotated[models.NoticeQuery, Query()],
    ) -> HTMLResponse:
        """``urge_order`` or ``supervision_letter``, by what is on record of the case."""
        today = query.as_of or local_today()
        html = await run_in_threadpool(draft, decision_id, kind, query, today, caller)
        return HTMLResponse(html, headers=HEADERS)

    return routes
