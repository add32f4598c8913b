"""The ledger: rows replaced case by case, and how they stand on a day."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from eligibility.decision.due import STATES, State
from eligibility.errors import NotFound
from eligibility.records import ledger
from eligibility.records.database import Database
from eligibility.records.ledger import DutyRow, cursor_of, state_on
from records.samples import CASE, DAY, NOW, duty_row, later, undone

DIGEST = "sha256:x"
DAYS = st.integers(-3, 3).map(lambda n: DAY + timedelta(days=n))
SOME_DAY = st.none() | DAYS
ROWS = st.builds(
    duty_row,
    id=st.text("aZ一𠀀", min_size=1, max_size=3),
    case_key=st.sampled_from(["A", "a", "（2024）", "𠀀"]),
    court_id=st.sampled_from([None, "c1", "c2"]),
    rule=st.sampled_from(["XR-01", "XR-02"]),
    starts_on=SOME_DAY,
    due=SOME_DAY,
    done_on=SOME_DAY,
    ended_on=SOME_DAY,
    lapses_on=SOME_DAY,
    moving=st.booleans(),
)
LEDGERS = st.lists(ROWS, max_size=12, unique_by=lambda row: row.id)


def fill(connection: Connection, rows: list[DutyRow]) -> None:
    for case_key in {row.case_key for row in rows}:
        own = [row for row in rows if row.case_key == case_key]
        ledger.replace_case(connection, case_key, own, NOW, DIGEST)


def place(row: DutyRow) -> tuple[bool, date, str, str]:
    return row.due is None, row.due or date.max, row.case_key, row.id


# INVARIANT: the same as _state in SQL
@given(LEDGERS, DAYS)
def test_rows_stand_in_sql_as_they_do_in_python(
    shared: Database, rows: list[DutyRow], as_of: date
) -> None:
    with undone(shared) as connection:
        fill(connection, rows)
        found = ledger.search(connection, as_of, limit=100)
    assert found == [(row, state_on(row, as_of)) for row in sorted(rows, key=place)]


@given(
    LEDGERS,
    DAYS,
    st.none() | st.sets(st.sampled_from(STATES)),
    st.sampled_from([None, "c1", "c3"]),
    st.sampled_from([None, "A", "（2024）"]),
    st.sampled_from([None, "XR-02"]),
    SOME_DAY,
)
def test_rows_are_found_by_what_they_are(
    shared: Database,
    rows: list[DutyRow],
    as_of: date,
    states: set[State] | None,
    court_id: str | None,
    case_key: str | None,
    rule: str | None,
    due_before: date | None,
) -> None:
    expected = [
        (row, state_on(row, as_of))
        for row in sorted(rows, key=place)
        if (states is None or state_on(row, as_of) in states)
        and court_id in (None, row.court_id)
        and case_key in (None, row.case_key)
        and rule in (None, row.rule)
        and (due_before is None or (row.due is not None and row.due < due_before))
    ]
    with undone(shared) as connection:
        fill(connection, rows)
        found = ledger.search(
            connection,
            as_of,
            states=states,
            court_id=court_id,
            case_key=case_key,
            rule=rule,
            due_before=due_before,
            limit=100,
        )
    assert found == expected


# INVARIANT: pages put together are the whole.
@given(LEDGERS, DAYS, st.integers(1, 5))
def test_pages_are_the_whole(shared: Database, rows: list[DutyRow], as_of: date, size: int) -> None:
    with undone(shared) as connection:
        fill(connection, rows)
        pages: list[tuple[DutyRow, State]] = []
        after = None
        while page := ledger.search(connection, as_of, after=after, limit=size):
            assert len(page) <= size
            pages += page
            after = cursor_of(page[-1][0])
        assert pages == ledger.search(connection, as_of, limit=100)


def day(n: int) -> date:
    return DAY + timedelta(days=n)


@pytest.mark.parametrize(
    ("given", "as_of", "state"),
    [
        ({}, 0, "waiting"),
        ({"starts_on": day(0)}, 0, "waiting"),
        ({"due": day(5)}, 0, "waiting"),
        ({"starts_on": day(1), "due": day(5)}, 0, "waiting"),
        ({"starts_on": day(1), "due": day(5), "done_on": day(-1)}, 0, "waiting"),
        ({"starts_on": day(0), "due": day(5)}, 0, "open"),
        ({"starts_on": day(0), "due": day(5)}, 5, "open"),
        ({"starts_on": day(0), "due": day(5)}, 6, "overdue"),
        ({"starts_on": day(0), "due": day(5), "lapses_on": day(8)}, 7, "overdue"),
        ({"starts_on": day(0), "due": day(5), "lapses_on": day(8)}, 8, "lapsed"),
        ({"starts_on": day(0), "due": day(5), "done_on": day(5)}, 4, "open"),
        ({"starts_on": day(0), "due": day(5), "done_on": day(5)}, 5, "done"),
        ({"starts_on": day(0), "due": day(5), "done_on": day(5)}, 9, "done"),
        ({"starts_on": day(0), "due": day(5), "done_on": day(7)}, 6, "overdue"),
        ({"starts_on": day(0), "due": day(5), "done_on": day(7)}, 7, "done_late"),
        ({"starts_on": day(0), "due": day(5), "ended_on": day(3)}, 2, "open"),
        ({"starts_on": day(0), "due": day(5), "ended_on": day(3)}, 3, "ended"),
        ({"starts_on": day(0), "due": day(5), "ended_on": day(3), "done_on": day(3)}, 3, "done"),
        ({"starts_on": day(0), "due": day(5), "ended_on": day(3), "done_on": day(4)}, 3, "ended"),
        ({"starts_on": day(0), "done_on": day(3)}, 2, "waiting"),
        ({"starts_on": day(0), "done_on": day(3)}, 3, "done"),
    ],
)
def test_states(given: dict[str, Any], as_of: int, state: State) -> None:
    assert state_on(duty_row(**given), day(as_of)) == state


def test_the_rows_of_a_case_are_replaced(database: Database) -> None:
    other = duty_row(id="o", case_key="other", case_no="other")
    with database.begin() as connection:
        ledger.replace_case(connection, "other", [other], NOW, DIGEST)
        ledger.replace_case(connection, CASE, [duty_row(), duty_row(id="d2")], NOW, DIGEST)
    with database.begin() as connection:
        changed = duty_row(id="d2", due=DAY)
        ledger.replace_case(connection, CASE, iter([changed]), later(1), "sha256:y")
    with database.read() as connection:
        found = ledger.search(connection, DAY, limit=10)
        assert [row for row, _ in found] == [changed, other]
        assert ledger.search(connection, DAY, case_no="other", limit=10) == [(other, "waiting")]
        assert ledger.cases(connection) == ["other", CASE]
        assert ledger.projection_of(connection, CASE) == ledger.Projection(
            CASE, later(1), "sha256:y"
        )
        assert ledger.projection_of(connection, "none") is None


def test_a_case_may_have_no_rows(database: Database) -> None:
    with database.begin() as connection:
        ledger.replace_case(connection, CASE, [duty_row()], NOW, DIGEST)
        ledger.replace_case(connection, CASE, [], NOW, DIGEST)
        assert ledger.search(connection, DAY, limit=10) == []
        assert ledger.cases(connection) == [CASE]


def test_a_replacement_that_fails_changes_nothing(database: Database) -> None:
    with database.begin() as connection:
        ledger.replace_case(connection, CASE, [duty_row()], NOW, DIGEST)
    for rows, error in (
        ([duty_row(id="d2"), duty_row(case_key="other")], ValueError),
        ([duty_row(id="d2"), duty_row(id="d2")], IntegrityError),
    ):
        with pytest.raises(error), database.begin() as connection:
            ledger.replace_case(connection, CASE, rows, later(1), DIGEST)
    with database.read() as connection:
        assert ledger.search(connection, DAY, limit=10) == [(duty_row(), "waiting")]


def test_cases_that_move(database: Database) -> None:
    with database.begin() as connection:
        for case_key, court_id, moving in (
            ("1", "a", [False, True, True]),
            ("2", "a", [False]),
            ("3", "b", [True]),
        ):
            rows = [
                duty_row(id=f"{case_key}{i}", case_key=case_key, court_id=court_id, moving=moves)
                for i, moves in enumerate(moving)
            ]
            ledger.replace_case(connection, case_key, rows, NOW, DIGEST)
        assert ledger.moving_cases(connection) == ["1", "3"]
        assert ledger.moving_cases(connection, "a") == ["1"]
        assert ledger.moving_cases(connection, "c") == []


def test_one_duty(database: Database) -> None:
    row = duty_row(due=DAY, moving=True)
    with database.begin() as connection:
        ledger.replace_case(connection, CASE, [row], NOW, DIGEST)
        assert ledger.find(connection, row.id) == row
        with pytest.raises(NotFound) as caught:
            ledger.find(connection, "nothing")
    assert caught.value.code == "unknown_duty"
