"""What happens after a decision: the log of decisions, events, duties, notices."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from eligibility.api import models_follow_up as models
from eligibility.api.access import ANY_ROLE, Caller, Checks, Decides, Reads
from eligibility.api.decisions_model import Decision
from eligibility.api.models import NoQuery
from eligibility.api.openapi import also, problems
from eligibility.api.requests import known_word, read_body, read_event_body
from eligibility.api.service import Service, local_today, now
from eligibility.errors import FactsError, NotFound, Problem, Text
from eligibility.records import decisions
from eligibility.records.ledger import Cursor, DutyRow
from eligibility.records.names import named_event, unfit
from eligibility.rulebase.describe_after import describe_event
from eligibility.vocabulary.values import FIRST_DAY, LAST_DAY

Data = dict[str, Any]
Kinds = tuple[tuple[type, ...], ...]
FIRST_MOMENT = datetime.combine(FIRST_DAY, time(), UTC)
LAST_MOMENT = datetime.combine(LAST_DAY, time(), UTC)
MOST_CURSOR = 1200  # a case number of 200 Chinese characters makes one of 900
MOST_SEQUENCE = 2**63


def router(service: Service) -> APIRouter:
    """The routes over what is on record. The database is asked off the event loop."""
    routes = APIRouter(tags=["follow-up"])
    found = service.follow_ups

    async def answer(work: Callable[..., Any], *arguments: Any) -> JSONResponse:
        return JSONResponse(await run_in_threadpool(work, *arguments))

    def decision(decision_id: str, caller: Caller) -> decisions.Recorded:
        known = known_name(decision_id, "unknown_decision", "decision_id")
        return service.scoped.decision(known, caller)

    def duty(duty_id: str, day: date, caller: Caller) -> tuple[DutyRow, Data]:
        return service.scoped.duty(known_name(duty_id, "unknown_duty", "id"), day, caller)

    def view(case_no: str, day: date, caller: Caller) -> Data:
        known = known_name(case_no, "unknown_case", "case_no")
        service.scoped.check_case(known, caller)
        return found.view(known, day)

    # --- decisions on record ---------------------------------------------------------------------

    @routes.get(
        "/v1/decisions",
        response_model=models.DecisionList,
        responses=problems(404, 422, 503),
        summary="决定记录 / the log of decisions",
    )
    async def list_decisions(
        caller: Reads, query: Annotated[models.DecisionsQuery, Query()]
    ) -> JSONResponse:
        return await answer(_decisions, service, query, caller)

    @routes.get(
        "/v1/decisions/{decision_id}",
        response_model=Decision,
        responses=problems(404, 410, 422, 503),
        summary="一份决定 / one decision, as it was answered",
    )
    async def one_decision(
        caller: Reads, decision_id: str, query: Annotated[NoQuery, Query()]
    ) -> Response:
        def work() -> str:
            return found.opened(decision(decision_id, caller)).body

        return Response(await run_in_threadpool(work), media_type="application/json")

    @routes.get(
        "/v1/decisions/{decision_id}/follow-up",
        response_model=models.CaseView,
        responses=problems(404, 422, 503),
        summary="决定之后 / the case since a decision",
    )
    async def since_decision(
        caller: Reads, decision_id: str, query: Annotated[models.DayQuery, Query()]
    ) -> JSONResponse:
        """Decisions, events and duties of the case, and which facts have gone stale."""
        made = await run_in_threadpool(decision, decision_id, caller)
        return await answer(found.view, made.case_key, query.as_of or local_today())

    @routes.post(
        "/v1/decisions/{decision_id}/reevaluate",
        response_model=Decision,
        status_code=201,
        responses=problems(404, 410, 422, 503),
        summary="按事件后的事实重新审查 / decide again after what happened",
    )
    async def reevaluate(
        caller: Decides,
        decision_id: str,
        request: Request,
        query: Annotated[models.DayQuery, Query()],
    ) -> JSONResponse:
        """A new decision on the case as its events left it; it names the one it follows."""
        made = await run_in_threadpool(decision, decision_id, caller)
        day = query.as_of or local_today()
        body = await run_in_threadpool(service.reevaluate, made.case_key, day, caller)
        request.app.state.metrics.decision(body, True)
        return JSONResponse(body, 201)

    @routes.post(
        "/v1/decisions/{decision_id}/replay",
        response_model=models.Replay,
        responses=problems(404, 422, 503),
        summary="按记录重新计算并比较 / compute it again from what was recorded",
    )
    async def replay(
        caller: Checks, decision_id: str, query: Annotated[NoQuery, Query()]
    ) -> JSONResponse:
        """Decide again by the rule base, profile, day and engine on record, and compare.

        Nothing is recorded. Ids and times are not compared, nor are texts where they were
        rendered by another version; ``notes`` says so.
        """

        def work() -> Data:
            return service.replayer.replay(decision(decision_id, caller).id).as_dict()

        return await answer(work)

    # --- events ----------------------------------------------------------------------------------

    @routes.get(
        "/v1/events/types",
        response_model=models.EventTypeList,
        responses=problems(422),
        summary="事件类型 / the types of events",
        dependencies=[Depends(ANY_ROLE)],
    )
    async def event_types(query: Annotated[NoQuery, Query()]) -> JSONResponse:
        base = service.rulebase
        made = [describe_event(event, base) for event in base.events.values()]
        return JSONResponse({"rulebase": base.digest, "count": len(made), "types": made})

    @routes.post(
        "/v1/events",
        response_model=models.EventAnswer,
        status_code=201,
        responses=also(models.EventAnswer, "已有记录", "known already")
        | problems(400, 404, 409, 410, 413, 415, 422, 503),
        summary="记录事件 / record what happened to a case",
    )
    async def record_event(
        caller: Decides, request: Request, query: Annotated[models.DayQuery, Query()]
    ) -> JSONResponse:
        """Record an event of a case (``case_no`` or ``decision_id``); duties follow at once.

        The same event again (same ``id``, or same content where it has none) changes nothing
        and is answered 200; another event under the same ``id`` is refused with 409. A
        mistake is corrected by a later event with ``corrects``.
        """
        body = read_event_body(await read_body(request, service.settings.max_body_bytes))
        return await _recorded(service, body, query.as_of, caller)

    # --- duties ----------------------------------------------------------------------------------

    @routes.get(
        "/v1/follow-ups",
        response_model=models.FollowUpList,
        responses=problems(404, 422, 503),
        summary="后续义务台账 / the ledger of duties",
    )
    async def list_duties(
        caller: Reads, query: Annotated[models.FollowUpsQuery, Query()]
    ) -> JSONResponse:
        """Duties by due date, as they stand on ``as_of`` (default: today)."""
        return await answer(_duties, service, query, caller)

    @routes.get(
        "/v1/follow-ups/{duty_id}",
        response_model=models.LedgerEntry,
        responses=problems(404, 422, 503),
        summary="一项义务 / one duty",
    )
    async def one_duty(
        caller: Reads, duty_id: str, query: Annotated[models.DayQuery, Query()]
    ) -> JSONResponse:
        _, entry = await run_in_threadpool(duty, duty_id, query.as_of or local_today(), caller)
        return JSONResponse(entry)

    @routes.post(
        "/v1/follow-ups/{duty_id}/events",
        response_model=models.EventAnswer,
        status_code=201,
        responses=also(models.EventAnswer, "已有记录", "known already")
        | problems(400, 404, 409, 410, 413, 415, 422, 503),
        summary="就一项义务记录事件 / record an event that answers a duty",
    )
    async def record_for_duty(
        caller: Decides,
        duty_id: str,
        request: Request,
        query: Annotated[models.DayQuery, Query()],
    ) -> JSONResponse:
        """As ``POST /v1/events``, for the case of the duty; it answers the event it began with."""
        body = read_event_body(await read_body(request, service.settings.max_body_bytes))
        row, entry = await run_in_threadpool(duty, duty_id, local_today(), caller)
        await run_in_threadpool(service.scoped.check_owed, row, caller)
        starts = entry["starts"]
        if starts and starts["kind"] == "event" and "answers" not in body:
            body["answers"] = starts["event"]["id"]
        body["case_no"] = row.case_key
        return await _recorded(service, body, query.as_of, caller)

    @routes.get(
        "/v1/cases/{case_no}/follow-up",
        response_model=models.CaseView,
        responses=problems(404, 422, 503),
        summary="案件的后续 / a case from decision to closure",
    )
    async def one_case(
        caller: Reads, case_no: str, query: Annotated[models.DayQuery, Query()]
    ) -> JSONResponse:
        return await answer(view, case_no, query.as_of or local_today(), caller)

    return routes


async def _recorded(
    service: Service, body: Data, as_of: date | None, caller: Caller
) -> JSONResponse:
    """The event recorded, with the duties of its case as they stand now."""

    given = named_event(body)

    def work() -> tuple[Data, bool]:
        service.scoped.check_event(given, caller)
        event, new = service.follow_ups.record_event(given, now(), local_today())
        view = service.follow_ups.view(event["case"], as_of or local_today())
        return {"event": event, "new": new, "follow_ups": view["follow_ups"]}, new

    answer, new = await run_in_threadpool(work)
    return JSONResponse(answer, 201 if new else 200)


# --- reading the ledger ---------------------------------------------------------------------------


def _decisions(service: Service, query: models.DecisionsQuery, caller: Caller) -> Data:
    court = service.court(query.court).id if query.court else None
    after = sequence(query.cursor)
    for place in ("decided_from", "decided_to"):
        _check_moment(getattr(query, place), place)
    if unfit(query.case_no or "") or unfit(query.outcome or ""):
        return {"count": 0, "decisions": [], "next": None}
    with service.follow_ups.database.read() as connection:
        made = decisions.search(
            connection,
            court_id=court,
            case_no=query.case_no,
            outcome=query.outcome,
            decided_from=query.decided_from,
            decided_to=query.decided_to,
            after_seq=after,
            within=caller.courts,
            limit=query.limit,
        )
    entries = [
        {
            "decision_id": d.id,
            "case_no": d.case_no,
            "court": d.court_id,
            "outcome": d.outcome,
            "profile": d.profile,
            "as_of": d.as_of.isoformat(),
            "rulebase": d.digest,
            "decided_at": d.decided_at.isoformat(),
            "follows": d.follows,
        }
        for d in made
    ]
    more = packed([made[-1].seq]) if len(made) == query.limit else None
    return {"count": len(entries), "decisions": entries, "next": more}


def _duties(service: Service, query: models.FollowUpsQuery, caller: Caller) -> Data:
    as_of = query.as_of or local_today()
    known_word(query.rule, sorted(service.rulebase.rules), "rule")
    court = service.court(query.court).id if query.court else None
    after = _cursor(query.cursor)
    if unfit(query.case_no or ""):
        return {"as_of": as_of.isoformat(), "count": 0, "follow_ups": [], "next": None}
    entries, more = service.follow_ups.duties(
        as_of,
        now(),
        court_id=court,
        case_no=query.case_no,
        states=query.state or None,
        rule=query.rule,
        due_before=query.due_before,
        after=after,
        within=caller.courts,
        limit=query.limit,
    )
    return {
        "as_of": as_of.isoformat(),
        "count": len(entries),
        "follow_ups": entries,
        "next": packed([_iso(more.due), more.case_key, more.id]) if more else None,
    }


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None


def known_name(name: str, code: str, place: str) -> str:
    """The name of something sought; NotFound where nothing on record can have it."""
    if not unfit(name):
        return name
    shown = "".join(c if c.isprintable() else "�" for c in name[:80])
    text = Text(f"没有“{shown}”的记录", f"nothing of '{shown}' is on record")
    raise NotFound(Problem(code, text, place))


def _check_moment(moment: datetime | None, place: str) -> None:
    """Within the bounds of days: outside them a moment has no time in UTC."""
    if moment is None or FIRST_MOMENT <= moment <= LAST_MOMENT:
        return
    zh = f"时间应在 {FIRST_DAY} 与 {LAST_DAY} 之间"
    en = f"expected a moment from {FIRST_DAY} to {LAST_DAY}"
    raise FactsError(Problem("out_of_range", Text(zh, en), place))


# --- cursors --------------------------------------------------------------------------------------


def packed(place: list[Any]) -> str:
    """The cursor of a page that begins after a place."""
    return urlsafe_b64encode(json.dumps(place, ensure_ascii=False).encode()).decode()


def _unpacked(cursor: str | None, kinds: Kinds) -> list[Any] | None:
    if cursor is None:
        return None
    try:
        place = json.loads(urlsafe_b64decode(cursor.encode())) if len(cursor) <= MOST_CURSOR else 0
        if type(place) is list and len(place) == len(kinds) and all(map(_fits, place, kinds)):
            return place
    except (ValueError, RecursionError):
        pass
    text = Text("游标无效，请用回答中的 next", "not a cursor: use 'next' of an answer")
    raise FactsError(Problem("bad_cursor", text, "cursor"))


def _fits(part: Any, kinds: tuple[type, ...]) -> bool:
    """Exactly of a kind (true is no number), and what a database can compare with."""
    if type(part) not in kinds:
        return False
    if isinstance(part, str):
        return not unfit(part)
    return part is None or 0 <= part < MOST_SEQUENCE


def sequence(cursor: str | None) -> int | None:
    """The number that a cursor names. Raises FactsError (``bad_cursor``)."""
    place = _unpacked(cursor, ((int,),))
    return place[0] if place else None


def _cursor(cursor: str | None) -> Cursor | None:
    place = _unpacked(cursor, ((str, type(None)), (str,), (str,)))
    if place is None:
        return None
    try:
        due = date.fromisoformat(place[0]) if place[0] else None
    except ValueError:
        return _cursor("!")
    return Cursor(due, place[1], place[2])
