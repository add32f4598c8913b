"""Periods of supervision: one text for one span of whole months."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eligibility.courts.periods import FORMS, Period, parse_period
from eligibility.errors import FactsError

MONTHS = st.tuples(st.integers(1949, 2199), st.integers(1, 12))


@st.composite
def periods(draw: st.DrawFn) -> Period:
    (year, month), (last_year, last_month) = sorted([draw(MONTHS), draw(MONTHS)])
    after = date(last_year + last_month // 12, last_month % 12 + 1, 1)
    return Period(date(year, month, 1), after - timedelta(days=1))


@pytest.mark.parametrize(
    ("text", "first", "last", "kind", "label"),
    [
        ("2025Q1", date(2025, 1, 1), date(2025, 3, 31), "quarter", "2025年第1季度"),
        ("2025Q4", date(2025, 10, 1), date(2025, 12, 31), "quarter", "2025年第4季度"),
        ("2025-03", date(2025, 3, 1), date(2025, 3, 31), "month", "2025年3月"),
        ("2024-02", date(2024, 2, 1), date(2024, 2, 29), "month", "2024年2月"),
        ("2025", date(2025, 1, 1), date(2025, 12, 31), "year", "2025年"),
        ("2023-01/2025-09", date(2023, 1, 1), date(2025, 9, 30), "span", "2023年1月至2025年9月"),
        ("2025-02/2025-04", date(2025, 2, 1), date(2025, 4, 30), "span", "2025年2月至2025年4月"),
    ],
)
def test_first_and_last_day(text: str, first: date, last: date, kind: str, label: str) -> None:
    period = parse_period(text)
    assert (period.first, period.last, period.kind) == (first, last, kind)
    assert period.label.zh == label
    assert str(period) == text


@pytest.mark.parametrize(
    ("text", "same"),
    [("2025-01/2025-03", "2025Q1"), ("2025-01/2025-12", "2025"), ("2025-05/2025-05", "2025-05")],
)
def test_one_period_has_one_text(text: str, same: str) -> None:
    assert parse_period(text) == parse_period(same)
    assert str(parse_period(text)) == same


@given(periods())
def test_text_and_back(period: Period) -> None:
    assert parse_period(str(period)) == period


@given(periods(), st.integers(-40, 40))
def test_covers_from_the_first_to_the_last_day(period: Period, days: int) -> None:
    day = period.last + timedelta(days=days)
    assert period.covers(day) == (days <= 0 and period.first <= day)
    assert period.covers(period.first)
    assert period.months == len({(d.year, d.month) for d in _days(period)})


def _days(period: Period) -> list[date]:
    """The first of each month, found by walking."""
    out, day = [], period.first
    while day <= period.last:
        out.append(day)
        day = (day + timedelta(days=31)).replace(day=1)
    return out


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2025Q5",
        "2025Q0",
        "2025-13",
        "2025-00",
        "2025-3",
        "25Q1",
        "2025-03-01",
        "2025-09/2025-01",
        "2025-13/2026-01",
        "1948",
        "2200Q1",
        "2025\n",
        "٢٠٢٥",
        "上季度",
        "2025Q1" * 100,
        None,
        True,
        ["2025"],
        "\ud800",
    ],
)
def test_what_is_no_period_is_told(text: object) -> None:
    with pytest.raises(FactsError) as error:
        parse_period(text, "query.period")
    (problem,) = error.value.problems
    assert (problem.code, problem.place) == ("bad_period", "query.period")
    assert problem.allowed == FORMS
    assert len(problem.line().encode("utf-8")) < 500


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2025q1", "2025Q1"),
        ("2025-Q1", "2025Q1"),
        ("２０２５Ｑ１", "2025Q1"),
        (" 2025-03", "2025-03"),
        (2025, '"2025"'),
    ],
)
def test_a_slip_is_told_and_not_taken(text: object, meant: str) -> None:
    with pytest.raises(FactsError) as error:
        parse_period(text)
    hint = error.value.problems[0].hint
    assert hint is not None
    assert meant in hint.zh
    assert meant in hint.en


@pytest.mark.parametrize(
    ("first", "last"),
    [
        (date(2025, 1, 2), date(2025, 1, 31)),
        (date(2025, 1, 1), date(2025, 1, 30)),
        (date(2025, 2, 1), date(2025, 1, 31)),
    ],
)
def test_only_whole_months_are_a_period(first: date, last: date) -> None:
    with pytest.raises(FactsError) as error:
        Period(first, last)
    assert error.value.code == "bad_period"
