"""When a duty is due, and how it stands on a day.

The day it starts is not counted; the last day moves to a working day where the duty says so
(民诉法85), and the answer names the days that moved it. How a duty stands is a function of
five dates and the day it is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Literal, get_args

from eligibility.calendars import MovedDay, WorkingCalendar, add_months
from eligibility.rulebase.conditions import Param
from eligibility.rulebase.duties import Count, Due

State = Literal["waiting", "open", "done", "done_late", "ended", "overdue", "lapsed"]
STATES: tuple[State, ...] = get_args(State)


@dataclass(frozen=True, slots=True)
class DueDate:
    """A due date with all that is needed to check it by hand.

    ``nominal`` is the day before it was moved; ``provisional``: it rests on a year whose
    holidays are not yet published.
    """

    on: date
    start: date
    count: int
    unit: str
    before: bool
    nominal: date
    moved_by: tuple[MovedDay, ...]
    provisional: bool


@dataclass(frozen=True, slots=True)
class Course:
    """The dates between which a duty runs; None = not (yet) known to come.

    ``ended_on`` is when it fell away; ``lapses_on`` the first day on which
    a formal instrument follows.
    """

    starts_on: date | None = None
    due: date | None = None
    done_on: date | None = None
    ended_on: date | None = None
    lapses_on: date | None = None


def number(count: Count, parameters: Mapping[str, Any]) -> int:
    """A number of days or months, looked up where it is a parameter."""
    return int(parameters[count.name] if isinstance(count, Param) else count)


def due_date(
    due: Due, start: date, parameters: Mapping[str, Any], calendar: WorkingCalendar, rollover: bool
) -> DueDate:
    """The last day on which the duty is done in time; ``rollover`` is the policy of the court."""
    count = number(due.count, parameters)
    if due.unit == "working_day":
        nominal = start if due.before else calendar.add_working_days(start, count)
    elif due.unit == "month":
        nominal = add_months(start, -count if due.before else count)
    else:
        nominal = start + timedelta(days=-count if due.before else count)
    rolls = due.rolls and rollover and not due.before
    last, moved = calendar.roll_forward(nominal) if rolls else (nominal, ())
    rests = due.unit == "working_day" or rolls
    provisional = rests and (calendar.is_provisional(nominal) or calendar.is_provisional(last))
    return DueDate(last, start, count, due.unit, due.before, nominal, moved, provisional)


def state(course: Course, as_of: date) -> State:
    """How a duty stands on a day, from its dates alone.

    INVARIANT: what happens after ``as_of`` does not matter.
    """
    if course.starts_on is None or course.starts_on > as_of:
        return "waiting"
    if course.done_on is not None and course.done_on <= as_of:
        late = course.due is not None and course.done_on > course.due
        return "done_late" if late else "done"
    if course.due is None:
        return "waiting"
    if course.ended_on is not None and course.ended_on <= as_of:
        return "ended"
    if as_of <= course.due:
        return "open"
    lapsed = course.lapses_on is not None and as_of >= course.lapses_on
    return "lapsed" if lapsed else "overdue"
