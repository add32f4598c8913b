"""Derived facts: pure functions of facts, parameters and the day of evaluation.

A derived fact may be given directly where its inputs are unknown; given and derivable
with another value is an error that names both. What a derivation takes silence for is
kept in ``presumptions``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from eligibility.calendars import ClockResult, Deductions, Interval, WorkingCalendar
from eligibility.courts.register import Register
from eligibility.decision.derivations import KINDS, Compute, Store
from eligibility.errors import FactsError, Problem, Text
from eligibility.logic import conjunction
from eligibility.rulebase.model import Rulebase
from eligibility.vocabulary.model import CASE, Clock, Fact
from eligibility.vocabulary.payload import INTERVALS, Case
from eligibility.vocabulary.reader import inputs_of
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
NOTHING: frozenset[str] = frozenset()


@dataclass(slots=True)
class RunningClock:
    """One clock as it stands: of the case, or of one property."""

    clock: Clock
    index: int
    result: ClockResult


@dataclass(slots=True)
class Known:
    """Facts with derived ones filled in."""

    as_of: date
    facts: Store
    records: dict[str, list[Store]]
    run: Run

    def value(self, scope: str, index: int, key: str) -> Any:
        return (self.facts if scope == CASE else self.records[scope][index]).get(key)


@dataclass(slots=True)
class Derived(Known):
    """The facts of a case as they are.

    ``presumptions``: fact -> value that a derivation took silence for. ``clocks``: the
    clocks that were read, with their trail; worked out when first asked for.
    """

    presumptions: dict[str, Any]
    _clocks: list[RunningClock] | None = None

    @property
    def clocks(self) -> list[RunningClock]:
        if self._clocks is None:
            self._clocks = list(self.run.clocks())
        return self._clocks


@dataclass(slots=True)
class Run:
    """One case being derived; ``whole``: by every derivation, also of facts nobody asks about.

    ``started``: when each clock that was read began; ``bounded``: the day before which one of
    unknown beginning cannot have begun. Both by the name of the clock and the place of the record.
    """

    derivations: Derivations
    as_of: date
    facts: Store
    records: dict[str, list[Store]]
    intervals: tuple[Interval, ...]
    silent_intervals: bool
    whole: bool = False
    index: int = 0
    used: set[str] = field(default_factory=set)
    tainted: dict[tuple[int, str], frozenset[str]] = field(default_factory=dict)
    started: dict[tuple[str, int], date] = field(default_factory=dict)
    bounded: dict[tuple[str, int], date] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    differences: list[Problem] = field(default_factory=list)
    deducted: dict[frozenset[str], Deductions] = field(default_factory=dict)

    def rests_on_intervals(self) -> None:
        if self.silent_intervals:
            self.used.add(INTERVALS)

    def deductions(self, kinds: frozenset[str]) -> Deductions:
        """The recorded intervals of some kinds, merged once a case."""
        if self.silent_intervals:
            self.used.add(INTERVALS)
        found = self.deducted.get(kinds)
        if found is None:
            found = self.deducted[kinds] = Deductions(self.intervals, kinds)
        return found

    def clocks(self) -> Iterator[RunningClock]:
        made = self.derivations.vocabulary.clocks
        for (name, index), start in self.started.items():
            result = self.derivations.read_clock(self, made[name], start)
            yield RunningClock(made[name], index, result)


@dataclass(frozen=True, slots=True)
class Step:
    """One derivation: its fact, how it is computed, and the facts that it reads."""

    fact: Fact
    compute: Compute
    reads: frozenset[str]


class Derivations:
    """The derived facts of a rule base with its parameters, compiled in order of need.

    ``wanted`` limits them to those somebody asks about; a case that gives another derived
    fact is run through all of them, so that a contradiction is found.
    """

    def __init__(
        self,
        rulebase: Rulebase,
        parameters: Mapping[str, Any],
        wanted: Collection[str] | None = None,
    ) -> None:
        self.rulebase = rulebase
        self.vocabulary = rulebase.vocabulary
        self.parameters = parameters
        self.register = Register(rulebase.courts)
        derived = self.vocabulary.derived_facts
        self._read: set[str] = set()
        self._all = self._steps([f.key for f in derived])
        keys = [f.key for f in derived] if wanted is None else list(wanted)
        self._wanted = self._steps(keys)
        asked = {step.fact.key for step in self._wanted}
        self._others = {f.key for f in derived} - asked
        self._rest = [step for step in self._all if step.fact.key in self._others]
        self._moved: dict[tuple[str, bool], tuple[Step, ...]] = {}

    def facts_in_order(self, asked: bool = False) -> list[Fact]:
        """The derived facts, or those asked about, each after those it is derived from."""
        return [step.fact for step in (self._wanted if asked else self._all)]

    def derive(self, case: Case, as_of: date) -> Derived:
        """All facts of the case. Raises :class:`FactsError` on a contradiction."""
        records = {scope: [r.copy() for r in found] for scope, found in case.records.items()}
        silent = case.intervals is None
        run = Run(self, as_of, case.facts.copy(), records, case.intervals or (), silent)
        for fact in self.vocabulary.sole_facts:
            found = records.get(fact.scope, ())
            if len(found) == 1:
                found[0].setdefault(fact.key, fact.sole)
        run.whole = not self._others or self._gives_others(run)
        presumed: dict[str, Any] = {}
        self._fill_all(case, run, self._all if run.whole else self._wanted, presumed)
        return Derived(as_of, run.facts, records, run, presumed)

    def everything(self, before: Known, case: Case) -> Known:
        """The facts of a case with every derived one, given those that are asked about.

        INVARIANT: those of deriving the case by all derivations. Raises FactsError.
        """
        if before.run.whole:
            return before
        run = _resumed(before)
        run.whole = True
        self._fill_all(case, run, self._rest, {})
        return Known(before.as_of, run.facts, run.records, run)

    def if_given(self, before: Known, case: Case, fact: Fact, index: int, value: Any) -> Known:
        """The facts of a case if a fact (of one record) were given as a known value.

        Only what is derived from it is derived again. INVARIANT: the facts of deriving the case
        with this value. Raises FactsError.
        """
        run = _resumed(before)
        if not run.whole and fact.key in self._others:
            run.whole = True
            self._fill_all(case, run, self._rest, {})
        changed = run.facts if fact.scope == CASE else run.records[fact.scope][index]
        changed[fact.key] = value
        run.tainted.pop((id(changed), fact.key), None)
        steps = self._steps_moved_by(fact.key, run.whole)
        for step in steps:
            key, scope = step.fact.key, step.fact.scope
            given = (case.facts,) if scope == CASE else case.records.get(scope, ())
            for stated, store in zip(given, _stores(run, scope), strict=True):
                if key not in stated and not (store is changed and key == fact.key):
                    store.pop(key, None)
                    run.tainted.pop((id(store), key), None)
        self._fill_all(case, run, steps, {})
        return Known(before.as_of, run.facts, run.records, run)

    def facts_moved_by(self, key: str, whole: bool) -> list[Fact]:
        """A fact with those derived from it."""
        derived = [step.fact for step in self._steps_moved_by(key, whole)]
        return [*(fact for fact in (self.vocabulary.facts[key],) if fact not in derived), *derived]

    def _steps_moved_by(self, key: str, whole: bool) -> tuple[Step, ...]:
        """The derivations that rest on a fact, its own included, in their order."""
        found = self._moved.get((key, whole))
        if found is None:
            moved, steps = {key}, []
            for step in self._all if whole else self._wanted:
                if step.fact.key == key or not moved.isdisjoint(step.reads):
                    moved.add(step.fact.key)
                    steps.append(step)
            found = self._moved[key, whole] = tuple(steps)
        return found

    def _fill_all(
        self, case: Case, run: Run, steps: Iterable[Step], presumed: dict[str, Any]
    ) -> None:
        for step in steps:
            for index, store in enumerate(_stores(run, step.fact.scope)):
                run.index = index
                self._fill(case, run, step, store, presumed)
        if run.problems:
            raise FactsError(run.problems)

    def _gives_others(self, run: Run) -> bool:
        stores = [run.facts, *(r for found in run.records.values() for r in found)]
        return any(not self._others.isdisjoint(store) for store in stores)

    def _fill(
        self, case: Case, run: Run, step: Step, store: Store, presumed: dict[str, Any]
    ) -> None:
        run.used.clear()
        value = step.compute(run, store)
        if value is None:
            return
        key = step.fact.key
        given = store.get(key)
        if given is None:
            store[key] = value
            for name in run.used:
                presumed[name] = self.vocabulary.facts[name].presume
            if run.used:
                run.tainted[id(store), key] = frozenset(run.used)
        elif value != given:
            # Silence is presumed in favour of a clock having run: it cannot have run then.
            impossible = step.fact.derive is not None and step.fact.derive[0] == "clock" and given
            found = self._contradiction(case, step.fact, given, value, run.index)
            (run.problems if impossible or not run.used else run.differences).append(found)

    def _contradiction(self, case: Case, fact: Fact, given: Any, value: Any, index: int) -> Problem:
        lists = {kind.name: kind.list_key for kind in self.vocabulary.records.values()}
        stated, found = shown(fact, given), shown(fact, value)
        return Problem(
            "contradicts_derivation",
            Text(
                f"“{fact.label.zh}”填为{stated.zh}，但据其他事实推算为{found.zh}",
                f"'{fact.key}' is given as {stated.en} but the other facts make it {found.en}",
            ),
            case.path(fact.scope, index, fact.key, lists),
        )

    # --- compiling -----------------------------------------------------------------------------

    def _steps(self, keys: Collection[str]) -> list[Step]:
        """Derived facts in an order in which each follows those it is derived from."""
        ordered: dict[str, Step] = {}

        def visit(key: str, path: tuple[str, ...]) -> None:
            fact = self.vocabulary.facts.get(key)
            if fact is None or fact.derive is None or key in ordered or key in path:
                return
            for name in inputs_of(fact, self.vocabulary):
                visit(name, (*path, key))
            kind, argument = fact.derive
            self._read = set()
            compute = KINDS[kind](self, argument, fact.scope)
            ordered[key] = Step(fact, compute, frozenset(self._read))

        for key in keys:
            visit(key, ())
        return list(ordered.values())

    def reader(self, key: str, scope: str) -> Compute:
        """Reads a fact from within a scope; of another scope, rolled up."""
        fact = self.vocabulary.facts[key]
        self._read.add(key)
        if fact.scope not in (CASE, scope):
            return self._rolled_up(fact)
        own = fact.scope == scope
        if fact.derive is None:
            if own:
                return lambda run, store: store.get(key)
            return lambda run, store: run.facts.get(key)

        def derived(run: Run, store: Store) -> Any:
            held = store if own else run.facts
            run.used |= run.tainted.get((id(held), key), NOTHING)
            return held.get(key)

        return derived

    def presumer(self, key: str, scope: str) -> Compute:
        """Reads a fact, or what the dictionary takes silence for."""
        read, presume = self.reader(key, scope), self.vocabulary.facts[key].presume
        if presume is None:
            return read

        def presumed(run: Run, store: Store) -> Any:
            value = read(run, store)
            if value is None:
                run.used.add(key)
                return presume
            return value

        return presumed

    def _rolled_up(self, fact: Fact) -> Compute:
        key, scope = fact.key, fact.scope

        def rolled(run: Run, store: Store) -> Any:
            values = [r.get(key) for r in run.records[scope]]
            if fact.rollup == "every" and all(v is None or isinstance(v, bool) for v in values):
                return conjunction(values) if values else None
            return values[0] if len(values) == 1 else None

        return rolled

    def deducted_kinds(self, policy: str) -> frozenset[str]:
        """The kinds of interval a policy (or the parameter ``$name``) deducts."""
        name = policy.lstrip("$")
        name = self.parameters.get(name, name)
        kinds = POLICIES[name]
        counts = self.parameters.get("auction_notice_counts")
        return kinds | {AUCTION_NOTICE} if counts and name == "art13" else kinds

    def rollover(self, clock: Clock) -> WorkingCalendar | None:
        rolls = not clock.rollover or self.parameters[clock.rollover]
        return self.rulebase.calendar if rolls else None

    def read_clock(self, run: Run, clock: Clock, start: date) -> ClockResult:
        """A clock with its trail."""
        deductions = run.deductions(self.deducted_kinds(clock.deduct))
        return deductions.clock(start, clock.months, run.as_of, self.rollover(clock))


def _stores(run: Run, scope: str) -> Sequence[Store]:
    return (run.facts,) if scope == CASE else run.records[scope]


def _resumed(before: Known) -> Run:
    """A run that goes on where another ended, on a copy of what it found."""
    old = before.run
    facts = before.facts.copy()
    records = {scope: [r.copy() for r in found] for scope, found in before.records.items()}
    run = Run(old.derivations, before.as_of, facts, records, old.intervals, old.silent_intervals)
    run.whole = old.whole
    run.deducted = old.deducted
    if old.tainted:
        moved = {id(before.facts): id(facts)}
        for scope, found in before.records.items():
            moved |= {id(a): id(b) for a, b in zip(found, records[scope], strict=True)}
        run.tainted = {(moved[at], key): names for (at, key), names in old.tainted.items()}
    return run


def derive(case: Case, rulebase: Rulebase, parameters: Mapping[str, Any], as_of: date) -> Derived:
    """All facts of one case; compile :class:`Derivations` once where there are many."""
    return Derivations(rulebase, parameters).derive(case, as_of)
