"""Which cases a court may see: its own.

A case is of the courts that its decisions name as executing courts (``court_id``). A caller
limited to courts sees a case if every one of them is among those; a case of which a decision
names no court, and one that has events but no decision yet, is seen without limits only.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, and_, exists, literal, or_, select

from eligibility.records.tables import DECISIONS, EVENTS, KEY

Courts = frozenset[str] | None
"""Ids of the courts that a caller is limited to; None: no limit."""


def own_cases(case_key: ColumnElement[str], courts: frozenset[str]) -> ColumnElement[bool]:
    """In SQL: whether the case of this key is of these courts."""
    # INVARIANT: no decision of a case seen through this names a court outside ``courts``
    made = DECISIONS.alias("of_case")
    same = made.c.case_key == case_key
    other = or_(made.c.court_id.is_(None), made.c.court_id.not_in(sorted(courts)))
    return and_(exists().where(same), ~exists().where(same, other))


def sees(connection: Connection, case_key: str, courts: Courts) -> bool:
    """Whether a caller limited to ``courts`` may see the case."""
    if courts is None:
        return True
    key = literal(case_key, KEY)
    return bool(connection.execute(select(own_cases(key, courts))).scalar())


def is_new(connection: Connection, case_key: str) -> bool:
    """Whether nothing of the case is on record: neither a decision nor an event."""
    on_record = or_(
        *(exists().where(table.c.case_key == case_key) for table in (DECISIONS, EVENTS))
    )
    return not connection.execute(select(on_record)).scalar()
