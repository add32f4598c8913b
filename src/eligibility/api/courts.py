"""Courts: the register, the calendar feed of a court, its figures of a period."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import JSONResponse

from eligibility.api import models_follow_up as models
from eligibility.api.models import ReadingQuery
from eligibility.api.openapi import problems
from eligibility.api.service import Service
from eligibility.rulebase.describe import describe_court

Data = dict[str, Any]


def router(service: Service) -> APIRouter:
    """The routes about courts."""
    routes = APIRouter(tags=["courts"])
    base = service.rulebase

    async def loaded(query: Annotated[ReadingQuery, Query()]) -> None:
        service.check_digest(query.rulebase)

    reads = [Depends(loaded)]

    @routes.get(
        "/v1/courts",
        response_model=models.CourtList,
        responses=problems(404, 422),
        summary="法院名录 / the court register",
        dependencies=reads,
    )
    async def courts() -> JSONResponse:
        made = [describe_court(court) for court in base.courts.values()]
        return JSONResponse({"rulebase": base.digest, "count": len(made), "courts": made})

    @routes.get(
        "/v1/courts/{court}",
        response_model=models.CourtEntry,
        responses=problems(404, 422),
        summary="一个法院 / one court",
        dependencies=reads,
    )
    async def one_court(court: str) -> JSONResponse:
        return JSONResponse(describe_court(service.court(court)))

    return routes
