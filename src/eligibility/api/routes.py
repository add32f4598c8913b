"""Deciding, and whether the service is up. The rule base is read in ``reading.py``."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse

from eligibility.api.decisions_model import Decision
from eligibility.api.models import DecisionQuery, Health, NoQuery
from eligibility.api.openapi import problems
from eligibility.api.problems import RequestError
from eligibility.api.requests import read_body, read_decision
from eligibility.api.service import Service
from eligibility.errors import Problem, Text


def router(service: Service) -> APIRouter:
    """The routes of one service."""
    routes = APIRouter()

    @routes.post(
        "/v1/decisions",
        response_model=Decision,
        responses=problems(400, 404, 409, 413, 415, 422, 503),
        summary="审查一个案件 / decide a case",
        tags=["decisions"],
    )
    async def decide(request: Request, query: Annotated[DecisionQuery, Query()]) -> JSONResponse:
        """Decide one case by the rule base in force.

        Unknown facts are left out: the answer then lists the outcomes that remain possible
        and asks for what would settle it.
        """
        # On the event loop on purpose: deciding is pure computing under one lock, and a
        # hand-over to a thread costs more than it gains.
        if not query.dry_run:
            text = Text("本服务尚不留存决定", "this service does not record decisions")
            problem = Problem("recording_not_available", text, "dry_run", allowed=("true",))
            raise RequestError(409, problem)
        body = await read_body(request, service.settings.max_body_bytes)
        asked = read_decision(body, service.request_shape)
        return JSONResponse(service.decide(asked, full=query.explain == "full"))

    @routes.get(
        "/healthz",
        response_model=Health,
        responses=problems(422),
        summary="服务是否运行 / is it up",
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
