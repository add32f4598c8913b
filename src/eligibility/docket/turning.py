"""When time alone changes the outcome, for whole batches.

INVARIANT: for every row the day and the outcome are those of ``decision.changes.changes_on``;
a row of which that is not certain is left to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np

from eligibility.decision.changes import HORIZON, MOST
from eligibility.decision.program import Program, Programs
from eligibility.docket.columns import Bits, Columns, Ints
from eligibility.docket.deriving import Batch, BulkDerivations
from eligibility.docket.gathering import narrowed, take
from eligibility.docket.relevance import Marks, Place, Relevance, bit
from eligibility.docket.turns import TurningDays, Turns
from eligibility.engines.docket import Evaluation
from eligibility.vocabulary.reader import inputs_of
from eligibility.vocabulary.values import LAST_DAY

IMPOSSIBLE, ALONE = -1, -2
"""Instead of a set of outcomes: facts that cannot be true together; a case to be judged alone."""
NO_DAY = 0
LAST_AS_OF = (LAST_DAY - 2 * HORIZON).toordinal()
"""A later day of evaluation is near the end of the days that facts may name."""
CHUNK = 1 << 16
FEW = 1 << 12  # days of cases that are asked about at once rather than one after the other
_DAY_BITS = 22
OutcomesOf = Callable[[Program, Columns], Ints]


@dataclass(slots=True)
class Turned:
    """For each row the ordinal of the day (:data:`NO_DAY`: none) and the outcomes on it.

    ``alone``: rows to be asked one by one.
    """

    day: Ints
    outcomes: Ints
    alone: Bits


class Turning:
    """Finds the first day of change for the batches of one program.

    ``outcomes_of``: for a batch without derived facts, each case on its own day, a number for
    its set of possible outcomes (the same set, the same number), IMPOSSIBLE or ALONE. All days
    of evaluation of a batch must lie in the stretch of law of the program.
    """

    def __init__(
        self, programs: Programs, program: Program, bulk: BulkDerivations, outcomes_of: OutcomesOf
    ) -> None:
        self.programs, self.program, self.outcomes_of = programs, program, outcomes_of
        self.turns = Turns(program, bulk)
        places = (Place(t.scope, t.input, t.regions.unknown) for t in self.turns.turns)
        self.relevance = Relevance(program, list(places))
        self._needed: dict[int, frozenset[str]] = {}

    def first_changes(
        self,
        given: Columns,
        derived: Batch,
        evaluation: Evaluation,
        now: Ints,
    ) -> Turned:
        """The first day on which each row has other possible outcomes than ``now``.

        ``given``: the batch before, ``derived``: after its facts were derived; ``evaluation``:
        the circuit on it. Rows that are odd or whose ``now`` is negative are left out.
        """
        days = self.turns.days(derived)
        marks = self.relevance.marks(evaluation, days.moved)
        asked = (now >= 0) & ~derived.columns.odd
        marks[~asked] = 0
        alone = asked & (given.as_of > LAST_AS_OF)
        cases, on = self._pairs(given, days, marks)
        alone |= asked & self._too_many(days, cases, given.rows)
        kept = (asked & ~alone)[cases]
        turned = Turned(np.full(given.rows, NO_DAY), np.full(given.rows, IMPOSSIBLE), alone)
        self._search(given, cases[kept], on[kept], now, turned)
        return turned

    def _pairs(self, given: Columns, days: TurningDays, marks: Marks) -> tuple[Ints, Ints]:
        """Cases and, beside each, the days on which something that matters moves, in order."""
        wild = np.zeros(given.rows, dtype=bool)
        for t, turn in enumerate(self.turns.turns):
            if turn.wild:
                wild |= (marks >> bit(t) & 1).astype(bool)
        law = self._law_days(given)
        keys = []
        for t, (cases, on) in enumerate(zip(days.cases, days.days, strict=True)):
            matters = (marks[cases] >> bit(t) & 1).astype(bool)
            chosen = matters | wild[cases] | (on >= law[cases])
            keys.append(_key(cases[chosen], on[chosen]))
        for cases, on in days.unasked:
            chosen = wild[cases] | (on >= law[cases])
            keys.append(_key(cases[chosen], on[chosen]))
        ruled = np.flatnonzero(law <= given.as_of + HORIZON.days)
        keys.append(_key(ruled, law[ruled]))
        found = np.unique(np.concatenate(keys))
        return found >> _DAY_BITS, found & ((1 << _DAY_BITS) - 1)

    def _law_days(self, given: Columns) -> Ints:
        """For each row the next day on which the law changes."""
        out = np.full(given.rows, date.max.toordinal())
        for day in np.unique(given.as_of).tolist() if self.programs.law.dates else ():
            law = self.programs.next_law_date(date.fromordinal(day))
            if law is not None:
                out[given.as_of == day] = law.toordinal()
        return out

    def _too_many(self, days: TurningDays, cases: Ints, rows: int) -> Bits:
        """Rows with more days than are looked at: which those are is seen one by one."""
        listed = [*days.cases, *(found for found, _ in days.unasked)]
        most = sum((np.bincount(found, minlength=rows) for found in listed), np.zeros(rows, int))
        out: Bits = (most >= MOST) & (np.bincount(cases, minlength=rows) > 0)
        return out

    def _search(self, given: Columns, cases: Ints, on: Ints, now: Ints, turned: Turned) -> None:
        """Ask day by day until the outcomes differ; few rows have many days."""
        counts = np.bincount(cases, minlength=given.rows)
        rank = np.arange(len(cases)) - (np.cumsum(counts) - counts)[cases]
        first, width = 0, 1
        left = np.arange(len(cases))
        while left.size:
            last = first + width if left.size > FEW else MOST
            chosen = left[rank[left] < last]
            for start in range(0, len(chosen), CHUNK):
                part = chosen[start : start + CHUNK]
                then = self._then(given, cases[part], on[part])
                self._note(cases[part], on[part], then, now, turned)
            open_ = (turned.day == NO_DAY) & ~turned.alone
            left = left[(rank[left] >= last) & open_[cases[left]]]
            first, width = last, width * 2

    def _then(self, given: Columns, cases: Ints, on: Ints) -> Ints:
        """The outcomes of cases on other days, each by the law of its day."""
        out = np.full(len(cases), ALONE)
        for program, rows in self._by_law(on):
            short = narrowed(given, self._facts_of(program))
            out[rows] = self.outcomes_of(program, take(short, cases[rows], on[rows]))
        return out

    def _facts_of(self, program: Program) -> frozenset[str]:
        found = self._needed.get(id(program))
        if found is None:
            found = self._needed[id(program)] = needed_facts(program)
        return found

    def _by_law(self, on: Ints) -> Iterator[tuple[Program, Ints]]:
        law, profile = self.programs.law, self.program.lowered.profile
        dates = np.array([day.toordinal() for day in law.dates], dtype=np.int64)
        stretches = np.searchsorted(dates, on, side="right")
        for stretch in np.unique(stretches).tolist():
            rows = np.flatnonzero(stretches == stretch)
            yield self.programs.at(profile, date.fromordinal(int(on[rows[0]]))), rows

    @staticmethod
    def _note(cases: Ints, on: Ints, then: Ints, now: Ints, turned: Turned) -> None:
        """The first day of each case that differs; pairs are in order of case and day."""
        differs = np.flatnonzero((then != IMPOSSIBLE) & (then != now[cases]))
        rows, first = np.unique(cases[differs], return_index=True)
        earliest = differs[first]
        fresh = (turned.day[rows] == NO_DAY) & ~turned.alone[rows]
        rows, earliest = rows[fresh], earliest[fresh]
        unsure = then[earliest] == ALONE
        turned.alone[rows[unsure]] = True
        rows, earliest = rows[~unsure], earliest[~unsure]
        turned.day[rows] = on[earliest]
        turned.outcomes[rows] = then[earliest]


def _key(cases: Ints, days: Ints) -> Ints:
    out: Ints = (cases << _DAY_BITS) | days
    return out


def needed_facts(program: Program) -> frozenset[str]:
    """The facts on which the circuit rests."""
    vocabulary = program.lowered.rulebase.vocabulary
    made = [i.fact for i in program.circuit.inputs if i.quantifier < 0]
    made += [i.fact for found in program.circuit.record_inputs.values() for i in found]
    # A derived fact that nobody asks about may contradict the others on another day.
    open_ = [*made, *(fact.key for fact in vocabulary.derived_facts)]
    needed: set[str] = set()
    while open_:
        key = open_.pop()
        if key not in needed and key in vocabulary.facts:
            needed.add(key)
            open_ += inputs_of(vocabulary.facts[key], vocabulary)
            open_ += _around_clocks(program, key)
    return frozenset(needed)


def _around_clocks(program: Program, key: str) -> list[str]:
    """The facts of the clock that a clock cannot precede."""
    vocabulary = program.lowered.rulebase.vocabulary
    fact = vocabulary.facts[key]
    name = fact.derive[1] if fact.derive is not None else None
    clock = vocabulary.clocks.get(name) if isinstance(name, str) else None
    other = vocabulary.clocks.get(clock.not_before) if clock is not None else None
    if other is None:
        return []
    return [other.start, *((other.after_transfer or {}).values())]
