"""Derived facts of whole batches of cases.

The derivations of one program compiled to columns. INVARIANT: for every row that is not
marked odd each derived fact equals the one that ``Derivations.derive`` finds for that case
on its day; a case for which that raises is marked odd.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from eligibility.decision.program import Program
from eligibility.docket.columns import (
    KNOWN,
    NEVER,
    UNKNOWN,
    Bits,
    Column,
    Columns,
    Ints,
    Records,
    Table,
)
from eligibility.docket.compute import Compute, Unfit, made, on_shared_words
from eligibility.docket.courts import CourtNumbers
from eligibility.docket.days import DayTables, day_tables
from eligibility.docket.derivations import KINDS
from eligibility.docket.spans import Spans, spans_of
from eligibility.vocabulary.model import CASE, NONE, Clock, Fact, Type

THOUSANDTHS = 1000


@dataclass(slots=True)
class Batch:
    """One batch being derived.

    ``started``: for each clock that was read its scope and the days on which it started;
    ``bounded``: where that is not known, the days before which it cannot have started.
    """

    columns: Columns
    days: DayTables
    started: dict[str, tuple[str, Column]] = field(default_factory=dict)
    bounded: dict[str, tuple[str, Column]] = field(default_factory=dict)
    _owners: dict[str, Ints] = field(default_factory=dict)
    _as_of: dict[str, Ints] = field(default_factory=dict)
    _spans: dict[frozenset[str], Spans] = field(default_factory=dict)

    def table(self, scope: str) -> Table:
        return self.columns.case if scope == CASE else self.columns.records[scope]

    def cases(self, scope: str) -> Ints:
        """The case of each row of a scope."""
        found = self._owners.get(scope)
        if found is None:
            if scope == CASE:
                found = np.arange(self.columns.rows)
            else:
                found = self.columns.records[scope].owners()
            self._owners[scope] = found
        return found

    def as_of(self, scope: str) -> Ints:
        """The day of evaluation of each row of a scope."""
        if scope == CASE:
            return self.columns.as_of
        found = self._as_of.get(scope)
        if found is None:
            found = self._as_of[scope] = self.columns.as_of[self.cases(scope)]
        return found

    def spans(self, kinds: frozenset[str]) -> Spans:
        """The documented intervals of some kinds, put in order once a batch."""
        found = self._spans.get(kinds)
        if found is None:
            found = self._spans[kinds] = spans_of(self.columns, kinds, self.days)
        return found

    def spread(self, column: Column, scope: str) -> Column:
        """A column of the cases for every row of a scope."""
        if scope == CASE:
            return column
        at = self.cases(scope)
        return Column(column.values[at], column.state[at], column.words)

    def mark(self, scope: str, rows: Bits) -> None:
        """Cases to be judged one by one."""
        if rows.any():
            self.columns.odd[self.cases(scope)[rows]] = True


@dataclass(frozen=True, slots=True)
class Step:
    fact: Fact
    compute: Compute
    scale: int  # what the numbers of the derivation are multiplied by


class BulkDerivations:
    """The derived facts that a program asks about, for batches of cases.

    A case that gives another derived fact is run through all of them, as when it is alone.
    """

    def __init__(self, program: Program) -> None:
        self.derivations = program.derivations
        self.vocabulary = self.derivations.vocabulary
        self.parameters = self.derivations.parameters
        self.days = day_tables(self.derivations.rulebase.calendar)
        self.courts = CourtNumbers(self.derivations.register)
        self.dates: set[str] = set()  # that some derivation looks up in the tables
        every = self.derivations.facts_in_order()
        asked = {fact.key for fact in self.derivations.facts_in_order(asked=True)}
        self._steps = [self._step(fact) for fact in every]
        self._asked = [step for step in self._steps if step.fact.key in asked]
        self._others = [step for step in self._steps if step.fact.key not in asked]

    def derive(self, columns: Columns) -> Batch:
        """Fill in the derived facts, case by case on the day of that case.

        Replaces columns of ``columns`` and marks rows odd; no array is changed but ``odd``.
        """
        batch = Batch(columns, self.days)
        self._check(batch)
        self._sole(batch)
        for step in self._asked:
            self._fill(batch, step, None)
        others = self._giving_others(batch)
        if others.any():
            for step in self._others:
                self._fill(batch, step, others)
        return batch

    def _check(self, batch: Batch) -> None:
        """Days that the tables do not hold are no work for columns."""
        columns = batch.columns
        columns.odd |= self.days.outside(columns.as_of)
        for key in self.dates:
            scope = self.vocabulary.facts[key].scope
            if scope == CASE or scope in columns.records:
                column = batch.table(scope).facts.get(key)
                if column is not None:
                    outside = self.days.outside(column.values)
                    batch.mark(scope, outside & (column.state == KNOWN))
        columns.odd[self._strange_intervals(columns)] = True

    def _strange_intervals(self, columns: Columns) -> Ints:
        found = columns.intervals
        if not found.rows:
            return np.zeros(0, dtype=np.int64)
        strange = np.zeros(found.rows, dtype=bool)
        for key in ("kind", "from"):
            column = found.facts.get(key)
            strange |= True if column is None else column.state != KNOWN
        for key in ("from", "to", "stated_end"):
            column = found.facts.get(key)
            if column is not None:
                strange |= (column.state == KNOWN) & self.days.outside(column.values)
        return found.owners()[strange]

    def _sole(self, batch: Batch) -> None:
        """What holds of a record that is the only one of its kind."""
        for fact in self.vocabulary.sole_facts:
            found = batch.columns.records.get(fact.scope)
            if found is None:
                continue
            counts = np.diff(found.offsets)
            alone = (counts == 1)[found.owners()]
            held = found.facts.get(fact.key) or _nothing(found.rows)
            silent = alone & (held.state == UNKNOWN)
            values = np.where(silent, int(bool(fact.sole)), held.values)
            state = np.where(silent, KNOWN, held.state)
            found.facts[fact.key] = made(values, state, held.words)

    def _giving_others(self, batch: Batch) -> Bits:
        """Cases that give a derived fact which nobody asks about."""
        gives = np.zeros(batch.columns.rows, dtype=bool)
        for step in self._others:
            scope = step.fact.scope
            if scope != CASE and scope not in batch.columns.records:
                continue
            held = batch.table(scope).facts.get(step.fact.key)
            if held is not None:
                gives[batch.cases(scope)[held.state != UNKNOWN]] = True
        return gives

    def _fill(self, batch: Batch, step: Step, only: Bits | None) -> None:
        """Work out one fact; a case that gives another value is judged alone."""
        scope, key = step.fact.scope, step.fact.key
        if scope != CASE and scope not in batch.columns.records:
            return
        before = None if only is None else batch.columns.odd.copy()
        found = step.compute(batch)
        if step.scale != 1:
            found = made(found.values * step.scale, found.state)
        if before is not None and only is not None:
            batch.columns.odd[~only] = before[~only]
            chosen = only[batch.cases(scope)]
            found = made(found.values, np.where(chosen, found.state, UNKNOWN), found.words)
        table = batch.table(scope)
        given = table.facts.get(key)
        if given is not None:
            found = self._joined(batch, scope, given, found)
        table.facts[key] = found

    def _joined(self, batch: Batch, scope: str, given: Column, found: Column) -> Column:
        one, other, words = on_shared_words(given, found)
        stated = given.state != UNKNOWN
        both = stated & (found.state != UNKNOWN)
        batch.mark(scope, both & ((given.state != found.state) | (one != other)))
        state = np.where(stated, given.state, found.state)
        return made(np.where(stated, one, other), state, words)

    # --- compiling -----------------------------------------------------------------------------

    def _step(self, fact: Fact) -> Step:
        assert fact.derive is not None
        kind, argument = fact.derive
        scale = THOUSANDTHS if fact.type is Type.DECIMAL else 1
        try:
            return Step(fact, KINDS[kind](self, argument, fact.scope), scale)
        except Unfit:
            return Step(fact, _one_by_one(fact.scope), scale)

    def reader(self, key: str, scope: str) -> Compute:
        """Reads a fact from within a scope; of another scope, rolled up."""
        fact = self.vocabulary.facts[key]
        if fact.scope not in (CASE, scope):
            return self._rolled_up(fact, scope)

        def read(batch: Batch) -> Column:
            table = batch.table(fact.scope)
            held = table.facts.get(key)
            if held is None:
                return _nothing(batch.table(scope).rows)
            return held if fact.scope == scope else batch.spread(held, scope)

        return read

    def presumer(self, key: str, scope: str) -> Compute:
        """Reads a fact, or what the dictionary takes silence for."""
        read, fact = self.reader(key, scope), self.vocabulary.facts[key]
        presume = fact.presume
        if presume is None:
            return read
        if presume is NONE:
            state, value = NEVER, 0
        elif isinstance(presume, int) and fact.type in (Type.BOOL, Type.INT):
            state, value = KNOWN, int(presume)
        else:
            raise Unfit(key)

        def presumed(batch: Batch) -> Column:
            held = read(batch)
            silent = held.state == UNKNOWN
            values = np.where(silent, value, held.values)
            return made(values, np.where(silent, state, held.state), held.words)

        return presumed

    def _rolled_up(self, fact: Fact, scope: str) -> Compute:
        folds = fact.rollup == "every" and fact.type is Type.BOOL

        def rolled(batch: Batch) -> Column:
            found = batch.columns.records.get(fact.scope)
            held = None if found is None else found.facts.get(fact.key)
            if found is None or held is None:
                return _nothing(batch.table(scope).rows)
            column = _conjunction(found, held) if folds else _single(found, held)
            return batch.spread(column, scope)

        return rolled

    def deducted_kinds(self, policy: str) -> frozenset[str]:
        return self.derivations.deducted_kinds(policy)

    def rolls(self, clock: Clock) -> bool:
        """Whether the last day of a clock moves to a working day."""
        return self.derivations.rollover(clock) is not None


def _nothing(rows: int) -> Column:
    return Column(np.zeros(rows, dtype=np.int64), np.zeros(rows, dtype=np.uint8))


def _single(found: Records, held: Column) -> Column:
    """The value of the only record; of several records nothing is known."""
    counts = np.diff(found.offsets)
    rows = np.flatnonzero(counts == 1)
    values, state = _nothing(len(counts)).values, np.zeros(len(counts), dtype=np.uint8)
    at = found.offsets[rows]
    values[rows], state[rows] = held.values[at], held.state[at]
    return Column(values, state, held.words)


def _conjunction(found: Records, held: Column) -> Column:
    """Kleene's conjunction over the records of each case; of none nothing is known."""
    owners, counts = found.owners(), np.diff(found.offsets)
    cases = len(counts)
    true = np.bincount(owners[(held.state == KNOWN) & (held.values != 0)], minlength=cases)
    false = np.bincount(owners[(held.state == KNOWN) & (held.values == 0)], minlength=cases)
    every = (counts > 0) & (true == counts)
    return made(every, ((false > 0) | every) * KNOWN)


def _one_by_one(scope: str) -> Compute:
    def compute(batch: Batch) -> Column:
        rows = batch.table(scope).rows
        batch.mark(scope, np.ones(rows, dtype=bool))
        return _nothing(rows)

    return compute
