"""Months, working days and statutory clocks: what a date in law is, and when a period ends.

Everything here is a function of its arguments: no file, no clock on the wall. A period
of months starts on the day after the event (民诉法解释125), ends on the day of the same
number, is lengthened by the documented stays that the law excludes (执行程序解释13) and,
if its last day is no working day, ends on the next one (民诉法85)::

    >>> run_clock(date(2024, 1, 15), 6, date(2024, 7, 16), (), STATUTORY_KINDS, None).exceeded
    True

Inside, days are ordinals (integers); a clock is one sweep over the intervals in the order
of their beginning, because an interval lengthens the period only if it begins before the
end that the earlier ones have left. A case with several clocks sorts its intervals once::

    stays = Deductions(intervals, STATUTORY_KINDS)
    stays.exceeded(received, 6, as_of, calendar)
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Any, NamedTuple

DEFERRAL = "deferral"
STATUTORY_KINDS = frozenset(
    {"announcement", "appraisal", "jurisdiction_dispute", "coordination", DEFERRAL, "suspension"}
)
"""The six periods of 执行程序解释13: a closed list."""

STAY_KINDS = frozenset({DEFERRAL, "suspension"})
"""The stays that lengthen the term of an urge order."""

_CACHE = 1 << 16
_NEVER = date.max.toordinal() - 366
"""The end of what has no end; a year short of the last date, so that it can be rolled."""


@lru_cache(maxsize=_CACHE)
def add_months(start: date, months: int) -> date:
    """The day of the same number ``months`` later, or the last of a month that is too short.

    >>> add_months(date(2023, 8, 31), 6)
    datetime.date(2024, 2, 29)
    """
    years, month = divmod(start.month - 1 + months, 12)
    year, month = start.year + years, month + 1
    if start.day <= 28:
        return date(year, month, start.day)
    return date(year, month, min(start.day, monthrange(year, month)[1]))


class MovedDay(NamedTuple):
    """A day on which no period ends, and why: ``weekend`` or ``holiday``."""

    day: date
    reason: str


@dataclass(frozen=True, eq=False)
class WorkingCalendar:
    """Which days are working days, from the yearly holiday notices of the State Council.

    ``years`` holds, for each year whose notice is known, the statutory closed days and the
    weekend days made working days (调休). Any other year is provisional: weekends alone are
    closed, and an answer that rests on it may change when the notice comes.
    """

    years: Mapping[int, tuple[frozenset[date], frozenset[date]]] = field(default_factory=dict)
    _closed: frozenset[int] = field(init=False, repr=False)
    _working: frozenset[int] = field(init=False, repr=False)
    _rolled: dict[int, tuple[date, tuple[MovedDay, ...]]] = field(
        init=False, repr=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        closed = frozenset(d.toordinal() for days, _ in self.years.values() for d in days)
        working = frozenset(d.toordinal() for _, days in self.years.values() for d in days)
        if both := closed & working:
            day = date.fromordinal(min(both))
            raise ValueError(f"{day} is listed both as closed and as a working day")
        object.__setattr__(self, "_closed", closed)
        object.__setattr__(self, "_working", working)

    @classmethod
    def from_data(cls, data: Mapping[int, Any]) -> WorkingCalendar:
        """A calendar from year -> ``{closed, working, provisional}`` or (closed, working).

        Days are dates or ISO texts. A year marked provisional counts as absent.
        """
        years = {}
        for year, entry in data.items():
            if isinstance(entry, Mapping):
                if entry.get("provisional"):
                    continue
                closed, working = entry.get("closed") or (), entry.get("working") or ()
            else:
                closed, working = entry
            years[int(year)] = (_days(closed), _days(working))
        return cls(years)

    def is_working_day(self, d: date) -> bool:
        """Whether courts work on this day, as far as the notices are known."""
        return self._works(d.toordinal())

    def _works(self, day: int) -> bool:
        if (day + 6) % 7 < 5:
            return day not in self._closed
        return day in self._working

    def is_provisional(self, d: date) -> bool:
        """Whether a notice still to come may change this day.

        The notice of a year also disposes of the last days of December before it
        (2018-12-31 was closed by the notice for 2019), so these wait for the next one.
        """
        if d.year not in self.years:
            return True
        return d.month == 12 and d.day >= 29 and d.year + 1 not in self.years

    def roll_forward(self, d: date) -> tuple[date, tuple[MovedDay, ...]]:
        """The day itself or the next working day, with the days passed over (民诉法85)."""
        start = d.toordinal()
        if self._works(start):
            return d, ()
        found = self._rolled.get(start)
        if found is None:
            end = start + 1
            while not self._works(end):
                end += 1
            passed = tuple(
                MovedDay(date.fromordinal(o), "holiday" if o in self._closed else "weekend")
                for o in range(start, end)
            )
            if len(self._rolled) >= _CACHE:
                self._rolled.clear()
            found = self._rolled[start] = (date.fromordinal(end), passed)
        return found

    def add_working_days(self, d: date, n: int) -> date:
        """The ``n``-th working day after ``d``, which is not counted; ``d`` itself for 0."""
        if n < 0:
            raise ValueError(f"working days are counted forward, not {n}")
        day = d.toordinal()
        while n:
            day += 1
            n -= self._works(day)
        return date.fromordinal(day)


def _days(days: Iterable[date | str]) -> frozenset[date]:
    return frozenset(date.fromisoformat(d) if isinstance(d, str) else d for d in days)


@dataclass(frozen=True)
class Interval:
    """A recorded stay of a case, from the day it began to the day it ended (None = open).

    ``doc_no`` is the number of the paper that proves it; without one nothing is deducted.
    ``stated_end`` and ``guarantee`` matter to open deferrals only. ``index`` is its place
    in the record, carried through to the answer.
    """

    kind: str
    start: date
    end: date | None
    doc_no: str | None
    stated_end: date | None = None
    guarantee: bool = False
    index: int = 0


class DeductedInterval(NamedTuple):
    """What one interval took from a clock.

    ``start`` and ``end`` are cut to the window of the clock; ``days`` is what it added to
    the union of those before it (0 if they cover it, or if it began after the expiry);
    ``capped`` says that an open deferral was ended by the law, not by the record.
    """

    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody needs here
    kind: str
    start: date
    end: date
    days: int
    capped: bool


@dataclass(frozen=True)
class ClockResult:
    """A clock read on a day, with all that is needed to check it by hand.

    ``base`` is start + months; ``nominal`` is base + deducted days; ``expires`` is nominal
    moved to a working day. ``exceeded`` (超过, 民法典1259) needs a day after ``expires``.
    ``flips_on`` is the first day on which ``exceeded`` becomes true if only time passes.
    """

    start: date
    months: int
    base: date
    deducted_days: int
    intervals: tuple[DeductedInterval, ...]
    nominal: date
    expires: date
    moved_by: tuple[MovedDay, ...]
    exceeded: bool
    provisional: bool
    flips_on: date | None


class _Span(NamedTuple):
    """An interval in ordinals; ``end`` is where it stops however much time passes."""

    start: int
    end: int
    kind: str
    doc_no: str
    place: int
    bounded: bool


class Deductions:
    """The documented intervals of some kinds, ready for any number of clocks.

    Overlaps count once (union, not sum), and no listing order changes an answer.
    """

    __slots__ = ("_last", "_spans")

    def __init__(self, intervals: Iterable[Interval], kinds: Collection[str]) -> None:
        spans = []
        for i in intervals:
            if i.kind in kinds and i.doc_no and i.doc_no.strip():
                end, bounded = _end_of(i)
                spans.append(_Span(i.start.toordinal(), end, i.kind, i.doc_no, i.index, bounded))
        if len(spans) > 1:
            spans.sort()
        self._spans = spans
        self._last = max([span.end for span in spans]) if spans else 0

    def effective(self, as_of: date) -> tuple[DeductedInterval, ...]:
        """The intervals as they stand on ``as_of``; their ``days`` add up to the union."""
        horizon = as_of.toordinal()
        return self._listed(self._sweep(0, _NEVER, horizon)[1], 0, horizon)

    def exceeded(
        self, start: date, months: int, as_of: date, calendar: WorkingCalendar | None
    ) -> bool:
        """Whether ``as_of`` lies after the expiry: :meth:`clock` without its trail.

        Deductions and roll-over only put an expiry off, so most clocks end in line two.
        """
        base = add_months(start, months)
        if as_of <= base:
            return False
        if self._spans:
            end = self._sweep(start.toordinal(), base.toordinal(), as_of.toordinal())[0]
            base = date.fromordinal(end)
        return as_of > (calendar.roll_forward(base)[0] if calendar else base)

    def clock(
        self, start: date, months: int, as_of: date, calendar: WorkingCalendar | None
    ) -> ClockResult:
        """The clock of ``months`` that began on ``start``, read on ``as_of``."""
        if not self._spans:
            return _plain_clock(start, months, as_of, calendar)
        base = add_months(start, months)
        begin, last, today = start.toordinal(), base.toordinal(), as_of.toordinal()
        end, added = self._sweep(begin, last, today)
        listed = self._listed(added, begin, today)
        in_time = self._sweep(begin, last, _NEVER)[0] if self._last > today else end
        return _result(start, months, as_of, calendar, base, end, listed, in_time)

    def full_months(self, start: date, end: date, inclusive: bool = True) -> int:
        """The full months counted from ``start`` to ``end``; see :func:`full_months`."""
        begin, last = start.toordinal(), end.toordinal() - (not inclusive)
        if last <= begin:
            return 0
        if self._spans:
            last -= sum(self._sweep(begin, _NEVER, last)[1])
        counted = date.fromordinal(last)
        months = (counted.year - start.year) * 12 + counted.month - start.month
        return months - (add_months(start, months) > counted)

    def _sweep(self, start: int, base: int, horizon: int) -> tuple[int, list[int]]:
        """The expiry of the period (start, base], and the days that each span adds to it.

        INVARIANT: the expiry lies after all that was deducted, so a span that begins on
        or after it, and every later one, adds nothing; one pass is the fixpoint.
        """
        expiry, covered, added = base, start, []
        for span in self._spans:
            low = span.start if span.start > covered else covered
            high = span.end if span.end < horizon else horizon
            if low < high and low < expiry:
                expiry += high - low
                added.append(high - low)
                covered = high
            else:
                added.append(0)
        return expiry, added

    def _listed(self, added: list[int], start: int, horizon: int) -> tuple[DeductedInterval, ...]:
        """The spans that touch the window (start, horizon], cut to it."""
        out = []
        for span, days in zip(self._spans, added, strict=True):
            low = span.start if span.start > start else start
            high = span.end if span.end < horizon else horizon
            if low < high:
                first, last = date.fromordinal(low), date.fromordinal(high)
                capped = span.bounded and span.end < horizon
                out.append(DeductedInterval(span.place, span.kind, first, last, days, capped))
        return tuple(out)


def _end_of(interval: Interval) -> tuple[int, bool]:
    """Where an interval stops however much time passes, and whether the law stops it.

    An open deferral ends when it was said to, else after three months (执行工作规定77) or,
    given against a guarantee, a year (执行担保规定10): a flag may not stop a clock for ever.
    """
    if interval.end is not None:
        return interval.end.toordinal(), False
    if interval.kind != DEFERRAL:
        return _NEVER, False
    if interval.guarantee:
        cap = add_months(interval.start, 12)
        return min(interval.stated_end or cap, cap).toordinal(), True
    return (interval.stated_end or add_months(interval.start, 3)).toordinal(), True


def _result(
    start: date,
    months: int,
    as_of: date,
    calendar: WorkingCalendar | None,
    base: date,
    end: int,
    listed: tuple[DeductedInterval, ...],
    in_time: int,
) -> ClockResult:
    """``end`` is the nominal expiry on ``as_of``, ``in_time`` the one that time leads to."""
    nominal = date.fromordinal(end)
    expires, moved_by = calendar.roll_forward(nominal) if calendar else (nominal, ())
    exceeded, flips_on = as_of > expires, None
    if not exceeded and in_time < _NEVER:
        final = expires
        if in_time != end:
            final = date.fromordinal(in_time)
            final = calendar.roll_forward(final)[0] if calendar else final
        flips_on = date.fromordinal(final.toordinal() + 1)
    return ClockResult(
        start=start,
        months=months,
        base=base,
        deducted_days=end - base.toordinal(),
        intervals=listed,
        nominal=nominal,
        expires=expires,
        moved_by=moved_by,
        exceeded=exceeded,
        provisional=calendar is not None
        and (calendar.is_provisional(nominal) or calendar.is_provisional(expires)),
        flips_on=flips_on,
    )


@lru_cache(maxsize=_CACHE)
def _plain_clock(
    start: date, months: int, as_of: date, calendar: WorkingCalendar | None
) -> ClockResult:
    """A clock from which nothing is deducted: most clocks, and few distinct ones."""
    base = add_months(start, months)
    end = base.toordinal()
    return _result(start, months, as_of, calendar, base, end, (), end)


def effective_intervals(
    intervals: Iterable[Interval], as_of: date, kinds: Collection[str]
) -> tuple[DeductedInterval, ...]:
    """The documented intervals of ``kinds`` as they stand on ``as_of``, by beginning.

    Overlaps count once: the sum of ``days`` is the length of the union.
    """
    return Deductions(intervals, kinds).effective(as_of)


def run_clock(
    start: date,
    months: int,
    as_of: date,
    intervals: Iterable[Interval],
    kinds: Collection[str],
    calendar: WorkingCalendar | None,
) -> ClockResult:
    """Read on ``as_of`` the clock of ``months`` that began on ``start``.

    ``kinds`` are the deducted kinds (:data:`STATUTORY_KINDS`); without a ``calendar`` the
    expiry is not moved to a working day. An interval counts up to ``as_of`` only.
    """
    return Deductions(intervals, kinds).clock(start, months, as_of, calendar)


def full_months(
    start: date,
    end: date,
    intervals: Iterable[Interval],
    kinds: Collection[str],
    inclusive: bool = True,
) -> int:
    """The full months counted from ``start`` to ``end``: the greatest n whose expiry,
    deductions included and not moved to a working day, is ``end`` or earlier.

    ``inclusive`` is 以上 (民法典1259: the number itself is included); False asks for an
    expiry before ``end`` (超过). 0 where no month has passed.
    """
    return Deductions(intervals, kinds).full_months(start, end, inclusive)


def urge_expiry(
    order: date | None, deadline: date, intervals: Iterable[Interval], as_of: date
) -> date:
    """The deadline of an urge order, lengthened by the documented stays that began under it.

    A court that was stayed is not idle without good reason (执行程序解释12). Stays count
    from the day of the order (from any day if it is unknown) to the stated deadline.
    """
    began = (i for i in intervals if i.start <= deadline and (order is None or order <= i.start))
    stays = Deductions(began, STAY_KINDS).effective(as_of)
    return date.fromordinal(deadline.toordinal() + sum(stay.days for stay in stays))
