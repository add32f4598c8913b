"""Courts: the register, the calendar feed of a court, its figures of a period."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from eligibility.api import models_follow_up as models
from eligibility.api.access import ANY_ROLE, Caller, Reads
from eligibility.api.models import NoQuery
from eligibility.api.openapi import in_forms, problems
from eligibility.api.reading import BaseRead
from eligibility.api.service import Service, local_today, now
from eligibility.courts.periods import parse_period
from eligibility.courts.supervision import supervise
from eligibility.records.figures import count_figures
from eligibility.records.listing import every_duty
from eligibility.render.calendar_feed import RUNNING, feed
from eligibility.render.supervision import supervision_csv
from eligibility.render.supervision_chart import supervision_svg
from eligibility.rulebase.describe import describe_court

Data = dict[str, Any]


def router(service: Service) -> APIRouter:
    """The routes about courts."""
    routes = APIRouter(tags=["courts"])

    @routes.get(
        "/v1/courts",
        response_model=models.CourtList,
        responses=problems(404, 422),
        summary="法院名录 / the court register",
        dependencies=[Depends(ANY_ROLE)],
    )
    async def courts(base: BaseRead) -> JSONResponse:
        made = [describe_court(court) for court in base.courts.values()]
        return JSONResponse({"rulebase": base.digest, "count": len(made), "courts": made})

    @routes.get(
        "/v1/courts/{court}",
        response_model=models.CourtEntry,
        responses=problems(404, 422),
        summary="一个法院 / one court",
        dependencies=[Depends(ANY_ROLE)],
    )
    async def one_court(court: str, base: BaseRead) -> JSONResponse:
        return JSONResponse(describe_court(service.court(court, base=base)))

    @routes.get(
        "/v1/courts/{court}/supervision",
        response_model=models.Supervision,
        responses=in_forms("text/csv", "image/svg+xml") | problems(404, 422, 503),
        summary="法院与期间的指标 / measures of a court and a period",
    )
    async def supervision(
        caller: Reads, court: str, query: Annotated[models.SupervisionQuery, Query()]
    ) -> Response:
        """Counted from decisions and events on record. About courts only: no case is affected."""
        answer = await run_in_threadpool(_supervised, service, court, query, caller)
        if query.format == "csv":
            return Response(supervision_csv([answer]), media_type="text/csv; charset=utf-8")
        if query.format == "svg":
            return Response(supervision_svg(answer), media_type="image/svg+xml")
        return JSONResponse(answer)

    @routes.get(
        "/v1/courts/{court}/calendar.ics",
        response_class=Response,
        responses=in_forms("text/calendar") | problems(404, 422, 503),
        summary="日历订阅 / calendar feed of what a court owes",
    )
    async def calendar(caller: Reads, court: str, query: Annotated[NoQuery, Query()]) -> Response:
        """Duties that are open, overdue or lapsed today, as all-day entries (RFC 5545)."""
        body = await run_in_threadpool(_calendar, service, court, caller)
        return Response(body, media_type="text/calendar; charset=utf-8")

    return routes


def _supervised(
    service: Service, name: str, query: models.SupervisionQuery, caller: Caller
) -> Data:
    base = service.rulebase  # read once: another may be put in force meanwhile
    court, period = service.court(name, caller, base), parse_period(query.period)
    figures = count_figures(service.follow_ups, court, period, local_today())
    as_of = min(period.last, local_today())
    return supervise(base, query.profile, figures, as_of)


def _calendar(service: Service, name: str, caller: Caller) -> bytes:
    court = service.court(name, caller)
    today = local_today()
    entries = every_duty(service.follow_ups, today, now(), court_id=court.id, states=RUNNING)
    return feed(court.label.as_dict(), entries, now())
