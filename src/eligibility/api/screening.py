"""Whole dockets screened in the background: asked for, followed, cancelled, fetched."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse, JSONResponse
from starlette.types import Message, Receive, Scope, Send

from eligibility.api import models_screenings as models
from eligibility.api.access import LOCAL, Caller, Decides, Reads
from eligibility.api.docket_files import MEDIA_TYPES, check_declared, kind_of, new_id
from eligibility.api.follow_up import known_name, packed, sequence
from eligibility.api.limits import DOCKETS
from eligibility.api.models import NoQuery
from eligibility.api.openapi import problems
from eligibility.api.problems import RequestError, respond
from eligibility.api.routes import IdempotencyKey
from eligibility.api.screening_jobs import ScreeningJobs
from eligibility.api.service import Service, local_today, now
from eligibility.errors import Conflict, Problem, Text
from eligibility.records import screenings
from eligibility.records.idempotency import once
from eligibility.records.rulebases import keep
from eligibility.records.screenings import ENDED, Job, Ordered

Data = dict[str, Any]
_BINARY: Data = {"schema": {"type": "string", "format": "binary"}}
_BODY: Data = {"required": True, "content": dict.fromkeys(MEDIA_TYPES.values(), _BINARY)}
_RESULTS: dict[int | str, Data] = {
    200: {"description": "结果文件 / the result", "content": _BODY["content"]},
    206: {"description": "结果文件的一段 / a part of it", "content": _BODY["content"]},
}
_ADDRESS: Data = {"description": "任务的地址 / the job", "schema": {"type": "string"}}
_ACCEPTED: dict[int | str, Data] = {202: {"headers": {"Location": _ADDRESS}}}


def router(service: Service, jobs: ScreeningJobs) -> APIRouter:
    """The routes of screenings. Files and database are used off the event loop."""
    routes = APIRouter(tags=["screenings"])
    asked = Asked(service, jobs)

    async def answer(work: Callable[..., Any], *arguments: Any) -> JSONResponse:
        return JSONResponse(await run_in_threadpool(work, *arguments))

    @routes.post(
        DOCKETS,
        response_model=models.Screening,
        status_code=202,
        responses=_ACCEPTED | problems(400, 404, 409, 413, 415, 422, 503),
        openapi_extra={"requestBody": _BODY},
        summary="后台筛查案件表 / screen a docket in the background",
    )
    async def submit(
        caller: Decides,
        request: Request,
        query: Annotated[models.ScreeningQuery, Query()],
        key: IdempotencyKey = None,
    ) -> JSONResponse:
        """The body is the docket: CSV (UTF-8 or GB18030), NDJSON or Parquet.

        Once the answer (202) is sent, docket and job are on the disk: the job will be run,
        whatever process dies. All rows are judged by one rule base: that in force on ``as_of``,
        else today, unless one is named. Nothing is recorded about any case. A caller limited to
        courts is answered on cases of these only; any other row is rejected (``other_court``).
        The same request again under the same ``Idempotency-Key`` is the same job.
        """
        return await asked.submit(caller, request, query, key)

    @routes.get(
        DOCKETS,
        response_model=models.ScreeningList,
        responses=problems(422, 503),
        summary="筛查任务 / screenings, the last first",
    )
    async def listed(
        caller: Reads, query: Annotated[models.ScreeningsQuery, Query()]
    ) -> JSONResponse:
        """A caller limited to courts sees the jobs that it asked for; any other sees all."""
        return await answer(asked.listed, caller, query)

    @routes.get(
        DOCKETS + "/{screening_id}",
        response_model=models.Screening,
        responses=problems(404, 422, 503),
        summary="一项筛查任务 / one screening, as it stands",
    )
    async def one(
        caller: Reads, screening_id: str, query: Annotated[NoQuery, Query()]
    ) -> JSONResponse:
        return await answer(asked.one, caller, screening_id)

    @routes.get(
        DOCKETS + "/{screening_id}/result",
        response_class=ResultFile,
        responses=_RESULTS | problems(404, 409, 416, 422, 503),
        summary="筛查结果 / the result",
    )
    async def result(
        caller: Reads, screening_id: str, query: Annotated[NoQuery, Query()]
    ) -> Response:
        """The file with one row a case, or the parts that ``Range`` names; 409 until it is done."""
        job = await run_in_threadpool(asked.seen, caller, screening_id)
        path = await run_in_threadpool(asked.result, job)
        form = job.request["format"]
        name = f"screening-{job.id}.{form}"
        return ResultFile(path, media_type=MEDIA_TYPES[form], filename=name)

    @routes.post(
        DOCKETS + "/{screening_id}/cancel",
        response_model=models.Screening,
        responses=problems(404, 409, 422, 503),
        summary="取消筛查任务 / cancel a screening",
    )
    async def cancel(
        caller: Decides, screening_id: str, query: Annotated[NoQuery, Query()]
    ) -> JSONResponse:
        """A job that waits is cancelled at once, one that runs within seconds; again: the same."""
        return await answer(asked.cancelled, caller, screening_id)

    return routes


class ResultFile(FileResponse):
    """A file, whole or in parts; a range that cannot be is refused as everything else is."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused: Message | None = None

        async def told(message: Message) -> None:
            nonlocal refused
            if message["type"] == "http.response.start" and message["status"] >= 400:
                refused = message
            elif refused is None:
                await send(message)

        await super().__call__(scope, receive, told)
        if refused is not None:
            text = Text("Range 不可用于此文件", "not a range of this file")
            kept = [value for name, value in refused["headers"] if name == b"content-range"]
            headers = {"Content-Range": kept[0].decode()} if kept else {}
            answer = respond(refused["status"], [Problem("bad_range", text, "Range")], headers)
            await answer(scope, receive, send)


class Asked:
    """What the routes do."""

    def __init__(self, service: Service, jobs: ScreeningJobs) -> None:
        self._service, self._jobs = service, jobs
        self._kept = timedelta(days=service.settings.screening_retention_days)

    # --- asking ----------------------------------------------------------------------------------

    async def submit(
        self, caller: Caller, request: Request, query: models.ScreeningQuery, key: str | None
    ) -> JSONResponse:
        kind, limit = kind_of(request), self._service.settings.max_docket_bytes
        if key is not None:
            once(key, {})
        check_declared(request, limit)
        digest = await run_in_threadpool(self._digest, query)
        job_id, files = new_id(), self._jobs.files
        received = await files.receive(job_id, kind, request.stream(), limit)
        try:
            told = {
                "kind": kind,
                "format": query.format or kind,
                "profile": query.profile,
                "as_of": query.as_of.isoformat() if query.as_of else None,
                "dates": query.dates,
                "courts": None if caller.courts is None else sorted(caller.courts),
            }
            said = {**told, "rulebase": query.rulebase, "docket": received.digest}
            ordered = Ordered(
                id=job_id,
                caller=caller.name,
                request={**told, "today": local_today().isoformat()},
                digest=digest,
                docket_bytes=received.bytes,
                host=self._jobs.host,
                once=once(key or job_id, said, None if caller is LOCAL else caller.name),
            )
            job, new = await run_in_threadpool(self._put_down, ordered, key is not None)
        except BaseException:
            files.remove(job_id)
            raise
        if new:
            self._jobs.wake()
        else:
            files.remove(job_id)
        return JSONResponse(self._shown(job), 202, {"Location": f"{DOCKETS}/{job.id}"})

    def _digest(self, query: models.ScreeningQuery) -> str:
        """The rule base to judge by. Raises NotFound, and RequestError where too many wait."""
        with self._service.follow_ups.database.read() as connection:
            counts = screenings.counts(connection)
        if counts["queued"] + counts["running"] >= self._service.settings.screening_queue:
            text = Text(
                "等待筛查的案件表过多，请稍后再试", "too many dockets wait; try again later"
            )
            raise RequestError(503, Problem("screenings_full", text))
        day: date = query.as_of or local_today()
        digest = query.rulebase or self._service.versions.digest_on(day)
        base = self._service.published(digest)
        if query.profile is not None:
            base.profile(query.profile)
        return base.digest

    def _put_down(self, ordered: Ordered, keyed: bool) -> tuple[Job, bool]:
        found, own = self._service.follow_ups, self._service.versions.own
        moment = now()
        with found.database.begin() as connection:
            if ordered.digest == own.digest:
                keep(connection, own, found.texts, moment, found.log_key)
            return screenings.submit(connection, ordered, moment, keyed)

    # --- following -------------------------------------------------------------------------------

    def seen(self, caller: Caller, screening_id: str) -> Job:
        """The job, if the caller sees it. Raises NotFound (``unknown_screening``)."""
        job_id = known_name(screening_id, "unknown_screening", "screening_id")
        with self._service.follow_ups.database.read() as connection:
            return screenings.find(connection, job_id, _own(caller))

    def one(self, caller: Caller, screening_id: str) -> Data:
        return self._shown(self.seen(caller, screening_id))

    def listed(self, caller: Caller, query: models.ScreeningsQuery) -> Data:
        before = sequence(query.cursor)
        with self._service.follow_ups.database.read() as connection:
            found = screenings.search(
                connection,
                of=_own(caller),
                state=query.state,
                before_seq=before,
                limit=query.limit,
            )
        more = packed([found[-1].seq]) if len(found) == query.limit else None
        shown = [self._shown(job) | {"summary": None} for job in found]
        return {"count": len(shown), "screenings": shown, "next": more}

    def result(self, job: Job) -> Path:
        """The file of the result. Raises Conflict, or RequestError where it is not here."""
        if job.state != "done":
            text = Text(f"没有结果：任务状态为 {job.state}", f"no result: the job is {job.state}")
            raise Conflict(Problem("screening_not_done", text, "screening_id"))
        path = self._jobs.files.result(job)
        if not path.is_file():
            text = Text("结果文件不在本机", "the file of the result is not on this machine")
            raise RequestError(503, Problem("result_not_here", text, "screening_id"))
        return path

    def cancelled(self, caller: Caller, screening_id: str) -> Data:
        self.seen(caller, screening_id)
        with self._service.follow_ups.database.begin() as connection:
            job = screenings.cancel(connection, screening_id, now())
        self._jobs.files.tidy(job)
        return self._shown(job)

    def _shown(self, job: Job) -> Data:
        told, ended = job.request, job.state in ENDED
        address = f"{DOCKETS}/{job.id}"
        return {
            "id": job.id,
            "state": job.state,
            "cancelling": job.cancelling,
            "docket": told["kind"],
            "rulebase": job.digest,
            **{name: told[name] for name in ("format", "profile", "as_of", "today", "dates")},
            "rows_done": job.rows_done,
            "bytes_done": job.bytes_done,
            "bytes_total": job.docket_bytes,
            "rows_per_second": _rate(job),
            "created_at": job.created_at.isoformat(),
            "started_at": job.started_at.isoformat() if job.started_at else None,
            "finished_at": job.finished_at.isoformat() if job.finished_at else None,
            "deleted_at": (job.finished_at + self._kept).isoformat() if job.finished_at else None,
            "summary": job.summary,
            "problems": job.problems,
            "links": {
                "self": address,
                "result": f"{address}/result" if job.state == "done" else None,
                "cancel": None if ended else f"{address}/cancel",
            },
        }


def _own(caller: Caller) -> str | None:
    """Whose jobs a caller sees: limited to courts its own, else everybody's."""
    return None if caller.courts is None else caller.name


def _rate(job: Job) -> float | None:
    if job.started_at is None or job.told_at is None or job.told_at <= job.started_at:
        return None
    return round(job.rows_done / (job.told_at - job.started_at).total_seconds(), 1)
