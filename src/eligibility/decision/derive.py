"""Derived facts: pure functions of facts, parameters and the day of evaluation.

A derived fact may be given directly where its inputs are unknown; given and derivable
with another value is an error that names both. What a derivation takes silence for is
kept in ``presumptions``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from eligibility.calendars import ClockResult, Interval, WorkingCalendar, full_months, run_clock
from eligibility.calendars import urge_expiry as extended_deadline
from eligibility.errors import FactsError, Problem, Text
from eligibility.logic import Truth, conjunction
from eligibility.rulebase.model import Court, Rulebase
from eligibility.vocabulary.model import CASE, NONE, Clock, Fact
from eligibility.vocabulary.payload import INTERVALS, Case
from eligibility.vocabulary.values import shown

# 执行程序解释 13: a closed list of six; no auction, objection or settlement period as such.
ART13 = frozenset(
    {
        "announcement",
        "appraisal",
        "jurisdiction_dispute",
        "coordination",
        "deferral",
        "suspension",
    }
)
POLICIES: Mapping[str, frozenset[str]] = {
    "none": frozenset(),
    "suspension_only": frozenset({"suspension"}),
    "art13": ART13,
}
AUCTION_NOTICE = "auction_notice"


@dataclass(slots=True)
class RunningClock:
    """One clock as it stands: of the case, or of one property."""

    clock: Clock
    index: int
    result: ClockResult


@dataclass(slots=True)
class Derived:
    """Facts with derived ones filled in.

    ``presumptions``: fact -> value that a derivation took silence for. ``turns``: days on
    which a derived value changes by the mere passing of time.
    """

    as_of: date
    facts: dict[str, Any]
    records: dict[str, list[dict[str, Any]]]
    clocks: list[RunningClock] = field(default_factory=list)
    presumptions: dict[str, Any] = field(default_factory=dict)

    def value(self, scope: str, index: int, key: str) -> Any:
        return (self.facts if scope == CASE else self.records[scope][index]).get(key)


def derive(
    case: Case,
    rulebase: Rulebase,
    parameters: Mapping[str, Any],
    as_of: date,
    wanted: Collection[str] | None = None,
) -> Derived:
    """All facts of the case on ``as_of``. Raises :class:`FactsError` on a contradiction.

    ``wanted`` limits the derived facts to those somebody asks about and those given.
    """
    return _Derivation(case, rulebase, parameters, as_of).run(wanted)


class _Derivation:
    def __init__(
        self, case: Case, rulebase: Rulebase, parameters: Mapping[str, Any], as_of: date
    ) -> None:
        self.case = case
        self.rulebase = rulebase
        self.vocabulary = rulebase.vocabulary
        self.parameters = parameters
        self.as_of = as_of
        records = {scope: [dict(r) for r in found] for scope, found in case.records.items()}
        self.out = Derived(as_of, dict(case.facts), records)
        self.intervals: tuple[Interval, ...] = case.intervals or ()
        self.done: set[tuple[str, int, str]] = set()
        self.used: set[str] = set()
        self.problems: list[Problem] = []

    def run(self, wanted: Collection[str] | None) -> Derived:
        self._sole_records()
        for fact in self.vocabulary.derived_facts:
            if wanted is not None and fact.key not in wanted and not self._given(fact):
                continue
            if fact.scope == CASE:
                self.get(fact.key, CASE, 0)
            else:
                for index in range(len(self.out.records.get(fact.scope, ()))):
                    self.get(fact.key, fact.scope, index)
        if self.problems:
            raise FactsError(self.problems)
        return self.out

    def _given(self, fact: Fact) -> bool:
        stores = (self.out.facts,) if fact.scope == CASE else self.out.records.get(fact.scope, ())
        return any(fact.key in store for store in stores)

    def _sole_records(self) -> None:
        for fact in self.vocabulary.sole_facts:
            records = self.out.records.get(fact.scope, [])
            if len(records) == 1:
                records[0].setdefault(fact.key, fact.sole)

    # --- values ------------------------------------------------------------------------------

    def get(self, key: str, scope: str = CASE, index: int = 0) -> Any:
        """The value of a fact, derived if need be; None = unknown."""
        fact = self.vocabulary.facts[key]
        if fact.scope == CASE:
            scope, index = CASE, 0
        elif fact.scope != scope:
            return self._rolled_up(fact)
        store = self.out.facts if scope == CASE else self.out.records[scope][index]
        if fact.derive is None or (scope, index, key) in self.done:
            return store.get(key)
        self.done.add((scope, index, key))
        self._derive(fact, store, scope, index)
        return store.get(key)

    def _derive(self, fact: Fact, store: dict[str, Any], scope: str, index: int) -> None:
        outer, self.used = self.used, set()
        kind, argument = fact.derive or ("", None)
        value = _KINDS[kind](self, argument, scope, index)
        given = store.get(fact.key)
        if given is None:
            if value is not None:
                store[fact.key] = value
                for key in self.used:
                    self.out.presumptions[key] = self.vocabulary.facts[key].presume
        elif value is not None and value != given and not self.used:
            self._contradiction(fact, given, value, scope, index)
        self.used |= outer

    def presumed(self, key: str, scope: str = CASE, index: int = 0) -> Any:
        """The value, or what the dictionary takes silence for."""
        value = self.get(key, scope, index)
        if value is None:
            presume = self.vocabulary.facts[key].presume
            if presume is not None:
                self.used.add(key)
                return presume
        return value

    def _rolled_up(self, fact: Fact) -> Any:
        values = [
            self.get(fact.key, fact.scope, i) for i in range(len(self.out.records[fact.scope]))
        ]
        if fact.rollup == "every" and all(v is None or isinstance(v, bool) for v in values):
            return conjunction(values) if values else None
        return values[0] if len(values) == 1 else None

    def _contradiction(self, fact: Fact, given: Any, value: Any, scope: str, index: int) -> None:
        lists = {kind.name: kind.list_key for kind in self.vocabulary.records.values()}
        stated, found = shown(fact, given), shown(fact, value)
        self.problems.append(
            Problem(
                "contradicts_derivation",
                Text(
                    f"“{fact.label.zh}”填为{stated.zh}，但据其他事实推算为{found.zh}",
                    f"'{fact.key}' is given as {stated.en} but the other facts make it {found.en}",
                ),
                self.case.path(scope, index, fact.key, lists),
            )
        )

    # --- intervals and clocks ------------------------------------------------------------------

    def recorded_intervals(self) -> tuple[Interval, ...]:
        if self.case.intervals is None:
            self.used.add(INTERVALS)
        return self.intervals

    def deducted_kinds(self, policy: str) -> frozenset[str]:
        name = self.parameters[policy[1:]] if policy.startswith("$") else policy
        if name not in POLICIES and name in self.parameters:
            name = self.parameters[name]
        kinds = POLICIES[name]
        counts = self.parameters.get("auction_notice_counts")
        return kinds | {AUCTION_NOTICE} if counts and name == "art13" else kinds

    def rollover(self, clock: Clock) -> WorkingCalendar | None:
        rolls = not clock.rollover or self.parameters[clock.rollover]
        return self.rulebase.calendar if rolls else None

    def clock_start(self, clock: Clock, scope: str, index: int) -> Any:
        """The day the clock starts: after a transfer anew, if that is the policy (L42)."""
        start = self.get(clock.start, scope, index)
        transfer = clock.after_transfer
        if transfer and self.parameters[transfer["policy"]] == "restart":
            crossed = self.presumed(transfer["count"], scope, index)
            if crossed:
                filed = self.presumed(transfer["filed"], scope, index)
                return start if filed is NONE else filed
        if clock.not_before and start is not None and start is not NONE:
            earlier = self.clock_start(self.vocabulary.clocks[clock.not_before], CASE, 0)
            return None if earlier is None else max(start, earlier)
        return start

    def run_clock(self, name: str, scope: str, index: int) -> ClockResult | None:
        clock = self.vocabulary.clocks[name]
        start = self.clock_start(clock, scope, index)
        if start is None or start is NONE:
            return None
        return self._read_clock(clock, start, index)

    def _read_clock(self, clock: Clock, start: date, index: int) -> ClockResult:
        for running in self.out.clocks:
            if running.clock is clock and running.index == index:
                self.recorded_intervals()
                return running.result
        result = run_clock(
            start,
            clock.months,
            self.as_of,
            self.recorded_intervals(),
            self.deducted_kinds(clock.deduct),
            self.rollover(clock),
        )
        self.out.clocks.append(RunningClock(clock, index, result))
        return result

    def clock_exceeded(self, name: str, scope: str, index: int) -> Truth:
        """Whether the clock has run; a clock whose start never happened has not."""
        clock = self.vocabulary.clocks[name]
        if self.get(clock.start, scope, index) is NONE:
            return False
        result = self.run_clock(name, scope, index)
        if result is not None:
            return result.exceeded
        return False if clock.not_before and self._cannot_have_run(clock, scope, index) else None

    def _cannot_have_run(self, clock: Clock, scope: str, index: int) -> bool:
        """A clock that starts at the later of two days has not run if one alone has not."""
        own = self.get(clock.start, scope, index)
        other = self.clock_start(self.vocabulary.clocks[clock.not_before], CASE, 0)
        known = own if own is not None else other
        if known is None or known is NONE:
            return False
        kinds = self.deducted_kinds(clock.deduct)
        intervals = self.recorded_intervals()
        result = run_clock(known, clock.months, self.as_of, intervals, kinds, self.rollover(clock))
        return not result.exceeded

    def court(self, name: Any) -> Court | None:
        """The court of the register with this id, name or alias."""
        courts = self.rulebase.courts
        if name in courts:
            return courts[name]
        return next((c for c in courts.values() if name in (c.label.zh, *c.aliases)), None)


# --- the kinds of derivation ------------------------------------------------------------------


def _days_since(d: _Derivation, fact: str, scope: str, index: int) -> Any:
    start = d.get(fact, scope, index)
    return start if start is None or start is NONE else (d.as_of - start).days


def _days_to(d: _Derivation, fact: str, scope: str, index: int) -> Any:
    end = d.get(fact, scope, index)
    return end if end is None or end is NONE else (end - d.as_of).days


def _days_between(d: _Derivation, facts: list[str], scope: str, index: int) -> Any:
    start, end = (d.get(fact, scope, index) for fact in facts)
    if start is NONE or end is NONE:
        return NONE
    if start is None or end is None:
        return None
    if end < start:
        labels = [d.vocabulary.facts[f].label for f in facts]
        d.problems.append(
            Problem(
                "dates_out_of_order",
                Text(f"早于“{labels[0].zh}”", f"is before '{facts[0]}'"),
                facts[1],
            )
        )
        return None
    return (end - start).days


def _days_until_start(d: _Derivation, facts: list[str], scope: str, index: int) -> Any:
    start = d.get(facts[0], scope, index)
    if start is None or start is NONE:
        return start
    end = d.presumed(facts[1], scope, index)
    if end is None:
        return None
    stop = d.as_of if end is NONE else min(end, d.as_of)
    return max((stop - start).days, 0)


def _months_elapsed(d: _Derivation, spec: Mapping[str, str], scope: str, index: int) -> Any:
    start = d.get(spec["from"], scope, index)
    if start is None or start is NONE:
        return start
    end = d.presumed(spec["to"], scope, index)
    if end is None:
        return None
    stop = d.as_of if end is NONE else min(end, d.as_of)
    kinds = d.deducted_kinds("$" + spec["deduct"].lstrip("$"))
    inclusive = bool(d.parameters[spec["inclusive"].lstrip("$")])
    return full_months(start, max(stop, start), d.recorded_intervals(), kinds, inclusive)


def _differs(d: _Derivation, facts: list[str], scope: str, index: int) -> Truth:
    first, second = (d.get(fact, scope, index) for fact in facts)
    if first is None or second is None:
        return None
    a, b = d.court(first), d.court(second)
    return a is not b if a and b else first != second


def _member(d: _Derivation, facts: list[str], scope: str, index: int) -> Truth:
    item, group = d.get(facts[0], scope, index), d.get(facts[1], scope, index)
    if group is not None and not group:
        return False
    if item is None or group is None:
        return None
    court = d.court(item)
    return item in group or (court is not None and any(d.court(g) is court for g in group))


def _clock(d: _Derivation, name: str, scope: str, index: int) -> Truth:
    return d.clock_exceeded(name, scope, index)


def _clock_start(d: _Derivation, name: str, scope: str, index: int) -> Any:
    result = d.run_clock(name, scope, index)
    return result.start if result else None


def _clock_expiry(d: _Derivation, name: str, scope: str, index: int) -> Any:
    result = d.run_clock(name, scope, index)
    return result.expires if result else None


def _deducted_days(d: _Derivation, name: str, scope: str, index: int) -> Any:
    result = d.run_clock(name, scope, index)
    return result.deducted_days if result else None


def _urge_expiry(d: _Derivation, facts: list[str], scope: str, index: int) -> Any:
    order, deadline = (d.get(fact, scope, index) for fact in facts)
    if deadline is None or deadline is NONE:
        return deadline
    begin = None if order is NONE else order
    return extended_deadline(begin, deadline, d.recorded_intervals(), d.as_of)


def _urge_result(d: _Derivation, facts: list[str], scope: str, index: int) -> Any:
    order, expiry = d.get(facts[0], scope, index), d.get(facts[1], scope, index)
    if expiry is NONE or (expiry is None and order is NONE):
        return "none"
    if expiry is None:
        return None
    completed = d.get(facts[2], scope, index)
    if completed is True:
        return "completed"
    if d.as_of <= expiry:
        return "pending"
    return "failed" if completed is False else None


def _court_may_decide(d: _Derivation, facts: list[str], scope: str, index: int) -> Truth:
    """A superior of the executing court, and of the proposed receiving court or it itself.

    A higher court may instruct only courts of its own jurisdiction (执行程序解释 11).
    """
    asked, executing, receiving = (d.get(fact, scope, index) for fact in facts)
    if asked is None or executing is None:
        return None
    decider, court = d.court(asked), d.court(executing)
    if decider is None or court is None:
        return None
    if decider.id not in _superiors(d, court):
        return False
    if receiving is None:
        return True
    target = d.court(receiving)
    return None if target is None else decider.id in (target.id, *_superiors(d, target))


def _superiors(d: _Derivation, court: Court) -> list[str]:
    out: list[str] = []
    while court.parent and court.parent not in out and court.parent in d.rulebase.courts:
        out.append(court.parent)
        court = d.rulebase.courts[court.parent]
    return out


def _profile_of_court(d: _Derivation, fact: str, scope: str, index: int) -> Any:
    court = d.court(d.get(fact, scope, index))
    profile = court.profile if court else ""
    return profile if profile in d.vocabulary.facts["jurisdiction_profile"].values else None


_KINDS: dict[str, Callable[[_Derivation, Any, str, int], Any]] = {
    "days_since": _days_since,
    "days_to": _days_to,
    "days_between": _days_between,
    "days_until_start": _days_until_start,
    "months_elapsed": _months_elapsed,
    "differs": _differs,
    "member": _member,
    "clock": _clock,
    "clock_start": _clock_start,
    "clock_expiry": _clock_expiry,
    "deducted_days": _deducted_days,
    "urge_expiry": _urge_expiry,
    "urge_result": _urge_result,
    "court_may_decide": _court_may_decide,
    "profile_of_court": _profile_of_court,
}
