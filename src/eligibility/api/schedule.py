"""The published rule bases and when they are in force; activating, and taking back."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ValidationError
from sqlalchemy import Connection

from eligibility.api import models
from eligibility.api.access import ANY_ROLE, LOCAL, Allowed, Caller
from eligibility.api.models import NoQuery
from eligibility.api.openapi import problems
from eligibility.api.problems import problem_of
from eligibility.api.requests import day_of, read_body
from eligibility.api.service import Service
from eligibility.documents import read_json
from eligibility.errors import FactsError
from eligibility.records import activations
from eligibility.records.activations import Activation, Schedule
from eligibility.records.rulebases import digests
from eligibility.rulebase import describe
from eligibility.rulebase.model import Rulebase
from eligibility.vocabulary.values import FIRST_DAY

Data = dict[str, Any]
Activates = Annotated[Caller, Depends(Allowed("policy_approver", "admin"))]
Model = TypeVar("Model", bound=BaseModel)


def router(service: Service) -> APIRouter:
    """The routes of the schedule."""
    routes = APIRouter(tags=["rule base"], dependencies=[Depends(ANY_ROLE)])

    @routes.get(
        "/v1/rulebases",
        response_model=models.RulebaseList,
        responses=problems(404, 422, 503),
        summary="规则库各版本 / the published rule bases",
    )
    async def rulebases(query: Annotated[models.ReadingQuery, Query()]) -> JSONResponse:
        """Every published rule base (or the one named) with its days, and the activations."""
        return JSONResponse(await run_in_threadpool(published, service, query.rulebase))

    @routes.get(
        "/v1/rulebases/{digest}",
        response_model=models.RulebaseEntry,
        responses=problems(404, 422, 503),
        summary="规则库的一个版本 / one rule base",
    )
    async def one_rulebase(digest: str, query: Annotated[NoQuery, Query()]) -> JSONResponse:
        def work() -> Data:
            base = service.published(digest)
            return entry(service, base, current_schedule(service))

        return JSONResponse(await run_in_threadpool(work))

    @routes.post(
        "/v1/rulebases/rollback",
        response_model=models.ActivationEntry,
        status_code=201,
        responses=problems(400, 409, 413, 415, 422, 503),
        summary="撤回最近一次启用 / take back the last activation",
    )
    async def roll_back(
        caller: Activates, request: Request, query: Annotated[NoQuery, Query()]
    ) -> JSONResponse:
        """Takes back the last activation that stands; what was in force without it is again."""
        asked = await _read(request, service, models.RollbackRequest)
        made = await run_in_threadpool(service.rollback, _by(caller, asked.by), asked.note)
        return JSONResponse(activation_entry(made), 201)

    @routes.post(
        "/v1/rulebases/{digest}/activate",
        response_model=models.ActivationEntry,
        status_code=201,
        responses=problems(400, 404, 413, 415, 422, 503),
        summary="启用规则库 / put a rule base in force",
    )
    async def activate(
        caller: Activates, digest: str, request: Request, query: Annotated[NoQuery, Query()]
    ) -> JSONResponse:
        """In force from ``effective_from`` (default: today) until the day of another one.

        The rule base is tried out first, in a process of its own; where that fails, it is
        refused (422, ``engine_trial_failed``) and nothing changes. The process that answers
        follows at once, the others within a second.
        """
        asked = await _read(request, service, models.ActivationRequest)
        day = day_of(asked.effective_from, "effective_from")
        made = await run_in_threadpool(
            service.activate, digest, day, _by(caller, asked.by), asked.note
        )
        return JSONResponse(activation_entry(made), 201)

    return routes


def _by(caller: Caller, said: str) -> str:
    """Who puts a rule base in force: whoever proved who they are, else as the request says."""
    return said if caller is LOCAL else caller.name


async def _read(request: Request, service: Service, model: type[Model]) -> Model:
    """The body of a request. Raises MalformedInput or FactsError."""
    data = read_json(await read_body(request, service.settings.max_body_bytes))
    try:
        return model.model_validate(data)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        names = list(model.model_fields)
        raise FactsError(problem_of(dict(e), names) for e in found[:20]) from None


def current_schedule(service: Service) -> Schedule:
    """As it stands in the database."""
    with service.follow_ups.database.read() as connection:
        return activations.schedule(connection)


def published(service: Service, named: str | None = None) -> Data:
    """The list of rule bases: those kept, and the one of the folder while it is in force.

    Only the one ``named``, if any is. Raises NotFound (``unknown_rulebase``).
    """
    if named is not None:
        service.published(named)
    with service.follow_ups.database.read() as connection:
        found, known = activations.schedule(connection), _known(connection, service)
    made = [
        entry(service, service.published(digest), found)
        for digest in known
        if named in (None, digest)
    ]
    return {
        "rulebases": made,
        "activations": [activation_entry(row) for row in found.rows],
    }


def _known(connection: Connection, service: Service) -> list[str]:
    own = service.versions.own.digest
    kept = digests(connection)
    return kept if own in kept or service.rulebase.digest != own else [own, *kept]


def entry(service: Service, base: Rulebase, found: Schedule) -> Data:
    """A rule base, and when it is in force."""
    spans = [
        {"from": span.since.isoformat(), "to": span.until.isoformat() if span.until else None}
        for span in found.spans(base.digest)
    ]
    if not found.standing() and base.digest == service.versions.own.digest:
        spans = [{"from": FIRST_DAY.isoformat(), "to": None}]
    in_force = base.digest == service.rulebase.digest
    return {**describe.describe_rulebase(base), "in_force": in_force, "effective": spans}


def activation_entry(row: Activation) -> Data:
    return {
        "seq": row.seq,
        "digest": row.digest,
        "effective_from": row.effective_from.isoformat(),
        "withdraws": row.withdraws,
        "activated_at": row.activated_at.isoformat(),
        "by": row.by,
        "note": row.note,
    }
