"""Screenings as background jobs: who asked for what, who runs it, what came of it.

A job is run by one process at a time: it claims the job with a lease that it prolongs while it
runs, and another process takes the job up, from its start, once a lease has run out. Every claim
has a number (``attempt``), and only the holder of the last one can say how the job ended. Only
the job is kept here; its docket and its result are files.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, func, or_, select, update
from sqlalchemy import delete as sql_delete

from eligibility.errors import Conflict, NotFound, Problem, Text
from eligibility.records import idempotency
from eligibility.records.database import insert_new
from eligibility.records.events import canonical_json
from eligibility.records.idempotency import Once
from eligibility.records.tables import SCREENINGS

State = Literal["queued", "running", "done", "failed", "cancelled"]
STATES: tuple[State, ...] = ("queued", "running", "done", "failed", "cancelled")
ENDED = frozenset({"done", "failed", "cancelled"})
Standing = Literal["ours", "cancelling", "lost"]

MOST_LOST = 2
"""How often a job is taken up again after its process vanished: it may be what ends them."""

_TURN = 0x73637265  # PostgreSQL's advisory lock: one claim at a time
_c = SCREENINGS.c


@dataclass(frozen=True, slots=True)
class Job:
    """One screening as it stands. ``request``: what was asked, by the names of the API."""

    seq: int
    id: str
    caller: str
    once_key: str | None
    request_hash: str
    request: dict[str, Any]
    digest: str
    docket_bytes: int
    created_at: datetime
    state: State
    cancelling: bool
    host: str
    attempt: int
    lost: int
    lease_until: datetime | None
    started_at: datetime | None
    told_at: datetime | None
    finished_at: datetime | None
    rows_done: int
    bytes_done: int
    summary: dict[str, Any] | None
    problems: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Ordered:
    """A job to be put down; ``host``: the machine that holds its docket."""

    id: str
    caller: str
    request: Mapping[str, Any]
    digest: str
    docket_bytes: int
    host: str
    once: Once


# --- asking ---------------------------------------------------------------------------------------


def submit(
    connection: Connection, ordered: Ordered, now: datetime, keyed: bool
) -> tuple[Job, bool]:
    """The job and whether it is new: with a key (``keyed``) the same request again is one job.

    The rule base of its digest must be kept. Raises Conflict (``idempotency_conflict``).
    """
    values = {
        "id": ordered.id,
        "caller": ordered.caller,
        "once_key": ordered.once.key if keyed else None,
        "request_hash": ordered.once.request_hash,
        "request": canonical_json(ordered.request),
        "digest": ordered.digest,
        "docket_bytes": ordered.docket_bytes,
        "created_at": now,
        "state": "queued",
        "cancelling": False,
        "host": ordered.host,
        "attempt": 0,
        "lost": 0,
        "rows_done": 0,
        "bytes_done": 0,
    }
    if insert_new(connection, SCREENINGS, values, "once_key"):
        return find(connection, ordered.id), True
    (earlier,) = _where(connection, _c.once_key == ordered.once.key)
    idempotency.check(ordered.once, earlier.request_hash)
    return earlier, False


def find(connection: Connection, job_id: str, of: str | None = None) -> Job:
    """The job; ``of``: only if this caller asked for it. Raises NotFound."""
    found = _where(connection, _c.id == job_id, *_asked_by(of))
    if found:
        return found[0]
    raise unknown(job_id)


def unknown(job_id: str) -> NotFound:
    """What is answered for a job that does not exist, or not for the one who asks."""
    shown = job_id[:80]
    text = Text(f"没有筛查任务“{shown}”", f"there is no screening '{shown}'")
    return NotFound(Problem("unknown_screening", text, "screening_id"))


def search(
    connection: Connection,
    *,
    of: str | None = None,
    state: State | None = None,
    before_seq: int | None = None,
    limit: int,
) -> list[Job]:
    """Jobs, the last first, at most ``limit``, older than that of ``before_seq``."""
    wanted = _asked_by(of)
    if state is not None:
        wanted.append(_c.state == state)
    if before_seq is not None:
        wanted.append(_c.seq < before_seq)
    return _where(connection, *wanted, newest_first=True, limit=limit)


def counts(connection: Connection) -> dict[State, int]:
    """How many jobs are in each state."""
    rows = connection.execute(select(_c.state, func.count().label("jobs")).group_by(_c.state))
    found = {row.state: row.jobs for row in rows}
    return {state: found.get(state, 0) for state in STATES}


def cancel(connection: Connection, job_id: str, now: datetime) -> Job:
    """The job, cancelled if it had not begun; else whoever runs it is told to end it.

    Raises NotFound, and Conflict (``screening_ended``) where nothing is left to cancel.
    """
    ended = {"state": "cancelled", "finished_at": now, "cancelling": False}
    mine = _c.id == job_id
    connection.execute(update(SCREENINGS).where(mine, _c.state == "queued").values(ended))
    connection.execute(
        update(SCREENINGS).where(mine, _c.state == "running").values(cancelling=True)
    )
    job = find(connection, job_id)
    if job.state in ("done", "failed"):
        text = Text("任务已经结束", "the screening has ended already")
        raise Conflict(Problem("screening_ended", text, "screening_id"))
    return job


# --- running --------------------------------------------------------------------------------------


def _waiting(now: datetime) -> ColumnElement[bool]:
    return or_(_c.state == "queued", (_c.state == "running") & (_c.lease_until <= now))


def is_waiting(connection: Connection, now: datetime) -> bool:
    """Whether any job waits for a process; told without keeping others from writing."""
    return connection.execute(select(_c.id).where(_waiting(now)).limit(1)).first() is not None


def claim(
    connection: Connection,
    now: datetime,
    *,
    host: str,
    most: int,
    lease: timedelta,
    holds: Callable[[Job], bool],
) -> Job | None:
    """The first job that waits and whose docket ``holds`` here, now to be run by the caller.

    None where there is none, or where ``most`` are being run on this host.
    """
    # INVARIANT: of all processes one at a time holds a lease of a job that has not run out
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_TURN)))
    at_work = (_c.state == "running") & (_c.host == host) & (_c.lease_until > now)
    running = connection.execute(select(func.count()).where(at_work)).scalar_one()
    if running >= most:
        return None
    for job in _where(connection, _waiting(now)):
        if not holds(job):
            continue
        if job.cancelling or job.lost + (job.state == "running") > MOST_LOST:
            _end_vanished(connection, job, now)
            continue
        values = {
            "state": "running",
            "host": host,
            "attempt": job.attempt + 1,
            "lost": job.lost + (job.state == "running"),
            "lease_until": now + lease,
            "started_at": now,
            "told_at": now,
            "rows_done": 0,
            "bytes_done": 0,
        }
        if _update(connection, job, values):
            return find(connection, job.id)
    return None


def _end_vanished(connection: Connection, job: Job, now: datetime) -> None:
    """A job whose process vanished, and that is not taken up again."""
    if job.cancelling:
        finish(connection, job, now, "cancelled")
        return
    said = Text(
        f"执行任务的进程已 {job.lost + 1} 次中断，不再重试",
        f"the process that ran it vanished {job.lost + 1} times; it is not tried again",
    )
    finish(connection, job, now, "failed", problems=[Problem("screening_crashed", said).as_dict()])


def beat(
    connection: Connection, job: Job, now: datetime, lease: timedelta, rows: int, read: int
) -> Standing:
    """Prolong the lease of a claimed job and put down how far it is; how it stands."""
    values = {
        "lease_until": now + lease,
        "told_at": now,
        "rows_done": rows,
        "bytes_done": read,
    }
    if not _update(connection, job, values):
        return "lost"
    found = connection.execute(select(_c.cancelling).where(_c.id == job.id)).scalar_one()
    return "cancelling" if found else "ours"


def finish(
    connection: Connection,
    job: Job,
    now: datetime,
    state: State,
    *,
    rows: int | None = None,
    summary: Mapping[str, Any] | None = None,
    problems: Sequence[Mapping[str, Any]] = (),
) -> bool:
    """End a claimed job; False where another process has claimed it since: nothing is changed."""
    values: dict[str, Any] = {
        "state": state,
        "cancelling": False,
        "lease_until": None,
        "told_at": now,
        "finished_at": now,
        "summary": None if summary is None else json.dumps(summary, ensure_ascii=False),
        "problems": json.dumps(list(problems), ensure_ascii=False) if problems else None,
    }
    if rows is not None:
        values |= {"rows_done": rows, "bytes_done": job.docket_bytes}
    return _update(connection, job, values)


def give_back(connection: Connection, job: Job, now: datetime) -> bool:
    """Let go of a claimed job, to be run from its start by whoever claims it next."""
    with_request = select(_c.cancelling).where(_c.id == job.id)
    if connection.execute(with_request).scalar_one_or_none():
        return finish(connection, job, now, "cancelled")
    values = {
        "state": "queued",
        "lease_until": None,
        "started_at": None,
        "told_at": None,
        "rows_done": 0,
        "bytes_done": 0,
    }
    return _update(connection, job, values)


# --- clearing away --------------------------------------------------------------------------------


def waiting_of(connection: Connection, host: str, now: datetime) -> list[Job]:
    """Jobs that wait and that this host received, or ran last."""
    return _where(connection, _waiting(now), _c.host == host)


def any_before(connection: Connection, before: datetime) -> bool:
    """Whether :func:`forget` would delete any."""
    return connection.execute(select(_c.id).where(_old(before)).limit(1)).first() is not None


def forget(connection: Connection, before: datetime) -> list[str]:
    """Delete jobs that ended, or were asked for and never begun, before a moment; their ids."""
    old = _old(before)
    ids = list(connection.execute(select(_c.id).where(old)).scalars())
    if ids:
        connection.execute(sql_delete(SCREENINGS).where(_c.id.in_(ids), old))
    return ids


def _old(before: datetime) -> ColumnElement[bool]:
    return or_(_c.finished_at < before, (_c.state == "queued") & (_c.created_at < before))


def among(connection: Connection, ids: Sequence[str]) -> dict[str, Job]:
    """Those of these jobs that there are, by id."""
    return {job.id: job for job in _where(connection, _c.id.in_(ids))} if ids else {}


# --- rows -----------------------------------------------------------------------------------------


def _asked_by(caller: str | None) -> list[ColumnElement[bool]]:
    return [] if caller is None else [_c.caller == caller]


def _update(connection: Connection, job: Job, values: Mapping[str, Any]) -> bool:
    """Change a job that is still as it was read or claimed; whether it was."""
    same = (_c.id == job.id) & (_c.attempt == job.attempt) & (_c.state == job.state)
    done = connection.execute(update(SCREENINGS).where(same).values(values))
    return done.rowcount == 1


def _where(
    connection: Connection,
    *wanted: ColumnElement[bool],
    newest_first: bool = False,
    limit: int | None = None,
) -> list[Job]:
    order = _c.seq.desc() if newest_first else _c.seq
    rows = connection.execute(select(SCREENINGS).where(*wanted).order_by(order).limit(limit))
    found = []
    for row in rows.mappings():
        values = dict(row)
        values["request"] = json.loads(row["request"])
        values["summary"] = json.loads(row["summary"]) if row["summary"] else None
        values["problems"] = json.loads(row["problems"]) if row["problems"] else []
        found.append(Job(**values))
    return found
