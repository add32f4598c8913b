"""Derived facts worked out the slow way: periods by walking the days one after another.

Dates follow the description of clocks in ``docs``: the first day does not count, a month
ends on the day of the same number, documented stays do not count as days of the period,
a last day on which courts are closed moves to the next on which they are open.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from eligibility.calendars import Interval, WorkingCalendar
from eligibility.rulebase.model import Court, Rulebase
from eligibility.vocabulary.model import NONE, Clock, Fact
from eligibility.vocabulary.payload import Case
from oracle.interpreter import months_later

DAY = timedelta(days=1)
SIX = {
    "announcement",
    "appraisal",
    "jurisdiction_dispute",
    "coordination",
    "deferral",
    "suspension",
}
KINDS = {"none": set[str](), "suspension_only": {"suspension"}, "art13": SIX}


# --- days ------------------------------------------------------------------------------------


def stopped_days(intervals: Iterable[Interval], kinds: Collection[str], until: date) -> set[date]:
    """The days that documented stays take, each once; the day on which one begins is not."""
    days = set()
    for interval in intervals:
        if interval.kind not in kinds or not (interval.doc_no or "").strip():
            continue
        end = interval.end
        if end is None and interval.kind == "deferral":
            limit = months_later(interval.start, 12 if interval.guarantee else 3)
            end = interval.stated_end or limit
        day = interval.start + DAY
        while day <= min(end or until, until):
            days.add(day)
            day += DAY
    return days


def last_day(start: date, months: int, stopped: Collection[date]) -> date:
    """The day on which a period ends: walk on while there are days left to count."""
    left = (months_later(start, months) - start).days
    day = start
    while left:
        day += DAY
        if day not in stopped:
            left -= 1
    return day


def open_day(day: date, calendar: WorkingCalendar) -> date:
    while True:
        closed, working = calendar.years.get(day.year, (frozenset(), frozenset()))
        if day in working or (day.weekday() < 5 and day not in closed):
            return day
        day += DAY


def full_months(start: date, end: date, stopped: Collection[date]) -> int:
    """The months that the days counted up to the end make up."""
    counted = start
    day = start
    while day < end:
        day += DAY
        if day not in stopped:
            counted += DAY
    months = 0
    while months_later(start, months + 1) <= counted:
        months += 1
    return months


# --- facts -----------------------------------------------------------------------------------


@dataclass
class Deriver:
    """Derives the facts of one case, each from what it is defined by, again and again."""

    rulebase: Rulebase
    parameters: Mapping[str, Any]
    case: Case
    as_of: date

    def fact(self, key: str, index: int = 0) -> Any:
        """The value of a fact: derived if it can be, else as given."""
        fact = self.rulebase.vocabulary.facts[key]
        if fact.derive is not None:
            value = getattr(self, "_" + fact.derive[0])(fact.derive[1], fact, index)
            if value is not None:
                return value
        return self.given(fact, index)

    def given(self, fact: Fact, index: int) -> Any:
        if fact.scope == "case":
            return self.case.facts.get(fact.key)
        records = self.case.records[fact.scope]
        if fact.sole is not None and len(records) == 1:
            return records[0].get(fact.key, fact.sole)
        return records[index].get(fact.key)

    def seen(self, key: str, scope: str, index: int) -> Any:
        """A fact seen from a record or from the case."""
        fact = self.rulebase.vocabulary.facts[key]
        if fact.scope in ("case", scope):
            return self.fact(key, index)
        values = [self.fact(key, i) for i in range(len(self.case.records[fact.scope]))]
        if len(values) == 1:
            return values[0]
        if fact.rollup == "every" and values and set(map(type, values)) <= {bool, type(None)}:
            return False if False in values else None if None in values else True
        return None

    def taken(self, key: str, scope: str, index: int) -> Any:
        """A fact, or what silence is taken for."""
        value = self.seen(key, scope, index)
        return self.rulebase.vocabulary.facts[key].presume if value is None else value

    # --- periods of days -------------------------------------------------------------------------

    def _days_since(self, key: str, fact: Fact, index: int) -> Any:
        start = self.seen(key, fact.scope, index)
        return (self.as_of - start).days if isinstance(start, date) else start

    def _days_to(self, key: str, fact: Fact, index: int) -> Any:
        end = self.seen(key, fact.scope, index)
        return (end - self.as_of).days if isinstance(end, date) else end

    def _days_between(self, keys: list[str], fact: Fact, index: int) -> Any:
        start, end = (self.seen(key, fact.scope, index) for key in keys)
        if start is NONE or end is NONE:
            return NONE
        return None if start is None or end is None else (end - start).days

    def _until(self, start: Any, end: Any) -> tuple[Any, Any]:
        """The two ends of a period that runs until an event or until today."""
        if not isinstance(start, date):
            return start, None
        if end is None:
            return None, None
        stop = self.as_of if end is NONE else min(end, self.as_of)
        return start, max(start, stop)

    def _days_until_start(self, keys: list[str], fact: Fact, index: int) -> Any:
        begin, end = keys
        start, stop = self._until(
            self.seen(begin, fact.scope, index), self.taken(end, fact.scope, index)
        )
        return start if stop is None else (stop - start).days

    def _months_elapsed(self, spec: Mapping[str, str], fact: Fact, index: int) -> Any:
        start, stop = self._until(
            self.seen(spec["from"], fact.scope, index), self.taken(spec["to"], fact.scope, index)
        )
        if stop is None:
            return start
        if not self.parameters[spec["inclusive"].strip("$")]:
            stop -= DAY
        kinds = self.kinds(spec["deduct"])
        return full_months(start, stop, stopped_days(self.case.intervals or (), kinds, stop))

    # --- clocks ----------------------------------------------------------------------------------

    def kinds(self, policy: str) -> set[str]:
        name = policy.strip("$")
        name = self.parameters.get(name, name)
        auction = name == "art13" and self.parameters.get("auction_notice_counts")
        return KINDS[name] | ({"auction_notice"} if auction else set())

    def start(self, clock: Clock, index: int) -> Any:
        own = self.seen(clock.start, clock.scope, index)
        transfer = clock.after_transfer
        restarts = transfer is not None and self.parameters[transfer["policy"]] == "restart"
        if transfer and restarts and self.taken(transfer["count"], clock.scope, index):
            filed = self.taken(transfer["filed"], clock.scope, index)
            return own if filed is NONE else filed
        if clock.not_before and isinstance(own, date):
            first = self.start(self.rulebase.vocabulary.clocks[clock.not_before], 0)
            return first and max(own, first)
        return own

    def expiry(self, clock: Clock, start: date) -> date:
        stopped = stopped_days(self.case.intervals or (), self.kinds(clock.deduct), self.as_of)
        end = last_day(start, clock.months, stopped)
        rolls = not clock.rollover or self.parameters[clock.rollover]
        return open_day(end, self.rulebase.calendar) if rolls else end

    def _clock(self, name: str, fact: Fact, index: int) -> Any:
        clock = self.rulebase.vocabulary.clocks[name]
        own = self.seen(clock.start, clock.scope, index)
        start = self.start(clock, index)
        if own is NONE:
            return False
        if isinstance(start, date):
            return self.as_of > self.expiry(clock, start)
        if clock.not_before:
            first = self.start(self.rulebase.vocabulary.clocks[clock.not_before], 0)
            known = [day for day in (own, first) if isinstance(day, date)]
            if known and self.as_of <= self.expiry(clock, known[0]):
                return False
        return None

    def _clock_start(self, name: str, fact: Fact, index: int) -> Any:
        start = self.start(self.rulebase.vocabulary.clocks[name], index)
        return start if isinstance(start, date) else None

    def _clock_expiry(self, name: str, fact: Fact, index: int) -> Any:
        clock = self.rulebase.vocabulary.clocks[name]
        start = self.start(clock, index)
        return self.expiry(clock, start) if isinstance(start, date) else None

    def _deducted_days(self, name: str, fact: Fact, index: int) -> Any:
        clock = self.rulebase.vocabulary.clocks[name]
        start = self.start(clock, index)
        if not isinstance(start, date):
            return None
        stopped = stopped_days(self.case.intervals or (), self.kinds(clock.deduct), self.as_of)
        whole = last_day(start, clock.months, stopped)
        return (whole - months_later(start, clock.months)).days

    # --- urge orders -----------------------------------------------------------------------------

    def _urge_expiry(self, keys: list[str], fact: Fact, index: int) -> Any:
        order, deadline = (self.seen(key, fact.scope, index) for key in keys)
        if not isinstance(deadline, date):
            return deadline
        began = [
            i
            for i in self.case.intervals or ()
            if i.start <= deadline and not (isinstance(order, date) and i.start < order)
        ]
        return deadline + len(stopped_days(began, {"deferral", "suspension"}, self.as_of)) * DAY

    def _urge_result(self, keys: list[str], fact: Fact, index: int) -> Any:
        order, expiry, completed = (self.seen(key, fact.scope, index) for key in keys)
        if expiry is None:
            return "none" if order is NONE else None
        if expiry is NONE:
            return "none"
        if completed:
            return "completed"
        if self.as_of <= expiry:
            return "pending"
        return None if completed is None else "failed"

    # --- courts ----------------------------------------------------------------------------------

    def court(self, name: Any) -> Court | None:
        for court in self.rulebase.courts.values():
            if name in (court.id, court.label.zh, *court.aliases):
                return court
        return None

    def above(self, court: Court) -> list[str]:
        found = []
        while court.parent:
            found.append(court.parent)
            court = self.rulebase.courts[court.parent]
        return found

    def _differs(self, keys: list[str], fact: Fact, index: int) -> Any:
        one, other = (self.seen(key, fact.scope, index) for key in keys)
        if one is None or other is None:
            return None
        a, b = self.court(one), self.court(other)
        return a != b if a and b else one != other

    def _member(self, keys: list[str], fact: Fact, index: int) -> Any:
        one, group = (self.seen(key, fact.scope, index) for key in keys)
        if group == frozenset():
            return False
        if one is None or group is None:
            return None
        court = self.court(one)
        return one in group or (court is not None and court in map(self.court, group))

    def _court_may_decide(self, keys: list[str], fact: Fact, index: int) -> Any:
        asked, own, receiving = (self.seen(key, fact.scope, index) for key in keys)
        decider, court = self.court(asked), self.court(own)
        if decider is None or court is None:
            return None
        if decider.id not in self.above(court):
            return False
        if receiving is None:
            return True
        target = self.court(receiving)
        return None if target is None else decider.id in [target.id, *self.above(target)]

    def _profile_of_court(self, key: str, fact: Fact, index: int) -> Any:
        court = self.court(self.seen(key, fact.scope, index))
        return court.profile if court and court.profile in fact.values else None

    def _objection_court(self, keys: list[str], fact: Fact, index: int) -> Any:
        original, receiving, handed_over = (self.seen(key, fact.scope, index) for key in keys)
        if handed_over is None:
            return None
        if handed_over is NONE:
            return original
        a, b = self.court(original), self.court(receiving)
        return original if a and b and a.id in self.above(b) else receiving
