"""Days by their ordinals: the calendar as tables, for arithmetic on whole columns of dates.

A table holds one number for every day from :data:`FIRST` to :data:`LAST`; what the functions
of ``calendars`` work out for one date is looked up here for many.
"""

from __future__ import annotations

from datetime import date
from functools import lru_cache

import numpy as np

from eligibility.calendars import WorkingCalendar
from eligibility.docket.columns import Bits, Ints

FIRST = date(1945, 1, 1).toordinal()
LAST = date(2320, 12, 31).toordinal()
_EPOCH = date(1970, 1, 1).toordinal()
_SPARE = 60  # more days than any row of closed ones


class DayTables:
    """Months and working days of one calendar. A day outside the tables is read as the nearest.

    INVARIANT: inside the tables every answer is that of ``calendars`` for that day.
    """

    def __init__(self, calendar: WorkingCalendar) -> None:
        days = (np.arange(FIRST, LAST + 1) - _EPOCH).astype("datetime64[D]")
        self._months = days.astype("datetime64[M]")
        self._month = self._months.astype(np.int64)
        self._day = (days - self._months.astype("datetime64[D]")).astype(np.int64) + 1
        self._rolled = _working_from(calendar)
        self._later: dict[int, Ints] = {}

    @staticmethod
    def place(days: Ints) -> Ints:
        """Where the tables hold these days."""
        out: Ints = np.clip(days - FIRST, 0, LAST - FIRST)
        return out

    @staticmethod
    def outside(days: Ints) -> Bits:
        out: Bits = (days < FIRST) | (days > LAST)
        return out

    def add_months(self, days: Ints, months: int) -> Ints:
        """:func:`eligibility.calendars.add_months` for a column."""
        table = self._later.get(months)
        if table is None:
            target = self._months + months
            first = target.astype("datetime64[D]")
            length = ((target + 1).astype("datetime64[D]") - first).astype(np.int64)
            table = first.astype(np.int64) + _EPOCH + np.minimum(self._day, length) - 1
            self._later[months] = table
        return table[self.place(days)]

    def roll_forward(self, days: Ints) -> Ints:
        """The days themselves or the next working days."""
        return self._rolled[self.place(days)]

    def months_between(self, start: Ints, end: Ints) -> Ints:
        """The greatest number of months that, added to ``start``, does not pass ``end``."""
        begin, last = self.place(start), self.place(end)
        months = self._month[last] - self._month[begin]
        month_end = self._month[self.place(end + 1)] != self._month[last]
        # The day of the same number, or the last of a shorter month, lies after the end.
        short = (self._day[begin] > self._day[last]) & ~month_end
        out: Ints = months - short
        return out


def _working_from(calendar: WorkingCalendar) -> Ints:
    days = np.arange(FIRST, LAST + 1 + _SPARE)
    closed = [d.toordinal() for found, _ in calendar.years.values() for d in found]
    working = [d.toordinal() for _, found in calendar.years.values() for d in found]
    weekday = (days + 6) % 7 < 5
    works = np.where(weekday, ~np.isin(days, closed), np.isin(days, working))
    open_days = days[works]
    out: Ints = open_days[np.searchsorted(open_days, days[:-_SPARE])]
    return out


@lru_cache(maxsize=4)
def day_tables(calendar: WorkingCalendar) -> DayTables:
    """The tables of a calendar, made once."""
    return DayTables(calendar)
