"""Clocks checked by hand, and against counting day by day."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eligibility.calendars import (
    STATUTORY_KINDS,
    STAY_KINDS,
    Deductions,
    Interval,
    MovedDay,
    WorkingCalendar,
    add_months,
    effective_intervals,
    full_months,
    run_clock,
    urge_expiry,
)

DAY = timedelta(days=1)
RECEIVED = date(2024, 1, 15)
CALENDAR = WorkingCalendar.from_data(
    {
        2023: {"closed": ["2023-10-02", "2023-10-03"], "working": ["2023-10-07"]},
        2024: {
            "closed": [date(2024, 9, 15), date(2024, 9, 16), date(2024, 9, 17)],
            "working": [date(2024, 9, 14)],
        },
    }
)
APPRAISAL = Interval("appraisal", date(2024, 3, 1), date(2024, 4, 10), "评1")
SUSPENSION = Interval("suspension", date(2024, 4, 1), date(2024, 5, 1), "中1", index=1)
DEFERRAL = Interval("deferral", date(2024, 3, 1), None, "暂1")

days = st.dates(date(2023, 1, 1), date(2025, 6, 30))
papers = st.sampled_from(["一号", "二号", "一号", None, "", " "])
kinds_in_use = st.sampled_from(["suspension", "deferral", "appraisal", "auction_notice"])
closed_intervals = st.builds(
    lambda kind, start, length, paper: Interval(kind, start, start + timedelta(days=length), paper),
    kinds_in_use,
    days,
    st.integers(0, 150),
    papers,
)
open_intervals = st.builds(
    lambda kind, start, paper, stated, guarantee: Interval(
        kind, start, None, paper, stated and start + timedelta(days=stated), guarantee
    ),
    kinds_in_use,
    days,
    papers,
    st.none() | st.integers(1, 200),
    st.booleans(),
)
records = st.lists(closed_intervals | open_intervals, max_size=5)
months_of = st.integers(1, 12)
calendars = st.sampled_from([None, CALENDAR])


def deducted(day: date, intervals: Sequence[Interval], as_of: date) -> bool:
    """Whether the law leaves ``day`` out, read from the record as a clerk would."""
    for i in intervals:
        end = i.end
        if end is None and i.kind == "deferral":
            end = i.stated_end or add_months(i.start, 12 if i.guarantee else 3)
        documented = bool((i.doc_no or "").strip())
        if i.kind in STATUTORY_KINDS and documented and i.start < day <= min(end or as_of, as_of):
            return True
    return False


def counted_expiry(start: date, months: int, intervals: Sequence[Interval], as_of: date) -> date:
    """The last day of the period, found by ticking off one counted day after the other."""
    left, day = (add_months(start, months) - start).days, start
    while left:
        day += DAY
        left -= not deducted(day, intervals, as_of)
    return day


# --- months ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "months", "end"),
    [
        ("2024-01-15", 6, "2024-07-15"),
        ("2023-08-31", 6, "2024-02-29"),
        ("2022-08-31", 6, "2023-02-28"),
        ("2024-02-29", 12, "2025-02-28"),
        ("2024-12-31", 0, "2024-12-31"),
        ("2024-03-31", -1, "2024-02-29"),
        ("2024-01-10", -1, "2023-12-10"),
    ],
)
def test_a_month_too_short_is_clipped_to_its_end(start: str, months: int, end: str) -> None:
    assert add_months(date.fromisoformat(start), months) == date.fromisoformat(end)


# --- working days ----------------------------------------------------------------------------


def test_weekends_and_holidays_roll_over_and_the_days_are_named() -> None:
    assert CALENDAR.roll_forward(date(2024, 9, 15)) == (
        date(2024, 9, 18),
        tuple(MovedDay(date(2024, 9, d), "holiday") for d in (15, 16, 17)),
    )
    assert CALENDAR.roll_forward(date(2024, 8, 24)) == (
        date(2024, 8, 26),
        (MovedDay(date(2024, 8, 24), "weekend"), MovedDay(date(2024, 8, 25), "weekend")),
    )


def test_an_adjusted_working_weekend_does_not_move() -> None:
    assert CALENDAR.roll_forward(date(2024, 9, 14)) == (date(2024, 9, 14), ())
    assert not WorkingCalendar().is_working_day(date(2024, 9, 14))


def test_a_year_without_a_notice_or_marked_so_is_provisional() -> None:
    calendar = WorkingCalendar.from_data(
        {
            2024: {"closed": [], "working": []},
            2025: {"closed": ["2025-10-01"], "provisional": True},
            2026: ([date(2026, 1, 1)], []),
        }
    )
    assert not calendar.is_provisional(date(2024, 10, 1))
    assert calendar.is_provisional(date(2025, 10, 1))
    assert calendar.is_working_day(date(2025, 10, 1))
    assert not calendar.is_working_day(date(2026, 1, 1))
    assert not calendar.is_provisional(date(2026, 12, 28))
    assert calendar.is_provisional(date(2027, 3, 1))


def test_the_last_days_of_december_wait_for_the_next_notice() -> None:
    """2018-12-31 was closed by the notice for 2019."""
    assert CALENDAR.is_provisional(date(2024, 12, 31))
    assert not CALENDAR.is_provisional(date(2023, 12, 31))


def test_an_expiry_that_rests_on_a_provisional_day_says_so() -> None:
    assert run_clock(date(2024, 7, 1), 6, RECEIVED, (), STATUTORY_KINDS, CALENDAR).provisional
    assert not run_clock(RECEIVED, 6, RECEIVED, (), STATUTORY_KINDS, CALENDAR).provisional
    assert not run_clock(date(2024, 7, 1), 6, RECEIVED, (), STATUTORY_KINDS, None).provisional


def test_a_day_both_closed_and_working_is_refused() -> None:
    with pytest.raises(ValueError, match="2024-09-14"):
        WorkingCalendar.from_data({2024: {"closed": ["2024-09-14"], "working": ["2024-09-14"]}})


def test_working_days_are_counted_from_the_next_day() -> None:
    assert CALENDAR.add_working_days(date(2024, 9, 13), 2) == date(2024, 9, 18)
    assert CALENDAR.add_working_days(date(2024, 9, 15), 0) == date(2024, 9, 15)
    with pytest.raises(ValueError, match="forward"):
        CALENDAR.add_working_days(date(2024, 9, 15), -1)


@given(days, st.integers(1, 40))
def test_the_nth_working_day_has_n_working_days_up_to_it(start: date, n: int) -> None:
    end = CALENDAR.add_working_days(start, n)
    between = [start + DAY * k for k in range(1, (end - start).days + 1)]
    assert CALENDAR.is_working_day(end)
    assert sum(map(CALENDAR.is_working_day, between)) == n


@given(days)
def test_rolling_stops_at_the_first_working_day(day: date) -> None:
    end, passed = CALENDAR.roll_forward(day)
    assert CALENDAR.is_working_day(end)
    assert [p.day for p in passed] == [day + DAY * k for k in range((end - day).days)]
    assert not any(CALENDAR.is_working_day(p.day) for p in passed)


def test_a_calendar_survives_the_way_to_another_process() -> None:
    copy = pickle.loads(pickle.dumps(CALENDAR))
    assert copy.roll_forward(date(2024, 9, 15)) == CALENDAR.roll_forward(date(2024, 9, 15))


# --- clocks by hand --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "intervals", "deducted_days", "nominal", "expires"),
    [
        pytest.param("2024-01-15", [], 0, "2024-07-15", "2024-07-15", id="B-01"),
        pytest.param("2023-08-31", [], 0, "2024-02-29", "2024-02-29", id="B-02"),
        pytest.param("2024-01-15", [APPRAISAL], 40, "2024-08-24", "2024-08-26", id="B-03"),
        pytest.param(
            "2024-01-15", [APPRAISAL, SUSPENSION], 61, "2024-09-14", "2024-09-14", id="B-04"
        ),
        pytest.param(
            "2024-01-15",
            [replace(APPRAISAL, doc_no=None)],
            0,
            "2024-07-15",
            "2024-07-15",
            id="B-05",
        ),
        pytest.param("2024-01-15", [DEFERRAL], 92, "2024-10-15", "2024-10-15", id="B-06"),
        pytest.param("2024-03-01", [], 0, "2024-09-01", "2024-09-02", id="B-07"),
    ],
)
def test_boundary_cases(
    start: str, intervals: list[Interval], deducted_days: int, nominal: str, expires: str
) -> None:
    """Whatever the day on which they are read after the fact, and to the day (超过)."""
    last = date.fromisoformat(expires)
    on, after = (
        run_clock(date.fromisoformat(start), 6, day, intervals, STATUTORY_KINDS, CALENDAR)
        for day in (last, last + DAY)
    )
    assert (on.deducted_days, on.nominal.isoformat(), on.expires) == (deducted_days, nominal, last)
    assert (on.exceeded, on.flips_on) == (False, last + DAY)
    assert (after.exceeded, after.flips_on) == (True, None)


def test_without_roll_over_the_nominal_day_counts() -> None:
    """B-03 with holiday_rollover off."""
    result = run_clock(RECEIVED, 6, date(2024, 8, 25), [APPRAISAL], STATUTORY_KINDS, None)
    assert (result.expires, result.exceeded) == (date(2024, 8, 24), True)


@pytest.mark.parametrize("kind", ["auction_notice", "objection_review", "extension", "other"])
def test_kinds_outside_the_closed_list_are_not_deducted(kind: str) -> None:
    """B-23, B-30, B-31; an auction notice counts only where a policy adds its kind."""
    stay = replace(APPRAISAL, kind=kind)
    as_of = date(2024, 7, 16)
    assert run_clock(RECEIVED, 6, as_of, [stay], STATUTORY_KINDS, CALENDAR).exceeded
    assert not run_clock(RECEIVED, 6, as_of, [stay], STATUTORY_KINDS | {kind}, CALENDAR).exceeded


def test_the_trail_says_what_each_interval_took() -> None:
    late = Interval("appraisal", date(2024, 10, 8), date(2024, 10, 20), "评2", index=2)
    as_of = date(2024, 11, 1)
    found = run_clock(RECEIVED, 6, as_of, [late, SUSPENSION, APPRAISAL], STATUTORY_KINDS, CALENDAR)
    assert [(i.index, i.start, i.end, i.days, i.capped) for i in found.intervals] == [
        (0, date(2024, 3, 1), date(2024, 4, 10), 40, False),
        (1, date(2024, 4, 1), date(2024, 5, 1), 21, False),
        (2, date(2024, 10, 8), date(2024, 10, 20), 0, False),
    ]


def test_an_interval_is_cut_to_the_window_of_the_clock() -> None:
    result = run_clock(
        date(2024, 3, 20), 6, date(2024, 4, 1), [APPRAISAL], STATUTORY_KINDS, CALENDAR
    )
    (part,) = result.intervals
    assert (part.start, part.end, part.days) == (date(2024, 3, 20), date(2024, 4, 1), 12)
    assert result.flips_on == date(2024, 10, 12)  # 09-20 and the 21 days to 04-10


@pytest.mark.parametrize(
    ("stay", "end"),
    [
        (DEFERRAL, date(2024, 6, 1)),
        (replace(DEFERRAL, guarantee=True), date(2025, 3, 1)),
        (replace(DEFERRAL, stated_end=date(2024, 4, 1)), date(2024, 4, 1)),
    ],
)
def test_an_open_deferral_is_ended_by_the_law(stay: Interval, end: date) -> None:
    """执行工作规定77, 执行担保规定10."""
    (running,) = effective_intervals([stay], end, STATUTORY_KINDS)
    (ended,) = effective_intervals([stay], end + DAY, STATUTORY_KINDS)
    assert (running.end, running.capped) == (end, False)
    assert (ended.end, ended.capped) == (end, True)


def test_an_open_suspension_stops_the_clock_for_as_long_as_it_lasts() -> None:
    stay = replace(SUSPENSION, end=None)
    result = run_clock(RECEIVED, 6, date(2030, 1, 1), [stay], STATUTORY_KINDS, CALENDAR)
    assert (result.exceeded, result.flips_on) == (False, None)


def test_a_day_still_to_come_of_a_known_interval_puts_off_the_flip() -> None:
    result = run_clock(RECEIVED, 6, date(2024, 4, 9), [APPRAISAL], STATUTORY_KINDS, None)
    assert (result.deducted_days, result.flips_on) == (39, date(2024, 8, 25))


def test_what_begins_on_the_last_day_comes_too_late() -> None:
    stay = Interval("suspension", date(2024, 7, 15), None, "中2")
    result = run_clock(RECEIVED, 6, date(2024, 7, 15), [stay], STATUTORY_KINDS, CALENDAR)
    assert result.flips_on == date(2024, 7, 16)


# --- clocks as such --------------------------------------------------------------------------


@given(days, months_of, records, days, calendars)
def test_the_expiry_is_that_of_counting_day_by_day(
    start: date, months: int, stays: list[Interval], as_of: date, calendar: WorkingCalendar | None
) -> None:
    """INVARIANT: one sweep is the fixpoint."""
    result = run_clock(start, months, as_of, stays, STATUTORY_KINDS, calendar)
    assert result.nominal == counted_expiry(start, months, stays, as_of)
    assert result.deducted_days == (result.nominal - result.base).days
    assert result.deducted_days == sum(i.days for i in result.intervals)
    assert result.expires == (
        calendar.roll_forward(result.nominal)[0] if calendar else result.nominal
    )
    assert result.exceeded == (as_of > result.expires)
    assert result.exceeded == Deductions(stays, STATUTORY_KINDS).exceeded(
        start, months, as_of, calendar
    )


@given(days, months_of, records, days, st.integers(1, 400), calendars)
def test_time_only_moves_forward(
    start: date,
    months: int,
    stays: list[Interval],
    as_of: date,
    later: int,
    calendar: WorkingCalendar | None,
) -> None:
    """INVARIANT: counted time never decreases and what is exceeded stays exceeded."""
    ready = Deductions(stays, STATUTORY_KINDS)
    now, then = (ready.clock(start, months, day, calendar) for day in (as_of, as_of + DAY * later))
    assert now.nominal <= then.nominal
    assert now.exceeded <= then.exceeded
    assert full_months(start, as_of, stays, STATUTORY_KINDS) <= full_months(
        start, as_of + DAY * later, stays, STATUTORY_KINDS
    )


@given(days, months_of, records, days, st.integers(0, 800), calendars)
def test_the_day_of_the_flip_is_the_first_on_which_it_is_exceeded(
    start: date,
    months: int,
    stays: list[Interval],
    as_of: date,
    later: int,
    calendar: WorkingCalendar | None,
) -> None:
    ready = Deductions(stays, STATUTORY_KINDS)
    now = ready.clock(start, months, as_of, calendar)
    day = as_of + DAY * later
    flipped = now.exceeded or (now.flips_on is not None and day >= now.flips_on)
    assert ready.exceeded(start, months, day, calendar) == flipped


@given(days, months_of, records, days, st.randoms(use_true_random=False))
def test_the_order_of_the_record_is_irrelevant(
    start: date, months: int, stays: list[Interval], as_of: date, chance: object
) -> None:
    numbered = [replace(stay, index=n) for n, stay in enumerate(stays)]
    mixed = list(numbered)
    chance.shuffle(mixed)  # type: ignore[attr-defined]
    assert run_clock(start, months, as_of, mixed, STATUTORY_KINDS, CALENDAR) == run_clock(
        start, months, as_of, numbered, STATUTORY_KINDS, CALENDAR
    )


@given(days, months_of, records, closed_intervals, st.integers(0, 150), days)
def test_an_interval_cut_in_two_counts_as_before(
    start: date, months: int, stays: list[Interval], stay: Interval, cut: int, as_of: date
) -> None:
    assert stay.end is not None
    middle = min(stay.start + DAY * cut, stay.end)
    parts = [replace(stay, end=middle), replace(stay, start=middle)]
    whole, halves = (
        run_clock(start, months, as_of, [*stays, *some], STATUTORY_KINDS, CALENDAR)
        for some in ([stay], parts)
    )
    assert replace(whole, intervals=()) == replace(halves, intervals=())


@given(records, days)
def test_effective_intervals_add_up_to_the_union(stays: list[Interval], as_of: date) -> None:
    first = date(2022, 12, 31)
    window = [first + DAY * n for n in range((as_of - first).days + 1)]
    union = sum(deducted(day, stays, as_of) for day in window)
    assert sum(i.days for i in effective_intervals(stays, as_of, STATUTORY_KINDS)) == union


# --- months counted --------------------------------------------------------------------------


def test_six_months_or_more_is_a_day_earlier_than_over_six_months() -> None:
    """B-20: 以上 includes the day itself, 超过 does not."""
    start, day = date(2024, 1, 10), date(2024, 7, 10)
    assert full_months(start, day, (), STATUTORY_KINDS) == 6
    assert full_months(start, day, (), STATUTORY_KINDS, inclusive=False) == 5
    assert full_months(start, day + DAY, (), STATUTORY_KINDS, inclusive=False) == 6
    assert full_months(day, start, (), STATUTORY_KINDS) == 0


@given(days, st.integers(0, 900), records, st.booleans())
def test_full_months_agree_with_trying_each_number(
    start: date, length: int, stays: list[Interval], inclusive: bool
) -> None:
    end = start + DAY * length
    months = 0
    while True:
        expiry = counted_expiry(start, months + 1, stays, end)
        if expiry > end or (expiry == end and not inclusive):
            break
        months += 1
    assert full_months(start, end, stays, STATUTORY_KINDS, inclusive) == months


# --- the term of an urge order ---------------------------------------------------------------

ORDER, DEADLINE, READ = date(2024, 8, 1), date(2024, 9, 30), date(2024, 12, 1)
STAY = Interval("suspension", date(2024, 9, 10), date(2024, 9, 25), "中3")


@pytest.mark.parametrize(
    ("stays", "expiry"),
    [
        ([], "2024-09-30"),
        ([STAY], "2024-10-15"),
        ([STAY, replace(STAY, kind="deferral", end=date(2024, 9, 30))], "2024-10-20"),
        ([replace(STAY, doc_no=" ")], "2024-09-30"),
        ([replace(STAY, kind="appraisal")], "2024-09-30"),
        ([replace(STAY, start=date(2024, 7, 31))], "2024-09-30"),
        ([replace(STAY, start=ORDER)], "2024-11-24"),
        ([replace(STAY, start=DEADLINE, end=date(2024, 10, 10))], "2024-10-10"),
        ([replace(STAY, start=DEADLINE + DAY, end=date(2024, 10, 10))], "2024-09-30"),
        ([replace(STAY, end=None)], "2024-12-21"),
    ],
)
def test_stays_that_began_under_an_urge_order_lengthen_it(
    stays: list[Interval], expiry: str
) -> None:
    """B-28: documented suspensions and deferrals, once, from the day they began."""
    assert urge_expiry(ORDER, DEADLINE, stays, READ) == date.fromisoformat(expiry)


def test_an_order_of_unknown_date_takes_every_earlier_stay() -> None:
    stay = replace(STAY, start=date(2024, 7, 31))
    assert urge_expiry(None, DEADLINE, [stay], READ) == DEADLINE + DAY * 56


@given(records, days, st.integers(1, 300))
def test_a_lapsed_order_stays_lapsed(stays: list[Interval], as_of: date, later: int) -> None:
    now, then = (urge_expiry(ORDER, DEADLINE, stays, d) for d in (as_of, as_of + DAY * later))
    assert now <= then
    assert (as_of > now) <= (as_of + DAY * later > then)
    union = sum(i.days for i in effective_intervals(stays, as_of, STAY_KINDS))
    assert DEADLINE <= now <= DEADLINE + DAY * union
