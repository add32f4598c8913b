"""Due dates: days, working days, months; what moves them; how a duty stands between dates."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decision.follow_ups import decider
from eligibility.decision.due import STATES, Course, due_date, state
from eligibility.rulebase.duties import Due

CALENDAR = decider().rulebase.calendar
DAYS = st.dates(date(2012, 1, 1), date(2026, 6, 30))
LATER = st.none() | DAYS


@pytest.mark.parametrize(
    ("due", "start", "on", "moved"),
    [
        # 国庆 2024: closed 1–7 October; 29 September and 12 October are made working days.
        (Due(10), "2024-09-20", "2024-09-30", []),
        (Due(10), "2024-09-21", "2024-10-08", [f"2024-10-0{d}" for d in range(1, 8)]),
        (Due(9), "2024-09-20", "2024-09-29", []),
        (Due(22), "2024-09-20", "2024-10-12", []),
        # 春节 2025: closed 28 January – 4 February; 26 January and 8 February are working days.
        (
            Due(7),
            "2025-01-21",
            "2025-02-05",
            [f"2025-01-{d}" for d in range(28, 32)] + [f"2025-02-0{d}" for d in range(1, 5)],
        ),
        (Due(7), "2025-01-19", "2025-01-26", []),
        (Due(7), "2025-02-01", "2025-02-08", []),
        (Due(7, rolls=False), "2025-01-21", "2025-01-28", []),
        # counted in working days across both
        (Due(5, "working_day"), "2024-09-27", "2024-10-10", []),
        (Due(5, "working_day"), "2025-01-24", "2025-02-07", []),
        (Due(6, "month"), "2023-08-31", "2024-02-29", []),
        (Due(30, before=True, rolls=False), "2025-03-02", "2025-01-31", []),
    ],
)
def test_due_dates(due: Due, start: str, on: str, moved: list[str]) -> None:
    found = due_date(due, date.fromisoformat(start), {}, CALENDAR, True)
    assert found.on.isoformat() == on
    assert [m.day.isoformat() for m in found.moved_by] == moved
    assert not found.provisional


@given(DAYS, st.integers(0, 400), st.sampled_from(["day", "month", "working_day"]))
def test_no_time_limit_ends_on_a_closed_day(start: date, count: int, unit: str) -> None:
    found = due_date(Due(count % 24 if unit == "month" else count, unit), start, {}, CALENDAR, True)
    if unit != "working_day" or count:
        assert CALENDAR.is_working_day(found.on)
    assert found.on >= found.nominal >= start
    assert [m.day for m in found.moved_by] == [
        found.nominal + timedelta(days=n) for n in range((found.on - found.nominal).days)
    ]


@given(DAYS, st.integers(0, 200))
def test_without_roll_over_the_day_stays(start: date, count: int) -> None:
    found = due_date(Due(count), start, {}, CALENDAR, False)
    assert found.on == start + timedelta(days=count)


@given(LATER, LATER, LATER, LATER, LATER, DAYS)
def test_a_state_depends_on_the_past_alone(
    starts: date | None,
    due: date | None,
    done: date | None,
    ended: date | None,
    lapses: date | None,
    as_of: date,
) -> None:
    course = Course(starts, due, done, ended, lapses)
    past = Course(
        starts if starts and starts <= as_of else None,
        due,
        done if done and done <= as_of else None,
        ended if ended and ended <= as_of else None,
        lapses if lapses and lapses <= as_of else None,
    )
    assert state(course, as_of) == state(past, as_of)
    assert state(course, as_of) in STATES


def test_states_in_turn() -> None:
    course = Course(date(2024, 9, 2), date(2024, 9, 12), None, None, date(2024, 9, 22))
    seen = [state(course, date(2024, 9, d)) for d in (1, 2, 12, 13, 21, 22)]
    assert seen == ["waiting", "open", "open", "overdue", "overdue", "lapsed"]
    assert state(Course(*course_dates(course, done=date(2024, 9, 12))), date(2024, 9, 30)) == "done"
    late = Course(*course_dates(course, done=date(2024, 9, 13)))
    assert [state(late, date(2024, 9, d)) for d in (12, 13)] == ["open", "done_late"]


def course_dates(
    course: Course, done: date
) -> tuple[date | None, date | None, date | None, date | None, date | None]:
    return course.starts_on, course.due, done, course.ended_on, course.lapses_on
