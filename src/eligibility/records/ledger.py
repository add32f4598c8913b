"""The follow-up ledger (后续事项台账): who owes what by when, and how it stands on a day.

Its rows are computed from decisions and events, and replaced case by case. How a duty stands
is not stored, as it changes from day to day: it is asked for with the day.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, fields, replace
from datetime import date, datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, case, delete, insert, or_, select

from eligibility.decision.due import Course, State, state
from eligibility.errors import NotFound, Problem, Text
from eligibility.records.database import lock_case
from eligibility.records.scope import Courts, own_cases
from eligibility.records.sealing_key import DataKey, packed
from eligibility.records.tables import DECISIONS, DUTIES, PROJECTIONS


@dataclass(frozen=True, slots=True)
class DutyRow:
    """One duty of a case.

    ``due`` is the last day on which it is done in time; ``done_on`` and ``ended_on`` are the
    days on which it was fulfilled or fell away, ``lapses_on`` the first day on which it counts
    as lapsed. ``moving``: its dates still depend on the day they are computed for. ``body``
    is JSON for whoever reads it.
    """

    id: str
    case_key: str
    case_no: str | None
    rule: str
    duty: str
    role: str
    court_id: str | None
    starts_on: date | None
    due: date | None
    done_on: date | None
    ended_on: date | None
    lapses_on: date | None
    moving: bool
    decision_id: str
    body: str

    def columns(self) -> dict[str, Any]:
        """Its values by column."""
        return {name: getattr(self, name) for name in self.__slots__}


def sealed(row: DutyRow, key: DataKey | None) -> DutyRow:
    """A duty as it is kept: its body sealed by the key of its case, where there is one."""
    return row if key is None else replace(row, body=key.seal(place(row), packed(row.body)))


def place(row: DutyRow) -> str:
    """Where the body of a duty is kept, for sealing."""
    return f"duties.body:{row.id}"


class Cursor(NamedTuple):
    """The place of a row in the order of the ledger; :func:`search` goes on after it."""

    due: date | None
    case_key: str
    id: str


@dataclass(frozen=True, slots=True)
class Projection:
    """When the rows of a case were computed, and by which rule base."""

    case_key: str
    projected_at: datetime
    digest: str


def cursor_of(row: DutyRow) -> Cursor:
    return Cursor(row.due, row.case_key, row.id)


def state_on(row: DutyRow, as_of: date) -> State:
    """How a duty stands on a day."""
    # INVARIANT: the same as _state in SQL
    course = Course(row.starts_on, row.due, row.done_on, row.ended_on, row.lapses_on)
    return state(course, as_of)


def _state(as_of: date) -> ColumnElement[str]:
    """:func:`state_on` in SQL, where a comparison with nothing does not hold."""
    c = DUTIES.c
    return case(
        (or_(c.starts_on.is_(None), c.starts_on > as_of), "waiting"),
        (and_(c.done_on <= as_of, c.done_on > c.due), "done_late"),
        (c.done_on <= as_of, "done"),
        (c.due.is_(None), "waiting"),
        (c.ended_on <= as_of, "ended"),
        (c.due >= as_of, "open"),
        (c.lapses_on <= as_of, "lapsed"),
        else_="overdue",
    )


def replace_case(
    connection: Connection, case_key: str, rows: Iterable[DutyRow], now: datetime, digest: str
) -> None:
    """Put these rows in the place of those of a case, and mark what they were computed by.

    Raises :class:`ValueError` if a row belongs to another case.
    """
    values = [row.columns() for row in rows]
    if any(value["case_key"] != case_key for value in values):
        raise ValueError(f"a row of another case than {case_key}")
    lock_case(connection, case_key)
    for table in (DUTIES, PROJECTIONS):
        connection.execute(delete(table).where(table.c.case_key == case_key))
    if values:
        connection.execute(insert(DUTIES), values)
    connection.execute(insert(PROJECTIONS).values(mark(case_key, now, digest)))


def mark(case_key: str, now: datetime, digest: str) -> dict[str, Any]:
    """What says when, and by which rule base, the rows of a case were computed."""
    return {"case_key": case_key, "projected_at": now, "digest": digest}


def search(
    connection: Connection,
    as_of: date,
    *,
    court_id: str | None = None,
    case_no: str | None = None,
    case_key: str | None = None,
    states: Collection[State] | None = None,
    rule: str | None = None,
    due_before: date | None = None,
    after: Cursor | None = None,
    within: Courts = None,
    limit: int,
) -> list[tuple[DutyRow, State]]:
    """Duties with how they stand on ``as_of``, by due date (none: last), case and id.

    ``due_before`` leaves out that day itself and duties without a date. Rows that are
    ``moving`` are as they were computed: see :func:`moving_cases`. ``within``: only what a
    caller limited to these courts sees: the duties of its cases, and those that it owes.
    """
    c = DUTIES.c
    stands = _state(as_of)
    wanted: list[ColumnElement[bool]] = []
    if court_id is not None:
        wanted.append(c.court_id == court_id)
    if case_no is not None:  # the key is the number, and has an index
        wanted += [c.case_key == case_no, c.case_no == case_no]
    if case_key is not None:
        wanted.append(c.case_key == case_key)
    if states is not None:
        wanted.append(stands.in_(list(states)))
    if rule is not None:
        wanted.append(c.rule == rule)
    if due_before is not None:
        wanted.append(c.due < due_before)
    if after is not None:
        wanted.append(_after(after))
    if within is not None:
        wanted.append(or_(c.court_id.in_(sorted(within)), own_cases(c.case_key, within)))
    statement = (
        select(DUTIES, stands.label("state"))
        .where(*wanted)
        .order_by(c.due.asc().nulls_last(), c.case_key, c.id)
        .limit(limit)
    )
    return [
        (DutyRow(**{f.name: row[f.name] for f in fields(DutyRow)}), row["state"])
        for row in connection.execute(statement).mappings()
    ]


def _after(cursor: Cursor) -> ColumnElement[bool]:
    c = DUTIES.c
    same_day = or_(
        c.case_key > cursor.case_key, and_(c.case_key == cursor.case_key, c.id > cursor.id)
    )
    if cursor.due is None:
        return and_(c.due.is_(None), same_day)
    return or_(c.due.is_(None), c.due > cursor.due, and_(c.due == cursor.due, same_day))


def moving_cases(connection: Connection, court_id: str | None = None) -> list[str]:
    """The cases with a row that is ``moving`` (of this court), in order.

    They are to be computed again for the day before :func:`search` is asked about it.
    """
    c = DUTIES.c
    wanted: list[ColumnElement[bool]] = [c.moving.is_(True)]
    if court_id is not None:
        wanted.append(c.court_id == court_id)
    keys = select(c.case_key).where(*wanted).distinct().order_by(c.case_key)
    return list(connection.execute(keys).scalars())


def cases_of_court(connection: Connection, court_id: str) -> list[str]:
    """The cases that a decision was made for this court in, or that it has a duty in."""
    decided = select(DECISIONS.c.case_key).where(DECISIONS.c.court_id == court_id)
    owing = select(DUTIES.c.case_key).where(DUTIES.c.court_id == court_id)
    return sorted(connection.execute(decided.union(owing)).scalars())


def find(connection: Connection, duty_id: str) -> DutyRow:
    """One duty. Raises :class:`NotFound` (``unknown_duty``)."""
    row = connection.execute(select(DUTIES).where(DUTIES.c.id == duty_id)).mappings().first()
    if row is None:
        raise unknown(duty_id)
    return DutyRow(**{f.name: row[f.name] for f in fields(DutyRow)})


def unknown(duty_id: str) -> NotFound:
    """What is answered for a duty that does not exist, or not for the one who asks."""
    shown = duty_id[:80]
    text = Text(f"没有义务“{shown}”", f"no duty '{shown}'")
    return NotFound(Problem("unknown_duty", text, "id"))


def cases(connection: Connection) -> list[str]:
    """The cases whose rows were computed, also where there are none, in order."""
    keys = select(PROJECTIONS.c.case_key).order_by(PROJECTIONS.c.case_key)
    return list(connection.execute(keys).scalars())


def projection_of(connection: Connection, case_key: str) -> Projection | None:
    """When and by what the rows of a case were computed; None if never."""
    row = (
        connection.execute(select(PROJECTIONS).where(PROJECTIONS.c.case_key == case_key))
        .mappings()
        .first()
    )
    return None if row is None else Projection(**row)
