"""The calendar as tables against the calendar day by day."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eligibility.calendars import Deductions, add_months
from eligibility.docket.days import FIRST, LAST, DayTables
from eligibility.rulefiles import load_rules
from eligibility.vocabulary.values import FIRST_DAY, LAST_DAY


@pytest.fixture(scope="module")
def tables() -> DayTables:
    return DayTables(load_rules().calendar)


@pytest.mark.parametrize("months", [1, 3, 6, 12])
def test_months_are_added_as_to_one_date(tables: DayTables, months: int) -> None:
    days = np.arange(FIRST_DAY.toordinal(), LAST_DAY.toordinal() + 1)
    expected = [add_months(date.fromordinal(d), months).toordinal() for d in days.tolist()]
    assert tables.add_months(days, months).tolist() == expected


def test_days_move_to_working_days_as_one_date_does(tables: DayTables) -> None:
    calendar = load_rules().calendar
    days = np.arange(FIRST, LAST + 1)
    expected = [calendar.roll_forward(date.fromordinal(d))[0].toordinal() for d in days.tolist()]
    assert tables.roll_forward(days).tolist() == expected


within = st.dates(FIRST_DAY, LAST_DAY)


@given(start=within, end=within)
def test_full_months_are_those_of_one_period(tables: DayTables, start: date, end: date) -> None:
    """INVARIANT: the greatest number of months whose expiry is not after the end."""
    start, end = min(start, end), max(start, end)
    days = (np.array([d.toordinal()]) for d in (start, end))
    assert tables.months_between(*days).tolist() == [Deductions((), ()).full_months(start, end)]


@given(start=within, months=st.integers(0, 40), moved=st.integers(-1, 1))
def test_full_months_turn_on_the_day_of_the_same_number(
    tables: DayTables, start: date, months: int, moved: int
) -> None:
    last = add_months(start, months).toordinal() + moved
    if last < start.toordinal() or last > LAST:
        return
    found = tables.months_between(np.array([start.toordinal()]), np.array([last]))
    expected = Deductions((), ()).full_months(start, date.fromordinal(last))
    assert found.tolist() == [expected]


def test_a_day_outside_the_tables_is_said_to_be(tables: DayTables) -> None:
    days = np.array([FIRST - 1, FIRST, LAST, LAST + 1, 0])
    assert tables.outside(days).tolist() == [True, False, False, True, True]
