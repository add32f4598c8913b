"""Something to record: made up, except where a test says otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from eligibility.records import decisions, rulebases
from eligibility.records.database import Database
from eligibility.records.ledger import DutyRow
from eligibility.records.seals import LogKey
from rulebase.rulebases import base_rulebase, base_texts

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
DAY = date(2026, 1, 2)
CASE = "（2024）苏0902执1号"
KEY = LogKey("a key of the tests, long enough to be one")


@contextmanager
def undone(database: Database) -> Iterator[Connection]:
    """A transaction of which nothing is kept."""
    with database.begin() as connection:
        yield connection
        connection.rollback()


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def keep_base(connection: Connection) -> str:
    """The small rule base of the tests, kept; its digest."""
    rulebases.keep(connection, base_rulebase(), base_texts(), NOW)
    return base_rulebase().digest


def record(connection: Connection, **given: Any) -> str:
    """A decision by the small rule base, which must be kept."""
    values: dict[str, Any] = {
        "case_no": CASE,
        "court_id": "yancheng",
        "profile": "national",
        "as_of": DAY,
        "channel": None,
        "outcome": "eligible",
        "digest": base_rulebase().digest,
        "engine": "native",
        "request": '{"case": {}}',
        "body": '{"outcome": "eligible"}',
        "now": NOW,
    }
    return decisions.record(connection, **(values | given))


def duty_row(**given: Any) -> DutyRow:
    values: dict[str, Any] = {
        "id": "d1",
        "case_key": CASE,
        "case_no": CASE,
        "rule": "XR-01",
        "duty": "notify",
        "role": "executing_court",
        "court_id": "yancheng",
        "starts_on": None,
        "due": None,
        "done_on": None,
        "ended_on": None,
        "lapses_on": None,
        "moving": False,
        "decision_id": "x",
        "body": "{}",
    }
    return DutyRow(**(values | given))
